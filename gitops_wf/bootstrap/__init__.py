"""Wiring: the only place that names implementations of the ports.

A module per purpose, and nothing imported here: a command that only looks must not
wait for the libraries of the daemon.
"""
