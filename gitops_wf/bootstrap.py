"""Wiring: the only place that names implementations of the ports."""
