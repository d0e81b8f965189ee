"""Fixtures of the contract suites."""

from tests.stores import postgres, store_location

__all__ = ["postgres", "store_location"]
