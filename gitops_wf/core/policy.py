"""Who may decide, how many it takes, and what a gate asks for.

A repository's own files may only tighten what the daemon config says; `tighten`
is the one place where the two meet.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum

from gitops_wf.core.identifiers import TargetName


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


def tighten(outer: Policy, inner: Policy) -> Policy:
    """Return what both demand: the outer rule, never loosened by the inner."""
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
