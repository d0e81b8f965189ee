"""A rollback as a commit: an environment's inputs as an earlier revision had them.

Only inputs go back: decisions stay, and so does what counts as no input. Where a
path belongs to another environment too, nothing is written: going back there is not
this environment's to decide (design section 3.3).
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace

from gitops_wf.core.errors import TerminalError, cut
from gitops_wf.core.identifiers import EnvironmentName, Sha
from gitops_wf.core.inputs import is_decision_path, is_ignored
from gitops_wf.core.phases import Phase
from gitops_wf.core.revision import Revision, rollback_of
from gitops_wf.ports.git_writer import BranchWriter
from gitops_wf.ports.store import EnvironmentRecord, Reader
from gitops_wf.services.push_anew import pushed
from gitops_wf.services.query import ReadableStore

_SHOWN = 5
OVERTAKEN = "Overtaken"
FAILED_TRAILER = "Reverts-Failed"


@dataclass(frozen=True, slots=True, kw_only=True)
class RolledBack:
    """The commit that goes back to a revision, and the files that it changes."""

    revision: Revision
    sha: Sha
    paths: tuple[str, ...]
    shown: str
    is_pushed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class RollBack:
    """Writes rollbacks; ``is_watched_itself`` as in WriteDecision.

    ``failed`` is the revision whose content goes, for the daemon's own: where the
    inputs have changed since, they are left alone.
    """

    store: ReadableStore
    writer: BranchWriter
    is_watched_itself: bool = False
    failed: Revision | None = None

    def write(
        self, record: EnvironmentRecord, number: int | None, *, push: bool
    ) -> RolledBack:
        """Commit what goes back to a revision, the released one unless a number says.

        Errors: TerminalError (NoEffect) where nothing would change or it would be no
        rollback, (SharedPaths) where others would change too, (PushRejected),
        (Overtaken) where something newer is there.
        """
        if self.is_watched_itself:
            return self._commit(record, number)
        if push:
            done = pushed(self.writer, lambda: self._commit(record, number))
            return replace(done, is_pushed=True)
        self.writer.refresh()
        return self._commit(record, number)

    def _commit(self, record: EnvironmentRecord, number: int | None) -> RolledBack:
        with self.store.read() as reader:
            revisions = reader.revisions(record.id)
            target = _target(record, revisions, number)
            others = _others(reader, record)
        if self.failed is not None and self._changed(record, self.failed):
            raise TerminalError(
                f"{record.name} has newer changes than #{self.failed.number}",
                reason=OVERTAKEN,
            )
        paths = self._changed(record, target)
        if not paths:
            raise TerminalError(
                f"{record.name} already is as #{target.number} was:"
                f" {_older(revisions, target)}",
                reason="NoEffect",
            )
        shared = _shared(paths, others)
        if shared:
            told = "; ".join(
                f"{path} is an input of {', '.join(names)} too"
                for path, names in shared[:_SHOWN]
            )
            raise TerminalError(
                f"going back to #{target.number} would change other environments:"
                f" {told}. Nothing was written; make the commit by hand if they are"
                " to go back as well: git revert",
                reason="SharedPaths",
            )
        text = (
            _message(record, target)
            if self.failed is None
            else revert_message(record, self.failed, target)
        )
        sha = self.writer.restore(paths, target.commit, text)
        assert sha is not None
        return RolledBack(
            revision=target,
            sha=sha,
            paths=tuple(paths),
            shown=self.writer.show(sha),
            is_pushed=False,
        )

    def _changed(self, record: EnvironmentRecord, target: Revision) -> Sequence[str]:
        """Return the inputs that differ from what they were, decisions left out."""
        then, now = target.environment_definition, record.definition
        watched = dict.fromkeys(
            path for each in (then, now) if each is not None for path in each.watch
        )
        ignore = then.ignore if then else ("*.md",)
        prefix = f"{record.folder}/" if record.folder else ""
        found = self.writer.changed_since(target.commit, [record.folder, *watched])
        return [
            path
            for path in found
            if not _is_beside(path.removeprefix(prefix), ignore)
            or not path.startswith(prefix)
        ]


def _is_beside(path: str, ignore: Iterable[str]) -> bool:
    """Whether a path below the folder is none of the inputs."""
    return is_decision_path(path) or is_ignored(path, ignore)


def _target(
    record: EnvironmentRecord, revisions: Sequence[Revision], number: int | None
) -> Revision:
    """Return the revision to go back to; an error says why it cannot be one."""
    if record.is_removed:
        raise TerminalError(
            f"the folder of {record.name} is gone; bring it back with git revert",
            reason="NoEffect",
        )
    if number is None:
        target = next((r for r in revisions if r.released and not r.is_removal), None)
        if target is None:
            raise TerminalError(
                f"no revision of {record.name} has succeeded yet: there is nothing to"
                " go back to",
                reason="NotFound",
            )
    else:
        target = next((r for r in revisions if r.number == number), None)
        if target is None:
            raise TerminalError(
                f"{record.name} has no revision #{number}; gitops-wf history"
                f" {record.name} lists them",
                reason="NotFound",
            )
    if target.is_removal:
        raise TerminalError(
            f"#{target.number} removed the environment: to do so again, remove its"
            " folder by a commit",
            reason="NoEffect",
        )
    same = [r for r in revisions if r.inputs == target.inputs]
    if target.phase is not Phase.SUCCEEDED or rollback_of(same) is None:
        is_barred = any(r.barred for r in same)
        why = "was rejected" if is_barred else f"is {target.phase}"
        raise TerminalError(
            f"#{target.number} {why}: only a revision that succeeded, and whose"
            " content was never rejected, can be gone back to",
            reason="NoEffect",
        )
    then = target.environment_definition
    if then is not None and then.folder != record.folder:
        raise TerminalError(
            f"#{target.number} was in {then.folder}, and {record.name} is in"
            f" {record.folder} now: move the files by hand",
            reason="NoEffect",
        )
    return target


def _others(
    reader: Reader, record: EnvironmentRecord
) -> Sequence[tuple[EnvironmentName, Sequence[str]]]:
    """Return the other environments of the repository with their paths."""
    return [
        (other.name, other.paths or (other.folder,))
        for other in reader.environments(record.repository)
        if other.id != record.id and not other.is_removed
    ]


def _shared(
    paths: Iterable[str],
    others: Sequence[tuple[EnvironmentName, Sequence[str]]],
) -> list[tuple[str, list[EnvironmentName]]]:
    """Return the paths that are inputs of others, with their names."""
    found = []
    for path in paths:
        names = [
            name
            for name, inputs in others
            if any(not i or path == i or path.startswith(f"{i}/") for i in inputs)
        ]
        if names:
            found.append((path, names))
    return found


def _older(revisions: Sequence[Revision], target: Revision) -> str:
    numbers = [
        f"#{r.number}"
        for r in revisions
        if r.phase is Phase.SUCCEEDED and not r.barred and r.inputs != target.inputs
    ]
    if not numbers:
        return "no other revision has succeeded"
    return f"name another with --to N; {', '.join(numbers[:_SHOWN])} succeeded"


def _message(record: EnvironmentRecord, target: Revision) -> str:
    return (
        f"Roll back {record.name} to #{target.number}\n\n"
        f"The inputs of {record.name} are again as they were at\n{target.commit}\n"
        f"({target.subject})."
    )


def failed_line(failed: Revision) -> str:
    """Return the trailer by which the revert of a failed revision is found again."""
    return f"{FAILED_TRAILER}: {failed.environment}@sha1:{failed.commit}"


def revert_message(
    record: EnvironmentRecord, failed: Revision, target: Revision
) -> str:
    """Return what the daemon says when it goes back by itself.

    Of the failure only its reason: a message may quote what is not for everybody.
    """
    return (
        f"Revert {record.name}#{failed.number}: it failed\n\n"
        f"This reverts commit {failed.commit}\n({cut(failed.subject, 200)}), which"
        f" ended {failed.phase}{f' ({failed.reason})' if failed.reason else ''}.\n"
        f"The inputs of {record.name} are again as they were at\n{target.commit}\n"
        f"(#{target.number}, {cut(target.subject, 200)}).\n\n"
        f"{failed_line(failed)}\n"
    )
