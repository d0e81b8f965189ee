"""A person's decision as a commit: written where it acts, refused where it would not.

The entry is judged beforehand as the daemon will judge it, and again on each try: a
push that comes second is fetched and written anew on what came first.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

from gitops_wf.core.commit import Person
from gitops_wf.core.decision import Decision, Effect, Entry, Verb
from gitops_wf.core.environment import Commits
from gitops_wf.core.errors import TerminalError
from gitops_wf.core.identifiers import Sha, StepName
from gitops_wf.core.inputs import (
    APPROVALS,
    APPROVALS_FOLDER,
    is_decision_path,
    is_ignored,
)
from gitops_wf.core.policy import Identity
from gitops_wf.core.revision import Revision
from gitops_wf.core.run import StepRun
from gitops_wf.core.verdict import Bench, judge
from gitops_wf.definitions.approvals_edit import one_entry_file, with_entry
from gitops_wf.ports.clock import Clock
from gitops_wf.ports.git_writer import BranchWriter
from gitops_wf.ports.store import EnvironmentRecord, Reader
from gitops_wf.services.push_anew import pushed
from gitops_wf.services.query import Query

_LATEST_POSITION = 2**62
"""After every commit there is: where the entry's own commit will stand."""

ReadEntries = Callable[[str, bytes], Sequence[Entry]]

