"""What is wrong with a request, as the API server words it in a Status."""

from collections.abc import Sequence
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Cause:
    """One entry of a Status' `details.causes`; `reason` as FieldValueInvalid."""

    reason: str
    message: str
    field: str


class FieldError(Exception):
    """A request that can't be done; `code` and `reason` are those of the Status.

    `reason` is empty where the real server leaves it out (its 500 answers).
    """

    def __init__(
        self,
        message: str,
        *,
        code: int = 500,
        reason: str = "",
        causes: Sequence[Cause] = (),
    ) -> None:
        super().__init__(message)
        self.message = message
        self.code = code
        self.reason = reason
        self.causes = tuple(causes)


class PatchError(FieldError):
    """A patch whose result is not an object of the kind: 422 with the cause `patch`.

    The server shows the whole patched object (or the patch) as the invalid value, so
    whoever turns this into a Status needs `shown`.
    """

    def __init__(self, shown: str, detail: str) -> None:
        text = f"Invalid value: {_go_quoted(shown)}: {detail}"
        cause = Cause(reason="FieldValueInvalid", message=text, field="patch")
        super().__init__(
            f' "" is invalid: patch: {text}',
            code=422,
            reason="Invalid",
            causes=[cause],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Conflict:
    """A field (`.data.k`) that another manager owns with another value."""

    manager: str
    """As the server prints it: `"one"`, or `"editor" using v1` for an updater."""
    field: str


class ApplyConflict(FieldError):  # noqa: N818 - the server's word for it
    """A server-side apply that would change what others own: 409."""

    def __init__(self, conflicts: Sequence[Conflict]) -> None:
        super().__init__(
            _conflict_message(conflicts),
            code=409,
            reason="Conflict",
            causes=[
                Cause(
                    reason="FieldManagerConflict",
                    message=f"conflict with {conflict.manager}",
                    field=conflict.field,
                )
                for conflict in conflicts
            ],
        )
        self.conflicts = tuple(conflicts)


def bad_request(message: str) -> FieldError:
    """400 BadRequest."""
    return FieldError(message, code=400, reason="BadRequest")


def rejected_patch() -> FieldError:
    """A JSON patch that can't be carried out: 422 without any details."""
    return FieldError(
        "the server rejected our request due to an error in our request",
        code=422,
        reason="Invalid",
    )


def _conflict_message(conflicts: Sequence[Conflict]) -> str:
    if len(conflicts) == 1:
        one = conflicts[0]
        return f"Apply failed with 1 conflict: conflict with {one.manager}: {one.field}"
    by_manager: dict[str, list[str]] = {}
    for conflict in conflicts:
        by_manager.setdefault(conflict.manager, []).append(conflict.field)
    lines: list[str] = []
    for manager in sorted(by_manager):
        lines.append(f"conflicts with {manager}:")
        lines += [f"- {field}" for field in by_manager[manager]]
    return f"Apply failed with {len(conflicts)} conflicts: " + "\n".join(lines)


def _go_quoted(text: str) -> str:
    """Go's %q, for the characters that JSON texts hold."""
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '"' + escaped.replace("\n", "\\n").replace("\t", "\\t") + '"'
