"""Committing to a watched repository, as a person does."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from gitops_wf.adapters.git_cli import (
    GitCliWriter,
    current_branch,
    find_work_tree,
    repository_at,
)
from gitops_wf.core.config import (
    RepositoryConfig,
)
from gitops_wf.ports.git_writer import BranchWriter


def repository_of(path: Path) -> tuple[Path, str | None]:
    """Return the repository that a path on this machine is in, and HEAD's branch."""
    return repository_at(path), current_branch(path)


@dataclass(frozen=True, slots=True, kw_only=True)
class WritingPlace:
    """A writer, in whose ``work_tree`` it commits: None is a passing clone.

    ``remote`` is the watched repository there; none where the work tree is itself
    what is watched.
    """

    writer: BranchWriter
    work_tree: Path | None
    remote: str | None


@contextmanager
def open_writer(repository: RepositoryConfig, here: Path) -> Iterator[WritingPlace]:
    """Open a person's work tree of a repository, else a passing clone of it."""
    tree = find_work_tree(here, repository.url)
    if tree is None:
        writer = GitCliWriter.in_passing_clone(repository.url, repository.branch)
        with writer:
            yield WritingPlace(writer=writer, work_tree=None, remote="origin")
        return
    writer = GitCliWriter.in_work_tree(
        tree.path, repository.branch, tree.remote or "origin"
    )
    with writer:
        yield WritingPlace(writer=writer, work_tree=tree.path, remote=tree.remote)
