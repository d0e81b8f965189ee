"""Fixtures of the end-to-end tests."""

from tests.stores import postgres, store_location

__all__ = ["postgres", "store_location"]
