"""One connection to the store, and how it is asked."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import JSON, ColumnElement, Connection, Select, String, cast, func

MOST_PARAMETERS = 500
"""Databases limit the parameters of one query; SQLite's old limit is 999."""


class Asking:
    """What all questions to the store share."""

    def __init__(self, connection: Connection) -> None:
        self.connection = connection

    def _text(self, query: Select[Any]) -> str | None:
        text: str | None = self.connection.execute(query).scalar_one_or_none()
        return text

    def _texts(self, query: Select[Any]) -> Sequence[str]:
        texts: Sequence[str] = self.connection.execute(query).scalars().all()
        return texts

    def _inside(self, payload: ColumnElement[str], *path: str) -> ColumnElement[str]:
        """Return a text inside a payload: the database reads it, not Python."""
        if self.connection.dialect.name == "sqlite":
            return func.json_extract(payload, "$." + ".".join(path))
        return func.json_extract_path_text(cast(payload, JSON), *path)

    def _is_true(self, payload: ColumnElement[str], *path: str) -> ColumnElement[bool]:
        found = func.coalesce(cast(self._inside(payload, *path), String), "")
        return found.in_(("1", "true"))
