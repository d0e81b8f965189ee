"""Health of custom kinds by CEL rules, which are data: shipped ones and a user's.

A rule is found by API group and kind; the version does not matter. The more exact one
wins, and of two that are equally exact the user's:

1. the group and the kind;
2. the group, for all its kinds;
3. the end of the group (`*.services.k8s.aws`), with the kind, then without; the longer
   end first.

Its expressions are asked in the order suspended, inProgress, failed, current; the first
that is true decides, and where none is the object is in progress. That is Flux's order
(fluxcd/pkg runtime/cel), with `suspended` before it. They see `spec`, `status` and
`metadata`, and `conditions`: the conditions of the status by their type. A condition
that was observed at another generation of the object is left out of it. What a
condition of a rule reads and is not there makes it false; a rule that cannot be
evaluated gives Unknown, with its name.
"""

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any

from gitops_wf.core.expressions import Expression, ExpressionError, Scope, parse
from gitops_wf.core.expressions.absent import guarded, guarded_value
from gitops_wf.core.health.status import (
    CURRENT,
    Health,
    HealthStatus,
    failed,
    in_progress,
    observed_conditions,
    part,
    said,
    suspended,
    unknown,
)
from gitops_wf.core.inventory import Manifest

SCOPE = Scope(
    roots=frozenset({"spec", "status", "metadata", "conditions"}), is_of_run=False
)
"""What an expression of a rule may read."""

_SUFFIX = "*."


@dataclass(frozen=True, slots=True, kw_only=True)
class HealthRule:
    """How objects of a kind are judged; all texts are CEL.

    ``group`` may be ``*.`` and the end of a group; an empty ``kind`` is all kinds of
    the group. ``message`` are texts of which the first that is not empty explains
    InProgress and Failed, ``suspended_message`` the same for Suspended. ``origin`` is
    ``path:line`` of a user's rule.
    """

    group: str
    kind: str = ""
    suspended: str = ""
    in_progress: str = ""
    failed: str = ""
    current: str
    message: tuple[str, ...] = ()
    suspended_message: tuple[str, ...] = ()
    origin: str = ""

    @property
    def name(self) -> str:
        """``cert-manager.io/Certificate``; ``*`` for all kinds of a group."""
        return f"{self.group}/{self.kind or '*'}"

    def conditions(self) -> dict[Health, str]:
        """Return the conditions that it has, in the order in which they are asked."""
        asked = {
            Health.SUSPENDED: self.suspended,
            Health.IN_PROGRESS: self.in_progress,
            Health.FAILED: self.failed,
            Health.CURRENT: self.current,
        }
        return {health: text for health, text in asked.items() if text}

    def paused(self, manifest: Manifest) -> HealthStatus | None:
        """Return Suspended where it would be so without any status.

        What its spec or metadata pauses may not be looked at any more, so that the
        generation that paused it is never observed: this is asked before that.
        """
        if not self.suspended:
            return None
        asked = {"spec": manifest.get("spec"), "metadata": manifest.get("metadata")}
        try:
            condition = parse_rule_condition(self.suspended)
            if not condition.evaluate_bool(variables_of(asked)):
                return None
        except ExpressionError as exc:
            return self._unknown(Health.SUSPENDED, exc)
        return self._told(Health.SUSPENDED, variables_of(manifest))

    def judge(self, manifest: Manifest) -> HealthStatus:
        """Return the health of an object whose generation was observed."""
        variables = variables_of(manifest)
        for health, text in self.conditions().items():
            try:
                if parse_rule_condition(text).evaluate_bool(variables):
                    return self._told(health, variables)
            except ExpressionError as exc:
                return self._unknown(health, exc)
        return self._told(Health.IN_PROGRESS, variables)

    def _told(self, health: Health, variables: Mapping[str, Any]) -> HealthStatus:
        match health:
            case Health.CURRENT:
                return CURRENT
            case Health.SUSPENDED:
                text = _first_text(self.suspended_message, variables)
                return suspended(text or "paused on purpose")
            case Health.FAILED:
                text = _first_text(self.message, variables)
                return failed(text or f"failed by health rule {self.name}")
            case _ if not variables["status"]:
                return in_progress("its controller has set no status yet")
            case _:
                text = _first_text(self.message, variables)
                return in_progress(
                    text or f"not current yet by health rule {self.name}"
                )

    def _unknown(self, health: Health, exc: ExpressionError) -> HealthStatus:
        where = f" ({self.origin})" if self.origin else ""
        field_name = FIELDS[health]
        return unknown(
            f"health rule {self.name}{where} cannot be evaluated: {field_name}: "
            f"{exc.message}"
        )


