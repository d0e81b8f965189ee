"""Takes secrets out of what a receiver answered, before anybody sees it."""

from collections.abc import Iterable
from re import split

from gitops_wf.core.secret import MASK, Secret

_SHORTEST = 6
"""Pieces shorter than this are words, not secrets."""


def redact(text: str, secrets: Iterable[Secret]) -> str:
    """Return the text with each secret, and each longer piece of one, masked.

    Pieces too, since a receiver that cannot find ``/services/T0/B0/token`` says so in
    its own words. Before any cut: half a secret would no longer be found.
    """
    pieces = {
        piece
        for secret in secrets
        for piece in _pieces(secret.reveal())
        if len(piece) >= _SHORTEST
    }
    for piece in sorted(pieces, key=len, reverse=True):
        text = text.replace(piece, MASK)
    return text


def _pieces(value: str) -> Iterable[str]:
    """Return the value, and of a URL the path and the parts of path and query."""
    yield value
    yield from value.split()  # `Bearer token`
    scheme, found, rest = value.partition("://")
    if found and scheme in {"http", "https"}:
        _host, _slash, path = rest.partition("/")
        yield path
        yield from split(r"[/?&=#]", path)
