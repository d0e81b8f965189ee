"""The store's schema, one step after the other; Alembic runs them."""
