"""Hooks of Argo CD and of Helm charts: when each comes, and when it goes.

Both run hooks before and after all other objects, at each sync, install or upgrade; a
delivery is all of these. A hook is an object here as any other, in a wave of its own,
and the object is what remembers that it ran: while it is there and as Git has it, it is
not run again. What runs at a deletion, a rollback, a test or after a failure is never
applied: a `PostDelete` Job may delete data.

https://argo-cd.readthedocs.io/en/stable/user-guide/resource_hooks/
https://argo-cd.readthedocs.io/en/stable/user-guide/sync-waves/
https://helm.sh/docs/topics/charts_hooks/
https://argo-cd.readthedocs.io/en/stable/user-guide/helm/#helm-hooks
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from gitops_wf.core.errors import cut
from gitops_wf.delivery.names import (
    ARGO_HOOK,
    ARGO_HOOK_POLICY,
    HELM_HOOK,
    HELM_HOOK_POLICY,
    HELM_HOOK_WEIGHT,
    SYNC_WAVE,
)

_FAR = 1_000_000
"""Further out than any sync wave that a person writes."""


class Turn(StrEnum):
    """When a hook comes: among the others is by its sync wave."""

    BEFORE = "before"
    AMONG = "among"
    AFTER = "after"
    NEVER = "never"


class Policy(StrEnum):
    """When a hook is deleted, in Argo CD's words."""

    BEFORE_CREATION = "BeforeHookCreation"
    SUCCEEDED = "HookSucceeded"
    FAILED = "HookFailed"


_ARGO = {
    "PreSync": Turn.BEFORE,
    "Sync": Turn.AMONG,
    "PostSync": Turn.AFTER,
    **dict.fromkeys(("PostDelete", "PreDelete", "Skip", "SyncFail"), Turn.NEVER),
}
_HELM = {
    **dict.fromkeys(("pre-install", "pre-upgrade"), Turn.BEFORE),
    **dict.fromkeys(("post-install", "post-upgrade"), Turn.AFTER),
    **dict.fromkeys(
        (
            *("pre-delete", "post-delete", "pre-rollback", "post-rollback"),
            *("test", "test-success", "test-failure"),
        ),
        Turn.NEVER,
    ),
    "crd-install": None,
}
_UPGRADES = frozenset({"pre-upgrade", "post-upgrade"})
_ARGO_POLICIES = {str(policy): policy for policy in Policy}
_HELM_POLICIES = {
    "before-hook-creation": Policy.BEFORE_CREATION,
    "hook-succeeded": Policy.SUCCEEDED,
    "hook-failed": Policy.FAILED,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Hook:
    """An object that is a hook; ``why`` is the annotation that makes it one."""

    turn: Turn
    policies: frozenset[Policy]
    why: str

    @property
    def runs_when_changed(self) -> bool:
        """Whether one that is there and differs is deleted, and made anew."""
        return Policy.BEFORE_CREATION in self.policies

    @property
    def runs_when_failed(self) -> bool:
        """Whether one that is there and failed is made anew, changed or not."""
        return not self.policies.isdisjoint({Policy.BEFORE_CREATION, Policy.FAILED})

    @property
    def goes(self) -> bool:
        """Whether it is deleted when all is done; the next revision runs it anew."""
        return Policy.SUCCEEDED in self.policies


def hook_of(annotations: Mapping[str, object]) -> Hook | None:
    """Return what kind of hook an object is; None for what is none.

    Where Argo CD's annotation and Helm's both stand, Argo CD's counts. Errors:
    ValueError for a word that neither knows, and for two phases of one object.
    """
    words = _words(annotations, ARGO_HOOK, _ARGO)
    name, turn = ARGO_HOOK, _argo_turn(words)
    if not words:
        name, words = HELM_HOOK, _words(annotations, HELM_HOOK, _HELM)
        turn = _helm_turn(words)
    if turn is None:
        return None
    policies = _policies(annotations)
    if name == HELM_HOOK and not words & _UPGRADES:
        # Helm runs it once, at the install: while it is there, nothing runs it again.
        policies -= {Policy.SUCCEEDED}
    return Hook(
        turn=turn, policies=policies, why=f"{name}: {cut(str(annotations[name]))}"
    )


def _policies(annotations: Mapping[str, object]) -> frozenset[Policy]:
    """Return the delete policies, Argo CD's before Helm's; both have one default."""
    for name, known in (
        (ARGO_HOOK_POLICY, _ARGO_POLICIES),
        (HELM_HOOK_POLICY, _HELM_POLICIES),
    ):
        words = _words(annotations, name, known)
        if words:
            return frozenset(known[word] for word in words)
    return frozenset({Policy.BEFORE_CREATION})


def wave_of(annotations: Mapping[str, object]) -> int:
    """Return the wave that an object's annotations put it into; 0 where none does.

    Hooks before and after all else are far away from it, ordered among themselves by
    their sync wave, or else Helm's weight. Errors: ValueError.
    """
    hook = hook_of(annotations)
    name = SYNC_WAVE
    if hook is not None and not annotations.get(SYNC_WAVE):
        name = HELM_HOOK_WEIGHT
    text = str(annotations.get(name) or "0")
    try:
        wave = int(text)
    except ValueError as exc:
        raise ValueError(
            f"{name} must be a whole number, not {cut(text, 64)!r}"
        ) from exc
    match hook.turn if hook is not None else Turn.AMONG:
        case Turn.BEFORE:
            return wave - _FAR
        case Turn.AFTER:
            return wave + _FAR
        case Turn.AMONG:
            return wave
        case Turn.NEVER:
            return 0


def _words(
    annotations: Mapping[str, object], name: str, known: Mapping[str, object]
) -> frozenset[str]:
    text = str(annotations.get(name) or "")
    words = frozenset(each.strip() for each in text.split(",") if each.strip())
    unknown = words - known.keys()
    if unknown:
        raise ValueError(
            f"{name}: {cut(min(unknown), 64)} is none of " + ", ".join(sorted(known))
        )
    return words


def _argo_turn(words: frozenset[str]) -> Turn | None:
    """Return the one phase in which it runs, if there is any.

    `Skip` beside another means nothing, as in Argo CD.
    """
    turns = {word: _ARGO[word] for word in words if _ARGO[word] is not Turn.NEVER}
    if len(turns) > 1:
        raise ValueError(
            f"{ARGO_HOOK}: {', '.join(sorted(turns))}: an object runs in one phase "
            "only: give each phase an object of its own name"
        )
    if turns:
        return next(iter(turns.values()))
    return Turn.NEVER if words else None


def _helm_turn(words: frozenset[str]) -> Turn | None:
    turns = {_HELM[word] for word in words}
    # An install and an upgrade are one delivery, which cannot come before and after.
    order = (None, Turn.BEFORE, Turn.AFTER, Turn.NEVER)
    return next((turn for turn in order if turn in turns), None)