FIELDS: Mapping[Health, str] = {
    Health.SUSPENDED: "suspended",
    Health.IN_PROGRESS: "inProgress",
    Health.FAILED: "failed",
    Health.CURRENT: "current",
}
"""What a rule's conditions are called in YAML."""


@dataclass(frozen=True, slots=True)
class HealthRules:
    """The rules that hold: a user's before those that are shipped."""

    shipped: tuple[HealthRule, ...] = ()
    users: tuple[HealthRule, ...] = ()
    _by_name: Mapping[tuple[str, str], HealthRule] = field(
        init=False, repr=False, compare=False
    )
    _ends: tuple[str, ...] = field(init=False, repr=False, compare=False)
    _of_users: frozenset[tuple[str, str]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        # Of two of the same name the later one holds.
        rules = (*self.shipped, *self.users)
        by_name = {(rule.group, rule.kind): rule for rule in rules}
        ends = {group for group, _ in by_name if group.startswith(_SUFFIX)}
        object.__setattr__(self, "_by_name", by_name)
        object.__setattr__(self, "_ends", tuple(sorted(ends, key=len, reverse=True)))
        of_users = frozenset((rule.group, rule.kind) for rule in self.users)
        object.__setattr__(self, "_of_users", of_users)

    def find(self, group: str, kind: str) -> HealthRule | None:
        """Return the most exact rule for a kind, or None."""
        ends = [end for end in self._ends if f".{group}".endswith(end[1:])]
        for name in (group, *ends):
            for of_kind in (kind, ""):
                rule = self._by_name.get((name, of_kind))
                if rule is not None:
                    return rule
        return None

    def overrides(self, group: str, kind: str) -> HealthRule | None:
        """Return a user's rule for exactly this kind, which may be a built-in one."""
        key = (group, kind)
        return self._by_name[key] if key in self._of_users else None

    def __iter__(self) -> Iterator[HealthRule]:
        """The rules that hold, by group and kind."""
        return iter(sorted(self._by_name.values(), key=lambda rule: rule.name))


NO_RULES = HealthRules()


def parse_rule_condition(text: str) -> Expression:
    """Read a condition of a rule; raises ExpressionError."""
    return parse(text, scope=SCOPE, guard=guarded)


def parse_rule_message(text: str) -> Expression:
    """Read a message of a rule; raises ExpressionError."""
    return parse(text, scope=SCOPE, guard=guarded_value)


def _first_text(texts: Iterable[str], variables: Mapping[str, Any]) -> str:
    for text in texts:
        try:
            value = parse_rule_message(text).evaluate(variables)
        except ExpressionError:
            # It reads what is not there: the next one may have more to say.
            continue
        if value not in {None, ""}:
            return str(value)
    return ""


def variables_of(manifest: Manifest) -> Mapping[str, Any]:
    """Return what an expression of a rule sees of an object."""
    return {
        "spec": part(manifest, "spec"),
        "status": part(manifest, "status"),
        "metadata": part(manifest, "metadata"),
        "conditions": {
            kind: {**entry, "text": said(entry)}
            for kind, entry in observed_conditions(manifest).items()
        },
    }
