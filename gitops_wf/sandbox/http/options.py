"""Query options of lists, watches and writes, checked as the server checks them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from gitops_wf.sandbox.statuses import (
    StatusCause,
    bad_request,
    forbidden_field,
    internal,
    invalid_options,
    invalid_value,
    required,
    unsupported,
)

Query = Mapping[str, list[str]]
_POLICIES = ["Foreground", "Background", "Orphan", "nil"]
_LEVELS = ["", "Ignore", "Strict", "Warn"]


def first(query: Query, name: str) -> str:
    """The first value of a parameter, or ''."""
    values = query.get(name)
    return values[0] if values else ""


def flag(query: Query, name: str) -> bool:
    """A boolean parameter; anything but a false word is true, as Go reads it."""
    values = query.get(name)
    return bool(values) and (values or [""])[0].lower() not in ("0", "f", "false")


def _number(query: Query, name: str) -> int | None:
    text = first(query, name)
    if not text:
        return None
    try:
        return int(text)
    except ValueError:
        message = f'strconv.ParseInt: parsing "{text}": invalid syntax'
        raise bad_request(message) from None


@dataclass(frozen=True, slots=True, kw_only=True)
class ListOptions:
    """What a list or watch asks for. `revision` is '' where none is given."""

    labels: str = ""
    fields: str = ""
    limit: int = 0
    continue_token: str = ""
    revision: str = ""
    match: str = ""
    watch: bool = False
    bookmarks: bool = False
    initial_events: bool | None = None
    timeout_seconds: int | None = None
    include_object: str = ""


def list_options(query: Query, *, watch: bool) -> ListOptions:
    """The options of a list or watch; raises ApiError."""
    watch = watch or flag(query, "watch")
    options = ListOptions(
        labels=first(query, "labelSelector"),
        fields=first(query, "fieldSelector"),
        limit=_number(query, "limit") or 0,
        continue_token=first(query, "continue"),
        revision=first(query, "resourceVersion"),
        match=first(query, "resourceVersionMatch"),
        watch=watch,
        bookmarks=flag(query, "allowWatchBookmarks"),
        initial_events=(
            flag(query, "sendInitialEvents") if "sendInitialEvents" in query else None
        ),
        timeout_seconds=_number(query, "timeoutSeconds"),
        include_object=first(query, "includeObject"),
    )
    causes = _watch_causes(options) if watch else _list_causes(options)
    if causes:
        raise invalid_options("ListOptions", causes)
    _check_revision(options)
    return options


def _check_revision(options: ListOptions) -> None:
    text = options.revision
    if not text or text.isdigit():
        return
    detail = (
        f'resourceVersion: Invalid value: "{text}": strconv.ParseUint: parsing '
        f'"{text}": invalid syntax'
    )
    if options.watch:
        raise internal(detail)
    raise bad_request(f"invalid resource version: {detail}")


def _list_causes(options: ListOptions) -> list[StatusCause]:
    field_name = "resourceVersionMatch"
    if options.initial_events is not None:
        return [
            forbidden_field(
                "sendInitialEvents", "sendInitialEvents is forbidden for list"
            )
        ]
    causes = []
    if options.match:
        if not options.revision:
            causes.append(
                forbidden_field(
                    field_name,
                    f"{field_name} is forbidden unless resourceVersion is provided",
                )
            )
        if options.continue_token:
            causes.append(
                forbidden_field(
                    field_name, f"{field_name} is forbidden when continue is provided"
                )
            )
        if options.match not in ("Exact", "NotOlderThan"):
            causes.append(
                unsupported(
                    field_name, f'"{options.match}"', ["Exact", "NotOlderThan", ""]
                )
            )
        if options.match == "Exact" and options.revision == "0":
            causes.append(
                forbidden_field(
                    field_name,
                    f'{field_name} "exact" is forbidden for resourceVersion "0"',
                )
            )
    return causes


def _watch_causes(options: ListOptions) -> list[StatusCause]:
    field_name = "resourceVersionMatch"
    causes = []
    if options.match:
        if options.initial_events is None:
            return [
                forbidden_field(
                    field_name,
                    f"{field_name} is forbidden for watch unless sendInitialEvents is "
                    "provided",
                )
            ]
        if options.match != "NotOlderThan":
            causes.append(
                forbidden_field(
                    field_name,
                    "sendInitialEvents requires setting resourceVersionMatch to "
                    "NotOlderThan",
                )
            )
            causes.append(
                unsupported(field_name, f'"{options.match}"', ["NotOlderThan"])
            )
    elif options.initial_events is not None:
        causes.append(
            forbidden_field(
                field_name,
                "sendInitialEvents requires setting resourceVersionMatch to "
                "NotOlderThan",
            )
        )
    return causes


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteOptions:
    """What a create, update or patch asks for besides its body."""

    manager: str
    dry_run: bool = False
    field_validation: str = "Warn"
    force: bool = False


def write_options(
    query: Query, kind: str, *, user_agent: str, apply: bool = False
) -> WriteOptions:
    """The options of a write; `kind` is CreateOptions, UpdateOptions, PatchOptions."""
    causes: list[StatusCause] = []
    manager = first(query, "fieldManager")
    if apply and not manager:
        causes.append(required("fieldManager", "is required for apply patch"))
    if kind == "PatchOptions" and not apply and "force" in query:
        causes.append(
            forbidden_field("force", "may not be specified for non-apply patch")
        )
    causes += _manager_causes(manager)
    dry_run, more = _dry_run(query.get("dryRun") or [])
    causes += more
    level = first(query, "fieldValidation")
    if level not in _LEVELS:
        causes.append(unsupported("fieldValidation", f'"{level}"', _LEVELS))
    if causes:
        raise invalid_options(kind, causes)
    return WriteOptions(
        manager=manager or user_agent.partition("/")[0][:128],
        dry_run=dry_run,
        field_validation=level or "Warn",
        force=flag(query, "force"),
    )


def _manager_causes(manager: str) -> list[StatusCause]:
    if len(manager.encode()) > 128:
        return [
            StatusCause(
                field="fieldManager",
                reason="FieldValueTooLong",
                message="Too long: may not be more than 128 bytes",
            )
        ]
    if manager and not manager.isprintable():
        return [
            invalid_value(
                "fieldManager",
                f'"{manager}"',
                "should only contain printable characters",
            )
        ]
    return []


def _dry_run(values: list[str]) -> tuple[bool, list[StatusCause]]:
    given = [one for one in values if one]
    if not given:
        return False, []
    if all(one == "All" for one in given):
        return True, []
    shown = "[" + ",".join(f'"{one}"' for one in given) + "]"
    return False, [unsupported("dryRun", shown, ["All"])]


@dataclass(frozen=True, slots=True, kw_only=True)
class DeleteOptions:
    """What a delete asks for, from its body or else its query."""

    propagation: str | None = None
    dry_run: bool = False
    grace_seconds: int | None = None
    preconditions: Mapping[str, str] = field(default_factory=dict)


def delete_options(query: Query, body: Mapping[str, Any] | None) -> DeleteOptions:
    """The options of a delete; a body, where there is one, is what counts."""
    if body is not None:
        values: Mapping[str, Any] = body
        dry_runs = list(body.get("dryRun") or [])
        orphan = body.get("orphanDependents")
        grace = body.get("gracePeriodSeconds")
    else:
        values = {"propagationPolicy": first(query, "propagationPolicy") or None}
        dry_runs = list(query.get("dryRun") or [])
        orphan = (
            flag(query, "orphanDependents") if "orphanDependents" in query else None
        )
        grace = _number(query, "gracePeriodSeconds")
    dry_run, causes = _dry_run(dry_runs)
    policy = values.get("propagationPolicy")
    if orphan is not None and policy:
        causes.append(
            invalid_value(
                "propagationPolicy",
                f'"{policy}"',
                "orphanDependents and deletionPropagation cannot be both set",
            )
        )
    elif policy is not None and policy not in _POLICIES[:3]:
        causes.append(unsupported("propagationPolicy", f'"{policy}"', _POLICIES))
    if causes:
        raise invalid_options("DeleteOptions", causes)
    if orphan is not None:
        policy = "Orphan" if orphan else "Background"
    return DeleteOptions(
        propagation=policy,
        dry_run=dry_run,
        grace_seconds=grace,
        preconditions=values.get("preconditions") or {},
    )
