"""Hooks of Helm charts: when each comes, as waves around all other objects.

Helm runs them before and after an install or an upgrade, and a delivery is both. What
Helm runs at a deletion, a rollback or a test is never applied: a `pre-delete` Job may
delete data. Argo CD maps them alike.

https://helm.sh/docs/topics/charts_hooks/
https://argo-cd.readthedocs.io/en/stable/user-guide/helm/#helm-hooks
"""

from collections.abc import Mapping
from enum import StrEnum

from gitops_wf.core.errors import cut
from gitops_wf.delivery.names import HOOK, HOOK_POLICY, HOOK_WEIGHT

_BEFORE = frozenset({"pre-install", "pre-upgrade"})
_AFTER = frozenset({"post-install", "post-upgrade"})
_NEVER = frozenset(
    {
        *("pre-delete", "post-delete", "pre-rollback", "post-rollback"),
        *("test", "test-success", "test-failure"),
    }
)
_KNOWN = _BEFORE | _AFTER | _NEVER | {"crd-install"}
_FAR = 1_000_000
"""Further out than any sync wave that a person writes."""


class Turn(StrEnum):
    """When a hook comes."""

    BEFORE = "before"
    AFTER = "after"
    NEVER = "never"


def turn_of(annotations: Mapping[str, object]) -> Turn | None:
    """Return when a hook comes; None for what is none.

    Errors: ValueError for a hook that Helm does not know.
    """
    text = str(annotations.get(HOOK) or "")
    hooks = {each.strip() for each in text.split(",") if each.strip()}
    unknown = hooks - _KNOWN
    if unknown:
        raise ValueError(
            f"{HOOK}: {cut(min(unknown), 64)} is none of " + ", ".join(sorted(_KNOWN))
        )
    if not hooks or "crd-install" in hooks:
        return None
    if hooks & _BEFORE:
        return Turn.BEFORE
    return Turn.AFTER if hooks & _AFTER else Turn.NEVER


def hook_wave(annotations: Mapping[str, object]) -> int | None:
    """Return the wave of a hook by its weight; None for what is no such hook.

    Errors: ValueError.
    """
    turn = turn_of(annotations)
    if turn is None or turn is Turn.NEVER:
        return None
    text = str(annotations.get(HOOK_WEIGHT) or "0")
    try:
        weight = int(text)
    except ValueError as exc:
        raise ValueError(
            f"{HOOK_WEIGHT} must be a whole number, not {cut(text, 64)!r}"
        ) from exc
    return weight - _FAR if turn is Turn.BEFORE else weight + _FAR


def is_made_anew(annotations: Mapping[str, object]) -> bool:
    """Whether a hook that changed is deleted first: Helm's default for its hooks."""
    policy = str(annotations.get(HOOK_POLICY) or "before-hook-creation")
    return bool(annotations.get(HOOK)) and "before-hook-creation" in policy
