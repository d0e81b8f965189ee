"""Since which commit environments are as they are at the branch's head.

That commit is the revision's own: people named it when they approved, and the daemon
named it when it asked. Looked for from the head back, and no further than needed.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from gitops_wf.core.identifiers import EnvironmentId, Sha
from gitops_wf.ports.git import GitRepository
from gitops_wf.ports.store import EnvironmentRecord
from gitops_wf.services.folders import with_inputs
from gitops_wf.services.read_revision import ReadRevision, Snapshot

_PART = 256
"""Commits that are compared before it is asked again who is still without one."""

_FEW = 16
"""So few paths are left to git: with a thousand it takes minutes for 5,000 commits."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Origins:
    """Looks in one repository."""

    git: GitRepository
    make: ReadRevision

    def find(
        self,
        chain: Sequence[Sha],
        wanted: Mapping[EnvironmentId, tuple[EnvironmentRecord, Snapshot]],
    ) -> dict[EnvironmentId, Sha]:
        """Return the first-parent commit that last changed each one's inputs.

        ``chain`` leads to the head, oldest first.
        """
        found: dict[EnvironmentId, Sha] = {}
        left = dict(wanted)
        commits = chain[::-1]
        is_narrow = False
        while left and commits:
            paths = {path for _, shot in left.values() for path in shot.paths}
            if not is_narrow and len(paths) <= _FEW:
                commits = self.git.first_parents(commits[0], sorted(paths))
                is_narrow = True
            part, commits = commits[:_PART], commits[_PART:]
            for environment, origin in self._among(part, left).items():
                found[environment] = origin
                del left[environment]
        # Inputs of nothing at all: as old as the branch.
        return found | dict.fromkeys(left, chain[0])

    def _among(
        self,
        commits: Sequence[Sha],
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
