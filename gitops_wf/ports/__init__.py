"""Roles that the rules need played, as typing protocols and their plain values; no implementation."""
