"""Since which commit environments are as they are at the branch's head.

That commit is the revision's own: people named it when they approved, and the daemon
named it when it asked. Looked for from the head back, and no further than needed.
"""

from collections.abc import Mapping
from dataclasses import dataclass, replace

from gitops_wf.core.identifiers import EnvironmentId, Sha
from gitops_wf.ports.git import GitRepository
from gitops_wf.ports.store import EnvironmentRecord
from gitops_wf.services.folders import with_inputs
from gitops_wf.services.make_revision import MakeRevision, Snapshot

_FIRST_PART = 256
"""Commits that are compared before it is asked again who is still without one."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origins:
    """Looks in one repository."""

    git: GitRepository
    make: MakeRevision

    def find(
        self,
        head: Sha,
        wanted: Mapping[EnvironmentId, tuple[EnvironmentRecord, Snapshot]],
    ) -> dict[EnvironmentId, Sha]:
        """Return the first-parent commit that last changed each one's inputs."""
        found: dict[EnvironmentId, Sha] = {}
        left = dict(wanted)
        at, size = head, _FIRST_PART
        while left:
            paths = sorted({path for _, shot in left.values() for path in shot.paths})
            # Asked anew for those that are left: one that never changed must not cost
            # a comparison of every commit that changed another.
            commits = self.git.first_parents(at, paths)
            part = commits[:size]
            for environment, origin in self._among(part, left).items():
                found[environment] = origin
                del left[environment]
            if len(part) == len(commits):
                break
            at, size = commits[size], size * 2
        # Inputs of nothing at all: as old as the branch.
        found.update(dict.fromkeys(left, self.git.first_parents(head, [""])[-1]))
        return found

    def _among(
        self,
        commits: tuple[Sha, ...],
        left: Mapping[EnvironmentId, tuple[EnvironmentRecord, Snapshot]],
    ) -> dict[EnvironmentId, Sha]:
        found: dict[EnvironmentId, Sha] = {}
        infos = self.git.commits(commits)
        pairs = [(c.parents[0] if c.parents else None, c.sha) for c in infos]
        touched = with_inputs(
            replace(record, paths=shot.paths) for record, shot in left.values()
        )
        for (parent, sha), changes in zip(
            pairs, self.git.changes_of(pairs), strict=True
        ):
            for environment in touched(changes) - set(found):
                record, shot = left[environment]
                before = parent and self.make.digest(record, parent, shot)
                if before != shot.inputs:
                    found[environment] = sha
        return found
