"""Takes secrets out of text before anybody sees it: each value, however encoded.

The type `Secret` keeps a value from being printed by us. This is for texts of others
(a server that echoes its request, a program that prints its settings), in which a
value stands as plain text.
"""

import base64
import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from gitops_wf.core.secret import MASK, Secret

SHORTEST = 6
"""Values and pieces with fewer characters are not masked: ``on`` or ``prod`` as a
password would take those letters out of every text."""

_LINE = 20
"""From this length on a line of a key is one of its own: enough to be no word."""

_PART = 16
"""From this length on a part of a URL's path is a token, not a word."""

_FEW = 400
"""Of more beginnings, to look for each takes longer than to look at each place."""

_UNRESERVED = frozenset(
    "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-._~"
)
_SCHEMES = frozenset({"basic", "bearer", "token", "apikey", "digest"})
_WORD = re.compile(r"[a-z-]+|[A-Z_]+|[A-Z]?[a-z]+|[0-9.:]+")

_SHAPES = (
    # A user with a password in a URL; in http(s) a user alone may be a token.
    ("://", re.compile(r"://[^\s/@:\"']*:[^\s/@\"']+@"), f"://{MASK}@"),
    ("://", re.compile(r"(https?://)[^\s/@\"']+@"), rf"\1{MASK}@"),
    (
        "=",
        re.compile(
            r"([?&](?:access_token|api_?key|auth|client_secret|key|password|private_"
            r"token|secret|sig|sign|signature|token)=)[^&\s\"'<>#]+",
            re.IGNORECASE,
        ),
        rf"\1{MASK}",
    ),
    (
        "uthorization",
        re.compile(
            r"([Aa]uthorization[\\\"']*\s*[:=]\s*[\\\"']*"
            r"(?:(?:[Bb]asic|[Bb]earer|[Tt]oken)\s+)?)[^\s\"'\\,;]+"
        ),
        rf"\1{MASK}",
    ),
    # kubectl keeps a whole Secret in it.
    (
        "/last-applied-configuration",
        re.compile(
            r"(kubectl\.kubernetes\.io/last-applied-configuration[\\\"']*\s*[:=]\s*)"
            r"(?:\\\"(?:[^\"\\]|\\\\.)*\\\"|\"(?:[^\"\\]|\\.)*\"|\S+)"
        ),
        rf"\1{MASK}",
    ),
)
"""What must be in a text, for it costs little to see; the shape; what stands for it."""


class Redactor:
    """The secrets that a process knows, and texts without them.

    A value is known from the moment that it is resolved until the process ends: what
    was rotated may still be echoed. Safe to use from many threads. A value that is
    masked is masked wherever it stands, also where it is part of another word.
    """

    def __init__(self, secrets: Iterable[Secret] = ()) -> None:
        self._known: set[str] = set()
        # By their first letters, so that a look costs the text's length, however many.
        self._needles: dict[str, list[str]] = {}
        for secret in secrets:
            self.learn(secret)

    def learn(self, secret: Secret) -> None:
        """Mask this value from now on; those under `SHORTEST` never are."""
        value = secret.reveal()
        if value in self._known:
            return
        for piece in _pieces(value):
            self._add(piece)
        self._known.add(value)

    def learn_object(self, manifest: Mapping[str, Any]) -> None:
        """Mask the values of a Kubernetes Secret; any other object has none.

        Not those that are plain words or numbers (``postgres``, ``5432``): Secrets
        hold users and hosts, too, and these would vanish from every text.
        """
        for value in secret_values(manifest):
            if not _WORD.fullmatch(value.reveal()):
                self.learn(value)

    def text(self, text: str) -> str:
        """Return the text with each known value, and what has a secret's shape, masked.

        Also where only the beginning of a value is left, as where a text was cut.
        """
        text = self._values_masked(text)
        for sign, shape, mask in _SHAPES:
            if sign in text:
                text = shape.sub(mask, text)
        return text

    def value(self, value: Any) -> Any:
        """Return plain data (of JSON) with all of its texts masked, the keys too."""
        match value:
            case str():
                masked = self.text(value)
                return value if masked == value else masked
            case Mapping():
                return {self.value(k): self.value(v) for k, v in value.items()}
            case list():
                return [self.value(item) for item in value]
            case tuple() if type(value) is tuple:
                return tuple(self.value(item) for item in value)
            case _:
                return value

    def _add(self, piece: str) -> None:
        for needle in _encoded(piece):
            if len(needle) >= SHORTEST:
                self._needles.setdefault(needle[:SHORTEST], []).append(needle)

    def _values_masked(self, text: str) -> str:
        needles = self._needles
        if not needles:
            return text
        # Most texts have none, and where few are known that is seen sooner.
        is_few = len(needles) < min(len(text), _FEW)
        if is_few and not any(start in text for start in tuple(needles)):
            return text
        last = len(text) - SHORTEST + 1
        hits = [at for at in range(last) if text[at : at + SHORTEST] in needles]
        if not hits:
            return text
        parts, done = [], 0
        open_from = open_to = -1
        for at in hits:
            length = _found(text, at, needles[text[at : at + SHORTEST]])
            if not length:
                continue
            if at > open_to:
                if open_to > 0:
                    parts += [text[done:open_from], MASK]
                    done = open_to
                open_from = at
            open_to = max(open_to, at + length)
        if open_to > 0:
            parts += [text[done:open_from], MASK]
            done = open_to
        return "".join((*parts, text[done:]))


