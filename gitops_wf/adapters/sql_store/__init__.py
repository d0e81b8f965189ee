"""The store in SQL, through SQLAlchemy Core: one SQLite file, or PostgreSQL."""

from gitops_wf.adapters.sql_store.engines import password_of
from gitops_wf.adapters.sql_store.store import (
    ReadingStore,
    SqlStore,
    open_beside,
    open_for_reading,
    open_store,
)

__all__ = [
    "ReadingStore",
    "SqlStore",
    "open_beside",
    "open_for_reading",
    "open_store",
    "password_of",
]
