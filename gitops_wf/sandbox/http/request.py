"""A request as the verbs see it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from gitops_wf.sandbox.http.options import first
from gitops_wf.sandbox.users import UNKNOWN, User


@dataclass(slots=True, kw_only=True)
class Request:
    """Method, path, query, headers in lower case, and the whole body."""

    method: str
    path: str
    full_path: str
    query: Mapping[str, list[str]]
    headers: Mapping[str, list[str]]
    body: bytes = b""
    user: User = UNKNOWN
    warnings: list[str] = field(default_factory=list)

    def header(self, name: str) -> str:
        """The first value of a header, or ''."""
        values = self.headers.get(name)
        return values[0] if values else ""

    def all_headers(self, name: str) -> list[str]:
        """All values of a header."""
        return list(self.headers.get(name, ()))

    def future_revision(self, current: int) -> int:
        """The resourceVersion that a read asks for when it is not there yet, else 0."""
        if self.method != "GET":
            return 0
        wanted = first(self.query, "resourceVersion")
        if not wanted.isdigit() or int(wanted) <= current:
            return 0
        return int(wanted)