def redact(text: str, secrets: Iterable[Secret]) -> str:
    """Return the text with each secret, and each longer piece of one, masked.

    For the answer to a request that carried these: pieces too, since a receiver that
    cannot find ``/services/T0/B0/token`` says so in its own words. Before any cut.
    """
    redactor = Redactor()
    for secret in secrets:
        redactor.learn(secret)
        for piece in _words(secret.reveal()):
            redactor.learn(Secret(piece))
    return redactor.text(text)


def secret_values(manifest: Mapping[str, Any]) -> Iterator[Secret]:
    """Return the values that a Kubernetes Secret holds, decoded; of others, nothing."""
    if manifest.get("kind") != "Secret" or manifest.get("apiVersion") != "v1":
        return
    written = manifest.get("stringData")
    if isinstance(written, Mapping):
        yield from (Secret(value) for value in written.values() if _is_text(value))
    data = manifest.get("data")
    for value in data.values() if isinstance(data, Mapping) else ():
        if not _is_text(value):
            continue
        yield Secret(value)
        try:
            plain = base64.b64decode(value, validate=True).decode()
        except ValueError:
            continue  # it is binary, or no base64: known as it stands
        if plain:
            yield Secret(plain)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


def _found(text: str, at: int, needles: Iterable[str]) -> int:
    """Return how much of the longest needle stands there; 0 where none does."""
    longest = 0
    for needle in needles:
        if len(needle) > longest and text.startswith(needle, at):
            longest = len(needle)
    if longest:
        return longest
    end = text.find("…", at)
    rest = text[at:] if end < 0 else text[at:end]
    return len(rest) if any(n.startswith(rest) for n in needles) else 0


def _pieces(value: str) -> Iterator[str]:
    """Return the value, and those parts of it that are secrets by themselves."""
    yield value
    yield value.strip()
    scheme, _, rest = value.partition(" ")
    if scheme.lower() in _SCHEMES:
        yield rest.strip()
    lines = value.splitlines()
    if len(lines) > 1:
        yield from (
            line.strip()
            for line in lines
            if len(line.strip()) >= _LINE and not line.startswith("-----")
        )
    yield from _url_pieces(value)


def _url_pieces(value: str) -> Iterator[str]:
    """Return of a URL its password, its path with query, and the tokens in them."""
    scheme, found, rest = value.partition("://")
    if not found or not scheme.replace("+", "").isalnum() or "\n" in value:
        return
    place, _, path = rest.partition("/")
    user, at, _ = place.rpartition("@")
    if at:
        yield user.partition(":")[2]
    if scheme not in {"http", "https"}:
        return
    way, _, query = path.partition("?")
    if len(path) >= _PART:
        yield path
    yield from (part for part in way.split("/") if len(part) >= _PART)
    yield from (pair.partition("=")[2] for pair in re.split(r"[&#]", query))


def _words(value: str) -> Iterator[str]:
    yield from value.split()
    scheme, found, rest = value.partition("://")
    if found and scheme in {"http", "https"}:
        _, _, path = rest.partition("/")
        yield path
        yield from re.split(r"[/?&=#]", path)


def _encoded(piece: str) -> set[str]:
    """Return how a value may stand in a text: as it is, escaped, quoted, in base64."""
    quoted = _quoted(piece, "")
    forms = {
        piece,
        " ".join(piece.split()),
        quoted,
        re.sub(r"%[0-9A-F]{2}", lambda found: found[0].lower(), quoted),
        _quoted(piece, "/"),
        quoted.replace("%20", "+"),
        json.dumps(piece)[1:-1],
        json.dumps(piece, ensure_ascii=False)[1:-1],
        repr(piece)[1:-1],
        html.escape(piece),
    }
    # Escaped once more, where a JSON text is a value in another.
    forms |= {json.dumps(form)[1:-1] for form in tuple(forms)}
    forms |= set(_base64(piece.encode("utf-8", "surrogatepass")))
    return forms


def _quoted(text: str, safe: str) -> str:
    """Percent-encode (RFC 3986, section 2.1) all but unreserved characters."""
    if all(char in _UNRESERVED for char in text):
        return text
    return "".join(
        char
        if char in _UNRESERVED or char in safe
        else "".join(f"%{byte:02X}" for byte in char.encode("utf-8", "surrogatepass"))
        for char in text
    )


def _base64(data: bytes) -> Iterator[str]:
    """Return what of the base64 of any text with this in it depends on this alone.

    It may begin at each of three offsets, as the password does in HTTP Basic's
    ``user:password``.
    """
    for offset in range(3):
        encoded = base64.b64encode(bytes(offset) + data).decode("ascii")
        first = -(-8 * offset // 6)
        core = encoded[first : 8 * (offset + len(data)) // 6]
        yield core
        yield core.replace("+", "-").replace("/", "_")
