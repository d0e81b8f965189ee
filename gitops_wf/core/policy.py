"""Who may decide, how many it takes, and what a gate asks for.

A repository's own files may only tighten what the daemon config says; `tighten`
is the one place where the two meet.
"""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from enum import StrEnum
from fnmatch import fnmatchcase

from gitops_wf.core.freeze import Window
from gitops_wf.core.identifiers import EnvironmentId, TargetName, environment_name


class Identity(StrEnum):
    """How sure it is who decided: as the commit claims, or as it is signed."""

    AUTHOR = "author"
    SIGNATURE = "signature"


class OnRollback(StrEnum):
    """Whether a rollback, too, must wait at a gate."""

    REQUIRED = "required"
    WAIVED = "waived"


_LEVEL = {Identity.AUTHOR: 0, Identity.SIGNATURE: 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class Policy:
    """Who may approve. ``approvers`` are e-mail addresses, groups resolved.

    None means that any author may approve, and that is stated wherever the
    policy is shown. ``allow_author`` false bars everybody who wrote a commit
    of the revision since the last released one.
    """

    approvers: tuple[str, ...] | None = None
    min_approvals: int = 1
    allow_author: bool = True
    identity: Identity = Identity.AUTHOR
    bots: tuple[str, ...] = ()

    def admits(self, person: str) -> bool:
        """Whether this person may decide at all."""
        if self.approvers is None:
            return True
        return person.casefold() in {name.casefold() for name in self.approvers}


@dataclass(frozen=True, slots=True, kw_only=True)
class Gate:
    """A policy of the daemon config that holds each write to a target."""

    target: TargetName
    policy: Policy
    rollback: OnRollback = OnRollback.REQUIRED


@dataclass(frozen=True, slots=True, kw_only=True)
class Freeze:
    """Windows of the daemon config that hold each write to a target.

    ``name`` says where it stands, for verdicts. ``override`` is whose approval of a
    step lets it write all the same; None: nobody's.
    """

    name: str
    windows: tuple[Window, ...]
    holds_rollbacks: bool = False
    override: Policy | None = None

    def on(self, target: TargetName) -> "Freeze | None":
        """Return it with the windows that are for a target, if there are any."""
        windows = tuple(w for w in self.windows if w.is_for(target))
        return replace(self, windows=windows) if windows else None


def tighten(outer: Policy, inner: Policy) -> Policy:
    """Return what both demand: the outer rule, never loosened by the inner.

    Only the outer rule lists bots: to be listed is a permission, and no demand.
    """
    if outer.approvers is None:
        approvers = inner.approvers
    elif inner.approvers is None:
        approvers = outer.approvers
    else:
        known = {name.casefold() for name in outer.approvers}
        approvers = tuple(n for n in inner.approvers if n.casefold() in known)
    return Policy(
        approvers=approvers,
        min_approvals=max(outer.min_approvals, inner.min_approvals),
        allow_author=outer.allow_author and inner.allow_author,
        identity=max(outer.identity, inner.identity, key=_LEVEL.__getitem__),
        bots=outer.bots,
    )


def is_quorum(policy: Policy, people: Iterable[str]) -> bool:
    """Whether these approvals, each person counted once, are enough."""
    return len({person.casefold() for person in people}) >= policy.min_approvals


def satisfies(needed: Identity, evidence: Identity) -> bool:
    """Whether evidence of one level is enough where another is needed."""
    return _LEVEL[evidence] >= _LEVEL[needed]


@dataclass(frozen=True, slots=True, kw_only=True)
class PolicyRule:
    """What the daemon config says of the environments whose name matches a glob.

    ``targets`` are those that they may use; None allows all.
    """

    environments: tuple[str, ...]
    policy: Policy = Policy()
    targets: tuple[str, ...] | None = None
    freeze: Freeze | None = None

    def applies_to(self, environment: EnvironmentId) -> bool:
        """Whether a glob matches the name, or the name with its repository's.

        Both, since every rule that applies can only tighten.
        """
        names = (environment, environment_name(environment))
        return any(fnmatchcase(n, glob) for n in names for glob in self.environments)


@dataclass(frozen=True, slots=True, kw_only=True)
class Rulebook:
    """All policies and gates of the daemon config; every matching rule counts."""

    rules: tuple[PolicyRule, ...] = ()
    gates: Mapping[TargetName, Gate] = field(default_factory=dict)

    def policy_for(self, environment: EnvironmentId) -> Policy:
        """Return what all rules for an environment demand together.

        They are the daemon config's own, so each may list bots.
        """
        policy = Policy()
        bots: dict[str, None] = {}
        for rule in self.rules:
            if rule.applies_to(environment):
                policy = tighten(policy, rule.policy)
                bots.update(dict.fromkeys(rule.policy.bots))
        return replace(policy, bots=tuple(bots))

    def may_use(self, environment: EnvironmentId, target: TargetName) -> bool:
        """Whether an environment may name a target at all."""
        return all(
            rule.targets is None or any(fnmatchcase(target, g) for g in rule.targets)
            for rule in self.rules
            if rule.applies_to(environment)
        )

    def gates_for(self, targets: Iterable[TargetName]) -> tuple[Gate, ...]:
        """Return the gates of these targets."""
        return tuple(self.gates[t] for t in dict.fromkeys(targets) if t in self.gates)

    def freezes_for(
        self, environment: EnvironmentId, targets: Iterable[TargetName]
    ) -> tuple[Freeze, ...]:
        """Return what may freeze an environment's writes to these targets.

        Each rule's windows are judged on their own, so that one rule's ``allow``
        opens nothing that another keeps shut.
        """
        wanted = tuple(dict.fromkeys(targets))
        found = [
            frozen
            for rule in self.rules
            if rule.freeze is not None and rule.applies_to(environment)
            for target in wanted
            if (frozen := rule.freeze.on(target)) is not None
        ]
        return tuple(dict.fromkeys(found))
