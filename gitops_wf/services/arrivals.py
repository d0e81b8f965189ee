"""The decisions that a commit brings to an environment."""

from collections.abc import Container, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Protocol

from gitops_wf.core.commit import CommitInfo
from gitops_wf.core.decision import Decision, Effect, Entry, EntryKey
from gitops_wf.core.errors import cut
from gitops_wf.core.event import Event, EventType
from gitops_wf.core.identifiers import EnvironmentId, Sha
from gitops_wf.core.inputs import is_decision_path
from gitops_wf.ports.definitions import Definitions
from gitops_wf.ports.store import EnvironmentRecord, Reader, Transaction
from gitops_wf.services.announce import Announcer
from gitops_wf.services.decide import Decide
from gitops_wf.services.folders import prefixes
from gitops_wf.services.introductions import Introduced, Introductions
from gitops_wf.services.watched import Watched

UNREADABLE = "ApprovalsUnreadable"
"""The condition of an environment whose approvals files cannot be read."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrival:
    """A commit of the branch, and the commits that it made reachable.

    ``side`` are those of merged branches, oldest first, each with the environments
    whose approvals it touches. ``released`` stands for the last released revision's
    commit where the store knows of none.
    """

    commit: CommitInfo
    position: int
    side: Sequence[tuple[CommitInfo, frozenset[EnvironmentId]]] = ()
    now: datetime
    released: Sha | None = None


class Court(Protocol):
    """Who judges decisions: as they come, or those of a history."""

    def take(
        self,
        transaction: Transaction,
        decision: Decision,
        now: datetime,
        *,
        contributors: frozenset[str],
        hint: str,
        is_removed: bool,
    ) -> Decision:
        """Judge a decision, store its verdict and let it act."""

    def withdraw(
        self,
        transaction: Transaction,
        environment: EnvironmentId,
        present: Iterable[EntryKey],
        now: datetime,
    ) -> None:
        """Withdraw approvals that have not acted and no longer stand in the files."""


class Arrivals:
    """Finds decisions in commits and has them judged."""

    def __init__(
        self,
        *,
        watched: Watched,
        definitions: Definitions,
        decide: Decide,
        announcer: Announcer,
    ) -> None:
        self._watched = watched
        self._introductions = Introductions(watched.git, definitions.entries)
        self._decide = decide
        self._announcer = announcer

    def arrive(
        self,
        transaction: Transaction,
        record: EnvironmentRecord,
        arrival: Arrival,
        folders: Sequence[str],
        *,
        court: Court | None = None,
    ) -> EnvironmentRecord:
        """Take an environment's decisions, which stand in these folders.

        Returns its record with its condition. ``court`` judges in the place of ours.
        """
        court = court or self._decide
        here = self._introductions.at(arrival.commit.sha, folders)
        if here.problems:
            return self._unreadable(transaction, record, here.problems, arrival)
        record = _readable(record)
        introduced = self._introductions.of(
            arrival.commit,
            candidates=[
                *(c for c, touched in arrival.side if record.id in touched),
                arrival.commit,
            ],
            folders=folders,
        )
        known = transaction.decisions(record.id) if introduced else ()
        for item in introduced:
            person, evidence = self._watched.person(item.commit)
            again = self._without_effect(item, person, known)
            if again is None and self._is_repeated(item, known):
                continue
            decision = Decision(
                environment=record.id,
                entry=item.entry,
                commit=item.commit.sha,
                brought_by=arrival.commit.sha,
                position=arrival.position,
                person=person,
                evidence=evidence,
                at=arrival.now,
                id=again.id if again is not None else 0,
            )
            court.take(
                transaction,
                decision,
                arrival.now,
                contributors=self._contributors(
                    transaction, record, item, arrival.released
                ),
                # In a history nobody is told what else could have been meant.
                hint=self._hint(transaction, record, item)
                if court is self._decide
                else "",
                is_removed=record.is_removed,
            )
        court.withdraw(transaction, record.id, here.entries, arrival.now)
        return record

    def entries(self, commit: Sha, folders: Sequence[str]) -> Mapping[EntryKey, Entry]:
        """Return the entries at a commit; none where they cannot be read."""
        return self._introductions.at(commit, folders).entries

    def reread(
        self,
        transaction: Transaction,
        record: EnvironmentRecord,
        arrival: Arrival,
        folders: Sequence[str],
    ) -> EnvironmentRecord:
        """See what stands at the head of rewritten history; it introduces nothing.

        Approvals that went with the old one, unused, are withdrawn. Returns the
        environment's record with its condition.
        """
        here = self._introductions.at(arrival.commit.sha, folders)
        if here.problems:
            return self._unreadable(transaction, record, here.problems, arrival)
        self._decide.withdraw(transaction, record.id, here.entries, arrival.now)
        return _readable(record)

    def _is_repeated(self, item: Introduced, known: Iterable[Decision]) -> bool:
        """Whether the entry stood in an ancestor already: re-adding never acts.

        Who wrote it in another's name has not kept that person from writing it.
        """
        return any(
            decision.entry.key == item.entry.key
            and decision.entry.by.casefold() in {"", decision.person.casefold()}
            and self._is_before(decision, item)
            for decision in known
        )

    def _is_before(self, decision: Decision, item: Introduced) -> bool:
        git = self._watched.git
        return git.has_commit(decision.commit) and git.is_ancestor(
            decision.commit, item.commit.sha
        )

    def _without_effect(
        self, item: Introduced, person: str, known: Iterable[Decision]
    ) -> Decision | None:
        """Return this person's decision by the same entry, where it may come again.

        It had no effect then, or it went with the history that held it: in the new
        history it is written for the first time.
        """
        for decision in known:
            is_theirs = decision.person.casefold() == person.casefold()
            if not is_theirs or decision.entry.key != item.entry.key:
                continue
            if decision.effect is Effect.REFUSED:
                return decision
            if decision.effect is Effect.WITHDRAWN and not self._is_before(
                decision, item
            ):
                return decision
        return None

    def _contributors(
        self,
        reader: Reader,
        record: EnvironmentRecord,
        item: Introduced,
        since: Sha | None,
    ) -> frozenset[str]:
        """Return who wrote what the revision adds to the last released one.

        Authors, committers and co-authors of every commit that touches the inputs, in
        any folder that the environment ever had: who wrote there before it moved wrote
        this, too. A commit that only decides makes nobody an author. ``since`` stands
        for the released one where none is known.
        """
        revisions = reader.revisions(record.id)
        written = item.entry.revision.casefold()
        meant = next((r for r in revisions if r.commit.startswith(written)), None)
        git = self._watched.git
        if meant is None or not git.has_commit(meant.commit):
            return frozenset()
        released = next((r.commit for r in revisions if r.released), since)
        if released is not None and not git.has_commit(released):
            released = None  # rewritten history: better too many than too few
        # What it is made of now, and what the revision was.
        known = meant.environment_definition
        folders = {record.folder, *record.folders}
        paths = {*folders, *record.paths, *(known.watch if known else ())}
        return frozenset(
            person.email.casefold()
            for commit in git.commits_between(
                released, meant.commit, paths=sorted(paths)
            )
            if self._touches(commit, paths, folders)
            for person in (commit.author, commit.committer, *commit.co_authors)
        )

    def _touches(
        self, commit: CommitInfo, paths: Container[str], folders: Container[str]
    ) -> bool:
        """Whether a commit changes more below these paths than decisions."""
        changes = self._watched.git.changes(commit.first_parent, commit.sha)
        return any(
            any(prefix in paths for prefix in prefixes(change.path))
            and not any(
                prefix in folders and is_decision_path(_below(prefix, change.path))
                for prefix in prefixes(change.path)
            )
            for change in changes
        )

    def _hint(self, reader: Reader, record: EnvironmentRecord, item: Introduced) -> str:
        """Name the revision that a merged side commit came with.

        Or say that it is none any more: what is left of the past has gaps.
        """
        written = item.entry.revision.casefold()
        revisions = reader.revisions(record.id)
        if any(r.commit.startswith(written) for r in revisions):
            return ""
        git = self._watched.git
        numbers = {0, *(revision.number for revision in revisions)}
        for sha in git.resolve(written):
            for revision in reversed(revisions):
                if git.is_ancestor(sha, revision.commit):
                    parent = git.commit(revision.commit).first_parent
                    is_older = parent is not None and git.is_ancestor(sha, parent)
                    if is_older and revision.number - 1 not in numbers:
                        return "what it belonged to is no longer kept"
                    return (
                        f"that commit came with revision {revision.commit}"
                        f" (#{revision.number}): name that one"
                    )
        return ""

    def _unreadable(
        self,
        transaction: Transaction,
        record: EnvironmentRecord,
        problems: Sequence[str],
        arrival: Arrival,
    ) -> EnvironmentRecord:
        text = cut("; ".join(problems), 1000)
        if record.conditions.get(UNREADABLE) != text:
            event = Event(
                at=arrival.now,
                kind="approvalsUnreadable",
                reason=UNREADABLE,
                message=f"{text}; no decision is read until it is mended",
                type=EventType.WARNING,
                environment=record.id,
            )
            self._announcer.announce(transaction, event)
        conditions: Mapping[str, str] = {**record.conditions, UNREADABLE: text}
        return replace(record, conditions=conditions)


def _readable(record: EnvironmentRecord) -> EnvironmentRecord:
    conditions = {k: v for k, v in record.conditions.items() if k != UNREADABLE}
    return replace(record, conditions=conditions)


def _below(folder: str, path: str) -> str:
    """Return a path relative to a folder that holds it."""
    return path.removeprefix(f"{folder}/") if folder else path
