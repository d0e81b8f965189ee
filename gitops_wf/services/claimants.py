"""Which environments may be about to take over what another one leaves on a target."""

from collections.abc import Sequence

from gitops_wf.core.engine.claiming import claims, is_to_claim
from gitops_wf.core.identifiers import (
    EnvironmentId,
    Sha,
    TargetName,
    repository_name,
)
from gitops_wf.core.phases import Phase
from gitops_wf.core.revision import Revision
from gitops_wf.ports.store import Reader

_NEWEST = 50
"""Revisions that are looked through for a commit of both environments."""


def claimants(
    reader: Reader, environment: EnvironmentId, target: TargetName
) -> Sequence[EnvironmentId]:
    """Return those that share a commit with it which neither has released, by id.

    Of these, whoever goes on by itself to a claim that it has not made: what waits for
    an approval, another environment or the end of a pause may do so for days.
    """
    repository = repository_name(environment)
    others = [
        each
        for each in reader.unfinished_revisions()
        if each.environment != environment
        and repository_name(each.environment) == repository
        and _is_coming(reader, each, target)
    ]
    if not others:
        return ()
    mine = _unreleased(reader, environment)
    found = {each.environment for each in others}
    return sorted(each for each in found if mine & _unreleased(reader, each))


def _is_coming(reader: Reader, revision: Revision, target: TargetName) -> bool:
    run = reader.active_run(revision.environment)
    if run is not None and run.subject.number == revision.number:
        return is_to_claim(run, target)
    if revision.reason or revision.workflow is None:
        return False
    # It stands in line: behind a run that waits for an approval it may stand for days.
    is_stuck = run is not None and run.phase is Phase.SUSPENDED
    return not is_stuck and claims(revision.workflow, target)


def _unreleased(reader: Reader, environment: EnvironmentId) -> frozenset[Sha]:
    """Return the commits since the one that it released last."""
    released = reader.released(environment)
    last = 0 if released is None else released.number
    return frozenset(
        each.commit
        for each in reader.revisions(environment, limit=_NEWEST)
        if each.number > last
    )