_TITLES = {
    Verb.APPROVE: "Approve",
    Verb.REJECT: "Reject",
    Verb.RETRY: "Retry",
    Verb.REDEPLOY: "Redeploy",
    Verb.ABORT: "Abort",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Wish:
    """What a person wants decided; ``number`` None means the revision that is due."""

    decision: Verb
    number: int | None = None
    commit: str = ""
    step: str | None = None
    comment: str = ""
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Written:
    """A decision in a commit; ``is_pushed`` says that the remote has it."""

    revision: Revision
    entry: Entry
    path: str
    sha: Sha
    shown: str
    is_pushed: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class WriteDecision:
    """Writes decisions about one environment.

    ``is_watched_itself``: the work tree is what the daemon watches, so there is no
    remote to fetch from or to push to.
    """

    query: Query
    writer: BranchWriter
    read_entries: ReadEntries
    clock: Clock
    is_watched_itself: bool = False

    def write(self, record: EnvironmentRecord, wish: Wish, *, push: bool) -> Written:
        """Commit the decision, and push it if asked.

        Errors: TerminalError (NoEffect) where it would not act, (PushRejected) where
        the remote does not take it; what the writer says otherwise.
        """
        if self.is_watched_itself:
            return self._commit(record, wish)
        if push:
            written = pushed(self.writer, lambda: self._commit(record, wish))
            return replace(written, is_pushed=True)
        self.writer.refresh()
        return self._commit(record, wish)

    def _commit(self, record: EnvironmentRecord, wish: Wish) -> Written:
        person = self.writer.identity()
        with self.query.store.read() as reader:
            revision = _revision_meant(reader, record, wish)
            decision = self._foreseen(reader, record, revision, wish, person)
            self._refuse_what_is_overtaken(reader, record, wish)
        if decision.effect is not Effect.ACCEPTED:
            raise _no_effect(decision.reason)
        entry = decision.entry
        path, text = self._edited(record, entry)
        title = _title(record, revision, entry)
        body = f"\n\n{entry.comment}" if entry.comment else ""
        sha = self.writer.commit({path: text.encode()}, title + body)
        return Written(
            revision=revision,
            entry=entry,
            path=path,
            sha=sha,
            shown=self.writer.show(sha),
            is_pushed=False,
        )

    def _foreseen(
        self,
        reader: Reader,
        record: EnvironmentRecord,
        revision: Revision,
        wish: Wish,
        person: Person,
    ) -> Decision:
        """Judge the entry as the daemon will; a signature is given the benefit."""
        runs = reader.runs(record.id, number=revision.number, limit=1)
        again = wish.decision in {Verb.RETRY, Verb.REDEPLOY} or (
            bool(runs) and runs[0].ordinal > 1
        )
        entry = Entry(
            revision=revision.commit,
            decision=wish.decision,
            step=_step(runs[0].waiting if runs else (), wish),
            by=person.email,
            # Else a second retry, or an approval of a second run, would be the same
            # entry as the first, and never act.
            run=runs[0].ordinal if again and runs else None,
            comment=" ".join(wish.comment.split()),
            digest=wish.digest and f"sha256:{wish.digest.removeprefix('sha256:')}",
        )
        revisions = reader.revisions(record.id)
        config = self.query.config
        workflow = revision.workflow
        targets = (
            [target for step, _ in workflow.walk() for target in step.targets]
            if workflow
            else []
        )
        judged = judge(
            Decision(
                environment=record.id,
                entry=entry,
                commit=revision.commit,
                brought_by=revision.commit,
                position=_LATEST_POSITION,
                person=person.email,
                evidence=Identity.SIGNATURE,
                at=self.clock.now(),
            ),
            Bench(
                revisions=revisions,
                runs={run.subject.number: run for run in runs},
                policy=self.query.policy(revision),
                gates=config.rulebook.gates_for(targets),
                freezes=config.rulebook.freezes_for(record.id, targets),
                contributors=_authors(revisions, revision),
            ),
        )
        if wish.decision is Verb.APPROVE and judged.step is not None:
            return replace(judged, entry=replace(entry, step=judged.step))
        return judged

    def _refuse_what_is_overtaken(
        self, reader: Reader, record: EnvironmentRecord, wish: Wish
    ) -> None:
        """Refuse where the branch already has a newer revision than the daemon knows.

        A newer one takes the place of one that waits, except under ``strict``, and
        only the newest is ever run again.
        """
        if wish.decision in {Verb.REJECT, Verb.ABORT}:
            return
        strict = record.definition and record.definition.commits is Commits.STRICT
        if strict and wish.decision is Verb.APPROVE:
            return
        repository = reader.repository(record.repository)
        cursor = repository.cursor if repository else None
        if cursor is None or cursor == self.writer.head():
            return
        paths = record.paths or (record.folder,)
        prefix = f"{record.folder}/" if record.folder else ""
        ignore = record.definition.ignore if record.definition else ("*.md",)
        newer = [
            path
            for path in self.writer.changed_since(cursor, paths)
            if not is_decision_path(path.removeprefix(prefix))
            and not is_ignored(path, ignore)
        ]
        if newer:
            raise _no_effect(
                f"the branch has newer changes of {record.name} ({newer[0]}) that the"
                " daemon has not taken in yet: they make a newer revision; look again"
                f" with gitops-wf describe {record.name}"
            )

    def _edited(self, record: EnvironmentRecord, entry: Entry) -> tuple[str, str]:
        """Return the file to write and its new text."""
        prefix = f"{record.folder}/" if record.folder else ""
        fields = _fields(entry)
        folder = self.writer.list_files(f"{prefix}{APPROVALS_FOLDER}")
        for path in (f"{prefix}{APPROVALS}", *folder):
            self._refuse_what_stands_there(path, entry)
        if folder:
            path = f"{prefix}{APPROVALS_FOLDER}{_file_name(entry)}"
            return path, one_entry_file(fields)
        path = f"{prefix}{APPROVALS}"
        old = self.writer.read(path)
        before = self.read_entries(path, old) if old is not None else ()
        text = with_entry(path, None if old is None else old.decode(), fields)
        after = self.read_entries(path, text.encode())
        expected = [*(each.key for each in before), entry.key]
        if [each.key for each in after] != expected:
            raise TerminalError(
                f"{path} is written so that an entry cannot be added without touching"
                " others; add it by hand",
                reason="NotEditable",
            )
        return path, text

    def _refuse_what_stands_there(self, path: str, entry: Entry) -> None:
        data = self.writer.read(path)
        if data is None:
            return
        for each in self.read_entries(path, data):
            if each.key == entry.key:
                raise _no_effect(
                    f"the same entry stands in {path}:{each.line} already: it acts once"
                )


def _revision_meant(reader: Reader, record: EnvironmentRecord, wish: Wish) -> Revision:
    """Return the revision by number, by SHA, or the one that the wish must mean."""
    if wish.number is not None:
        found = reader.revision(record.id, wish.number)
        if found is None:
            raise TerminalError(
                f"{record.name} has no revision #{wish.number}", reason="NotFound"
            )
        return found
    revisions = reader.revisions(record.id)
    if wish.commit:
        written = wish.commit.casefold()
        meant = [each for each in revisions if each.commit.startswith(written)]
        if len({each.commit for each in meant}) > 1:
            raise TerminalError(
                f"{wish.commit} is ambiguous: it could be"
                f" {', '.join(each.commit[:12] for each in meant)}",
                reason="Ambiguous",
            )
        if not meant:
            raise TerminalError(
                f"{wish.commit} is no revision of {record.name}; gitops-wf history"
                f" {record.name} lists them",
                reason="NotFound",
            )
        return meant[0]
    if not revisions:
        raise TerminalError(f"{record.name} has no revision yet", reason="NotFound")
    if wish.decision not in {Verb.RETRY, Verb.REDEPLOY}:
        active = reader.active_run(record.id)
        if active is not None:
            running = reader.revision(record.id, active.subject.number)
            if running is not None:
                return running
    return revisions[0]


def _step(waiting: Sequence[StepRun], wish: Wish) -> StepName | None:
    """Return the step that was named, else the one that waits, if it is only one."""
    if wish.step is not None:
        return StepName(wish.step)
    if wish.decision is Verb.APPROVE and len(waiting) == 1:
        return waiting[0].name
    return None


def _authors(revisions: Sequence[Revision], meant: Revision) -> frozenset[str]:
    """Return who is known to have written what is not released yet."""
    released = max((r.number for r in revisions if r.released), default=0)
    return frozenset(
        revision.author_email.casefold()
        for revision in revisions
        if released < revision.number <= meant.number
    )


def _fields(entry: Entry) -> Mapping[str, str]:
    fields = {
        "revision": entry.revision,
        "step": entry.step or "",
        "decision": str(entry.decision),
        "by": entry.by,
        "run": "" if entry.run is None else str(entry.run),
        "digest": entry.digest,
        "comment": entry.comment,
    }
    return {key: value for key, value in fields.items() if value}


def _file_name(entry: Entry) -> str:
    parts = (
        entry.revision[:12],
        entry.step or "",
        str(entry.decision),
        "" if entry.run is None else str(entry.run),
        entry.digest.removeprefix("sha256:")[:12],
        entry.by,
    )
    words = "-".join(part for part in parts if part)
    safe = "".join(char if char.isalnum() or char in "-_.@" else "-" for char in words)
    return f"{safe[:200]}.yaml"


def _title(record: EnvironmentRecord, revision: Revision, entry: Entry) -> str:
    step = f" {entry.step}" if entry.step else ""
    return f"{_TITLES[entry.decision]} {record.name}#{revision.number}{step}"


def _no_effect(reason: str) -> TerminalError:
    return TerminalError(
        f"nothing was committed, for it would not act: {reason}", reason="NoEffect"
    )
