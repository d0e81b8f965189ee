"""Nouns and rules as frozen values and pure functions; no clock, no I/O, no logging."""
