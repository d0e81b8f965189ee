"""Roles that the rules need played: protocols and plain values; no implementation."""
