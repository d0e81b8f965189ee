"""What annotations of an object ask of its delivery: ours, Flux's, Argo CD's, Helm's.

Flux's `ssa`, `force`, `prune` and `reconcile` mean here what they mean there, and ours
of the same names come before them. Of Argo CD's sync options those that can mean
something here do; the others are known, so that a typo is told from them.

https://fluxcd.io/flux/components/kustomize/kustomizations/#controlling-the-apply-behavior-of-resources
https://argo-cd.readthedocs.io/en/stable/user-guide/sync-options/
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from enum import StrEnum

from gitops_wf.core.errors import cut
from gitops_wf.core.inventory import Manifest, annotations_of
from gitops_wf.delivery.hooks import Hook, Turn, hook_of
from gitops_wf.delivery.names import (
    FORCE_ANNOTATIONS,
    PRUNE_ANNOTATIONS,
    RECONCILE_ANNOTATIONS,
    SSA_ANNOTATIONS,
    SYNC_OPTIONS,
)


class Skip(StrEnum):
    """When an object is left alone."""

    NEVER = "never"
    IF_PRESENT = "if present"
    ALWAYS = "always"


@dataclass(frozen=True, slots=True, kw_only=True)
class Marks:
    """How one object is applied.

    ``recreates`` deletes it where a field cannot change. ``forces_conflicts`` takes
    fields from any manager, ``takes_over`` those that client-side apply has set.
    ``why`` is the annotation that says when to skip. ``hook`` is that of a hook.
    """

    skip: Skip = Skip.NEVER
    recreates: bool = False
    forces_conflicts: bool = False
    takes_over: bool = True
    why: str = ""
    hook: Hook | None = None


PLAIN = Marks()
"""What an object without any such annotation asks."""

_YES, _NO = frozenset({"enabled", "true"}), frozenset({"disabled", "false"})
_SWITCH = frozenset({"true", "false"})
_CONFIRMED = _SWITCH | {"confirm"}
_OPTIONS: Mapping[str, frozenset[str]] = {
    "ApplyOutOfSyncOnly": _SWITCH,
    "ClientSideApplyMigration": _SWITCH,
    "CreateNamespace": _SWITCH,
    "Delete": _CONFIRMED,
    "FailOnSharedResource": _SWITCH,
    "Force": _SWITCH,
    "Prune": _CONFIRMED,
    "PruneLast": _SWITCH,
    "PrunePropagationPolicy": frozenset({"foreground", "background", "orphan"}),
    "Replace": _SWITCH,
    "RespectIgnoreDifferences": _SWITCH,
    "ServerSideApply": _SWITCH,
    "SkipDryRunOnMissingResource": _SWITCH,
    "Validate": _SWITCH,
}
_POLICIES = {
    "override": Marks(forces_conflicts=True),
    "merge": Marks(forces_conflicts=True, takes_over=False),
    "ifnotpresent": Marks(skip=Skip.IF_PRESENT),
    "ignore": Marks(skip=Skip.ALWAYS),
}


def marks_of(manifest: Manifest) -> Marks:
    """Return what an object of Git asks. Errors: ValueError, with the mend."""
    written = _written(manifest)
    if not any("/" in name for name in written):
        return PLAIN
    _one_of(written, PRUNE_ANNOTATIONS, _YES | _NO | {"allowed"})
    _one_of(written, RECONCILE_ANNOTATIONS, _YES | _NO)
    options = dict(_options(written))
    policy, why = _policy(written)
    hook = hook_of(annotations_of(manifest))
    if hook is not None and hook.turn is Turn.NEVER:
        policy, why = _POLICIES["ignore"], hook.why
    return Marks(
        skip=policy.skip,
        recreates=_one_of(written, FORCE_ANNOTATIONS, _YES | _NO) in _YES
        or options.get("Force") == "true",
        forces_conflicts=policy.forces_conflicts or options.get("Replace") == "true",
        takes_over=policy.takes_over
        and options.get("ClientSideApplyMigration") != "false",
        why=why,
        hook=hook,
    )


def frozen_because(live: Manifest) -> str:
    """Return the mark by which somebody keeps a live object from us, or nothing."""
    written = _written(live)
    for name in RECONCILE_ANNOTATIONS:
        if written.get(name, "").lower() in _NO:
            return f"{name}: {cut(written[name])}"
    return ""


def kept_by_mark(live: Manifest) -> str:
    """Return the mark that keeps a live object from being pruned, or nothing."""
    written = _written(live)
    for name in PRUNE_ANNOTATIONS:
        if written.get(name, "").lower() in _NO:
            return f"{name}: {cut(written[name])}"
    for option in written.get(SYNC_OPTIONS, "").split(","):
        if option.strip() in {"Prune=false", "Prune=confirm"}:
            return f"{SYNC_OPTIONS}: {option.strip()}"
    return frozen_because(live)


def _written(manifest: Manifest) -> dict[str, str]:
    """Return annotations and labels: Flux reads its marks from either."""
    labels = (manifest.get("metadata") or {}).get("labels") or {}
    both = {**labels, **annotations_of(manifest)}
    return {name: str(value) for name, value in both.items()}


def _policy(written: Mapping[str, str]) -> tuple[Marks, str]:
    for name in SSA_ANNOTATIONS:
        if name in written:
            policy = _POLICIES.get(written[name].lower())
            if policy is None:
                raise ValueError(
                    f"{name}: {cut(written[name])} is none of Override, Merge, "
                    "IfNotPresent, Ignore"
                )
            return policy, f"{name}: {written[name]}"
    return PLAIN, ""


def _one_of(
    written: Mapping[str, str], names: tuple[str, ...], known: frozenset[str]
) -> str:
    """Return the first of these marks that is written, in lower case."""
    found = ""
    for name in names:
        if name not in written:
            continue
        value = written[name].lower()
        if value not in known:
            raise ValueError(
                f"{name}: {cut(written[name])} is none of {', '.join(sorted(known))}"
            )
        found = found or value
    return found


def _options(written: Mapping[str, str]) -> Iterator[tuple[str, str]]:
    for option in written.get(SYNC_OPTIONS, "").split(","):
        name, _, value = option.strip().partition("=")
        if not name:
            continue
        known = _OPTIONS.get(name)
        if known is None:
            raise ValueError(
                f"{SYNC_OPTIONS}: {cut(name)} is no sync option of an object; known: "
                + ", ".join(_OPTIONS)
            )
        if value not in known:
            raise ValueError(
                f"{SYNC_OPTIONS}: {name}={cut(value)} is none of "
                + ", ".join(f"{name}={each}" for each in sorted(known))
            )
        yield name, value
