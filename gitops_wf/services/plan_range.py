"""The commits that the branch would get, read once for all environments."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Self

from gitops_wf.core.commit import PathChange
from gitops_wf.core.identifiers import Sha
from gitops_wf.ports.git import GitRepository
from gitops_wf.services.folders import prefixes


@dataclass(frozen=True, slots=True, kw_only=True)
class CommitRange:
    """What lies between the branch as it is and as it would be.

    ``commit`` is its end, ``changes`` is what differs; ``touched`` are the files that
    each commit of the branch changes, with all folders above them.
    """

    commit: Sha
    changes: tuple[PathChange, ...]
    touched: tuple[frozenset[str], ...]

    @classmethod
    def read(cls, git: GitRepository, base: Sha, commit: Sha) -> Self:
        """Return it; a merge is one commit of the branch, against its first parent."""
        commits = git.walk(base, commit).commits
        each = git.changes_of([(one.first_parent, one.sha) for one in commits])
        return cls(
            commit=commit,
            changes=git.changes(base, commit),
            touched=tuple(
                frozenset(path for change in one for path in prefixes(change.path))
                for one in each
            ),
        )

    def count(self, paths: Sequence[str]) -> int:
        """Return how many of its commits change one of these files and folders."""
        wanted = frozenset(paths)
        return sum(not wanted.isdisjoint(touched) for touched in self.touched)
