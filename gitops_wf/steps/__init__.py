"""Step types, one module each, unaware of each other and found by entry point."""
