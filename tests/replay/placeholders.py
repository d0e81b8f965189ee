"""Placeholders of the recordings: what they stand for, bound on first use."""

from __future__ import annotations

import re
import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime

TOKEN = re.compile(
    r"<(uid|rv|lrv|rand|ip|nodeport|continue)(?:-(\d+|any))?>"
    r"|<(time|age|random|pem|server|tmpdir|gitCommit|goVersion)>"
)
_PATTERNS = {
    "uid": r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}",
    "rv": r"\d+",
    "lrv": r"\d+",
    "rand": r"[bcdfghjklmnpqrstvwxz2456789]{5}|[0-9a-f]{8,20}",
    "ip": r"\d+\.\d+\.\d+\.\d+",
    "nodeport": r"3[0-2]\d{3}",
    "continue": r"[-_A-Za-z0-9=]+",
    "time": r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d{6})?Z",
    "age": r"<unknown>|<invalid>|\d[0-9a-z]*",
    "random": r"\d+",
    "pem": r"(?s:.+)",
    "server": r"\S+",
    "tmpdir": r"\S+",
    "gitCommit": r"\S+",
    "goVersion": r"\S+",
}


class Mismatch(Exception):  # noqa: N818
    """An answer is not the recorded one."""


@dataclass
class Bindings:
    """The values of numbered placeholders so far, and the revisions seen."""

    ordered: bool = True
    values: dict[str, str] = field(default_factory=dict)
    highest: int = 0
    # Off for a Table of one object or a list of an exact past, which have a version
    # of their own: the object's, or the one that was asked for.
    rising: bool = True

    def copy(self) -> Bindings:
        return Bindings(self.ordered, dict(self.values), self.highest, self.rising)

    def restore(self, other: Bindings) -> None:
        self.values, self.highest = dict(other.values), other.highest

    def bind(self, kind: str, number: str, value: str, where: str) -> None:
        if kind == "time" or not number:
            if kind == "lrv":
                self._list_revision(value, where)
            return
        if kind in ("rv", "lrv") and number != "any":
            self.highest = max(self.highest, int(value))
        if number == "any":
            return
        name = f"{kind}-{number}"
        known = self.values.get(name)
        if known is not None:
            if known != value:
                raise Mismatch(f"{where}: <{name}> is {known} and here {value}")
            return
        if kind not in ("lrv", "continue"):
            self._distinct(kind, name, value, where)
        if kind == "rv" and self.ordered:
            self._ranked(int(number), int(value), where)
        self.values[name] = value

    def _list_revision(self, value: str, where: str) -> None:
        if not self.rising:
            return
        if int(value) < self.highest:
            raise Mismatch(
                f"{where}: <lrv> {value} is below {self.highest}, seen before"
            )
        self.highest = max(self.highest, int(value))

    def _distinct(self, kind: str, name: str, value: str, where: str) -> None:
        for other, theirs in self.values.items():
            if other.startswith(f"{kind}-") and theirs == value:
                raise Mismatch(f"{where}: <{name}> is {value}, as <{other}> is")

    def _ranked(self, number: int, value: int, where: str) -> None:
        for other, theirs in self.values.items():
            if not other.startswith("rv-"):
                continue
            if (int(other[3:]) < number) is not (int(theirs) < value):
                raise Mismatch(f"{where}: <rv-{number}> is {value}, <{other}> {theirs}")

    def match_text(self, expected: str, actual: str, where: str) -> None:
        """Match a text with placeholders; raises Mismatch."""
        if "<" not in expected:
            if expected != actual:
                raise Mismatch(f"{where}: expected {expected!r}, got {actual!r}")
            return
        parts: list[str] = []
        found: list[tuple[str, str]] = []
        end = 0
        for token in TOKEN.finditer(expected):
            parts.append(re.escape(expected[end : token.start()]))
            kind = token[1] or token[3]
            known = self.values.get(f"{kind}-{token[2]}")
            if known is not None:
                parts.append(f"({re.escape(known)})")
            else:
                parts.append(f"({_PATTERNS[kind]})")
            found.append((kind, token[2] or ""))
            end = token.end()
        parts.append(re.escape(expected[end:]))
        matched = re.fullmatch("".join(parts), actual, re.DOTALL)
        if matched is None:
            shown = TOKEN.sub(
                lambda one: self.values.get(one[0][1:-1], one[0]), expected
            )
            raise Mismatch(f"{where}: expected {shown!r}, got {actual!r}")
        for (kind, number), value in zip(found, matched.groups(), strict=True):
            self.bind(kind, number, value, where)

    def fill(self, text: str, key: str = "") -> str:
        """A text to send, with the values in place; unknown ones are made up."""

        def value(token: re.Match[str]) -> str:
            kind, number = token[1] or token[3], token[2]
            name = f"{kind}-{number}"
            if name in self.values:
                return self.values[name]
            match kind:
                case "uid":
                    self.values[name] = str(uuid.uuid4())
                    return self.values[name]
                case "ip":
                    self.values[name] = f"10.96.77.{number}"
                    return self.values[name]
                case "time":
                    micro = key in ("eventTime", "renewTime", "acquireTime")
                    # Now, since what is older than an hour may be tidied away.
                    form = "%Y-%m-%dT%H:%M:%S.%fZ" if micro else "%Y-%m-%dT%H:%M:%SZ"
                    return datetime.now(UTC).strftime(form)
                case "random":
                    return "300"
                case _:
                    raise Mismatch(f"{token[0]} is sent before any answer had it")

        return TOKEN.sub(value, text)
