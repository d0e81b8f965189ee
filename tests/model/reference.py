"""What a release line must come to: a small model of design section 3, and no more.

It is written from the design's sentences, which stand beside the code that says them
again. It is pure: commits are values, time is an attribute, and whoever drives it says
which attempt begins and how it ended. It has no store, no queue and no files.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from tests.model.words import (
    ASK_TIMEOUT,
    BACK_OFF,
    FINAL_TIMEOUT,
    FLOWS,
    GATE_TIMEOUT,
    VAULT,
    WORK_TIMEOUT,
    Commit,
    Content,
    Entry,
    Key,
    Rules,
    Step,
)

FINAL = {"Succeeded", "Failed", "Errored", "Aborted", "Skipped"}
BAD = {"Failed", "Errored", "Aborted"}


@dataclass
class StepState:
    """A step of a run. `asked` is the work that is due at `due`; `held` says why not."""

    step: Step
    phase: str = "Pending"
    reason: str = ""
    attempt: int = 0
    look: int = 0
    failures: int = 0
    asked: bool = False
    in_flight: bool = False
    begun: bool = False
    approved: bool = False
    due: datetime | None = None
    deadline: datetime | None = None

    @property
    def is_over(self) -> bool:
        return self.phase in FINAL

    @property
    def waits(self) -> bool:
        return self.phase == "Suspended" and self.reason != "Paused"

    def end(self, phase: str, reason: str = "") -> None:
        self.phase, self.reason = phase, reason
        self.asked = self.in_flight = False
        self.due = self.deadline = None


@dataclass
class Run:
    """One execution; `ending` is why it must end, and since when."""

    ordinal: int
    steps: list[StepState]
    ending: tuple[str, datetime] | None = None
    phase: str = "Running"


@dataclass
class Revision:
    """An environment at a commit."""

    number: int
    commit: str
    position: int
    content: Content
    rollback: bool
    phase: str = "Pending"
    reason: str = ""
    barred: bool = False
    released: bool = False
    ended: datetime | None = None
    keeps: bool = False
    runs: list[Run] = field(default_factory=list)

    @property
    def is_over(self) -> bool:
        return self.phase in FINAL

    @property
    def flow(self) -> tuple[Step, ...]:
        return FLOWS[self.content.flow]


@dataclass
class Decision:
    """An entry that one person introduced, and what came of it."""

    entry: Entry
    person: str
    commit: str
    effect: str = "accepted"
    number: int | None = None
    step: str = ""
    counts_for: frozenset[str] = frozenset()
    acted: bool = False


@dataclass
class Environment:
    """`inputs` are those of the previous revision; None once the folder is gone."""

    name: str
    live: bool = False
    inputs: Content | None = None
    unreadable: bool = False
    revisions: list[Revision] = field(default_factory=list)
    decisions: dict[tuple[Key, str], Decision] = field(default_factory=dict)
    effects: list[tuple[int, int, str, int, Content]] = field(default_factory=list)

    @property
    def active(self) -> tuple[Revision, Run] | None:
        for revision in self.revisions:
            if revision.runs and revision.runs[-1].phase not in FINAL:
                return revision, revision.runs[-1]
        return None

    @property
    def unfinished(self) -> list[Revision]:
        return [r for r in self.revisions if not r.is_over]


class Model:
    """A repository and its environments, as the design says they are."""

    def __init__(self, history: Mapping[str, Commit], rules: Rules, now: datetime):
        self.history, self.rules, self.now = history, rules, now
        self.cursor: str | None = None
        self.position = 0
        self.environments: dict[str, Environment] = {}
        self.paused: set[str] = set()
        self._ancestors: dict[str, frozenset[str]] = {}

    # --- 3.1: no commit is lost ---

    def poll(self, head: str) -> None:
        """Take in what the branch has."""
        if self.cursor is None:
            self.position += 1
            self._place(self.history[head])
            for environment in self._sorted():
                self._revise(environment, self.history[head])
        elif self.cursor in self.ancestors(head):
            for before, commit in self._walk(self.cursor, head):
                self._take(before, commit)
        else:
            self._rewritten(head)
        self.cursor = head
        self.tick()

    def ancestors(self, sha: str) -> frozenset[str]:
        """The commit and all before it."""
        if sha not in self._ancestors:
            found = {sha}
            for parent in self.history[sha].parents:
                found |= self.ancestors(parent)
            self._ancestors[sha] = frozenset(found)
        return self._ancestors[sha]

    def _walk(self, since: str, head: str) -> Iterator[tuple[str, Commit]]:
        """Walked `--first-parent --ancestry-path`, oldest first, each with the last."""
        chain: list[str] = []
        at: str | None = head
        while at is not None and at != since and since in self.ancestors(at):
            chain.append(at)
            at = next(iter(self.history[at].parents), None)
        before = since
        for sha in reversed(chain):
            yield before, self.history[sha]
            before = sha

    def _take(self, before: str, commit: Commit) -> None:
        """In one commit decisions act first, then the commit makes its revision."""
        self.position += 1
        self._place(commit)
        self._decisions(before, commit)
        for environment in self._sorted():
            self._revise(environment, commit)

    def _sorted(self) -> list[Environment]:
        return [self.environments[name] for name in sorted(self.environments)]

    def _place(self, commit: Commit) -> None:
        for name in commit.tree:
            self.environments.setdefault(name, Environment(name)).live = True
        for environment in self._sorted():
            if environment.live and environment.name not in commit.tree:
                environment.live, environment.inputs = False, None
                for revision in environment.unfinished:
                    self._end(environment, revision, "Removed")

    def _revise(self, environment: Environment, commit: Commit) -> None:
        """A commit makes a revision where inputs differ from the previous revision's.

        A rollback: its inputs equal those of an earlier one that Succeeded, unbarred.
        """
        if not environment.live:
            return
        content = commit.tree[environment.name].content
        if content == environment.inputs:
            return
        environment.inputs = content
        same = [r for r in environment.revisions if r.content == content]
        revision = Revision(
            number=len(environment.revisions) + 1,
            commit=commit.sha,
            position=self.position,
            content=content,
            rollback=any(r.phase == "Succeeded" for r in same)
            and not any(r.barred for r in same),
        )
        if content.invalid or (content.after and content.after not in commit.tree):
            revision.phase, revision.reason = "Failed", "InvalidDefinition"
            revision.ended = self.now
        environment.revisions.append(revision)

    def _rewritten(self, head: str) -> None:
        """After a force-push: at most one revision each, at the new head.

        Runs of vanished commits end, unless their inputs equal the new head's.
        """
        self.position += 1
        commit = self.history[head]
        self._place(commit)
        assert self.cursor is not None
        shared = self.ancestors(self.cursor) & self.ancestors(head)
        if shared:
            base = max(shared, key=lambda sha: len(self.ancestors(sha)))
            for before, new in self._walk(base, head):
                self._decisions(before, new)
        for environment in self._sorted():
            entries = self._entries(environment.name, head)
            environment.unreadable = entries is None
            if entries is not None:
                self._withdraw(environment, entries)
            if not environment.live:
                continue
            inputs = commit.tree[environment.name].content
            for revision in environment.unfinished:
                if revision.commit in self.ancestors(head):
                    continue
                is_last = revision is environment.revisions[-1]
                if is_last and revision.content == inputs:
                    revision.commit = head
                else:
                    self._end(environment, revision, "HistoryRewritten")
            self._revise(environment, commit)

    # --- section 2: decisions ---

    def _decisions(self, before: str, commit: Commit) -> None:
        """Each commit that became reachable introduces what no parent of it has."""
        new = self.ancestors(commit.sha) - self.ancestors(before)
        order = sorted(new, key=lambda sha: (len(self.ancestors(sha)), sha))
        for environment in self._sorted():
            present = self._entries(environment.name, commit.sha)
            environment.unreadable = present is None
            if present is None:
                continue  # earlier decisions stand, and none is read until it is mended
            for sha in order:
                for entry in self._introduced(environment.name, sha):
                    if entry.key in present:
                        self._arrive(environment, entry, self.history[sha])
            if present != self._entries(environment.name, before):
                self._withdraw(environment, present)

    def _entries(self, name: str, sha: str) -> dict[Key, Entry] | None:
        folder = self.history[sha].tree.get(name)
        return folder.entries if folder else {}

    def _introduced(self, name: str, sha: str) -> list[Entry]:
        found = dict(self._entries(name, sha) or {})
        for parent in self.history[sha].parents:
            for key in self._readable(name, parent):
                found.pop(key, None)
        return list(found.values())

    def _readable(self, name: str, sha: str) -> set[Key]:
        """For an unreadable parent: its nearest readable ancestor."""
        entries = self._entries(name, sha)
        if entries is not None:
            return set(entries)
        parents = self.history[sha].parents
        return {key for p in parents for key in self._readable(name, p)}

    def _arrive(self, environment: Environment, entry: Entry, by: Commit) -> None:
        """It acts once for each person; re-adding, by whomever, never acts.

        What was refused had no effect, so its author may write it again; so may
        whose approval went, unused, with the history that held it, and who is named by
        what another wrote.
        """
        place = (entry.key, by.author)
        known = environment.decisions.get(place)
        earlier = self.ancestors(by.sha) - {by.sha}
        if known is not None and known.effect == "withdrawn":
            if known.commit in earlier | {by.sha}:
                return
        elif known is not None and known.effect != "refused":
            return
        is_named = entry.by == by.author
        if (
            known is None
            and not is_named
            and any(
                entry.key in (self._entries(environment.name, sha) or {})
                for sha in earlier
            )
        ):
            return
        decision = Decision(entry, by.author, commit=by.sha, effect="refused")
        environment.decisions[place] = decision
        self._settle_all_due(environment)
        revision = self._judge(environment, decision)
        if revision is not None:
            decision.effect, decision.number = "accepted", revision.number
            self._act(environment, decision, revision)

    def _judge(self, environment: Environment, decision: Decision) -> Revision | None:
        entry, person = decision.entry, decision.person
        named = [
            r for r in environment.revisions if r.commit.startswith(entry.revision)
        ]
        if not named or named[-1].position >= self.position:
            return None
        revision = named[-1]
        decision.number = revision.number
        run = revision.runs[-1].ordinal if revision.runs else 0
        coming = run + (revision.phase == "Pending")
        is_theirs = entry.by in ("", person)
        is_late = entry.expires is not None and entry.expires <= self.now
        if not is_theirs or is_late or entry.run not in (None, coming):
            return None
        if entry.verb == "approve":
            return revision if self._judge_approval(decision, revision) else None
        if not self._admits(self.rules.approvers, person):
            return None
        if entry.verb in ("reject", "abort"):
            return None if revision.is_over else revision
        can = (
            environment.live
            and revision is environment.revisions[-1]
            and revision.is_over
            and not revision.barred
            and revision.reason != "InvalidDefinition"
            and not (entry.verb == "retry" and revision.phase == "Succeeded")
        )
        return revision if can else None

    def _judge_approval(self, decision: Decision, revision: Revision) -> bool:
        if revision.is_over:
            return False
        can_wait = [s for s in revision.flow if s.asks or self._gated(s)]
        over = {
            s.step.name for run in revision.runs[-1:] for s in run.steps if s.is_over
        }
        left = [s.name for s in can_wait if s.name not in over]
        named = decision.entry.step
        if named not in left and (named or len(left) != 1):
            return False
        decision.step = named or left[0]
        counts = (
            {"step"} if self._admits(self.rules.approvers, decision.person) else set()
        )
        gates = any(self._gated(s) for s in revision.flow)
        if gates and self._admits(self.rules.gate, decision.person):
            counts.add("gate")
        decision.counts_for = frozenset(counts)
        return bool(counts)

    def _gated(self, step: Step) -> bool:
        return self.rules.gate is not None and not step.asks and step.target == VAULT

    @staticmethod
    def _admits(approvers: tuple[str, ...] | None, person: str) -> bool:
        """Bots count only when listed; without a list any other author may."""
        return "[bot]" not in person and (approvers is None or person in approvers)

    def _act(
        self, environment: Environment, decision: Decision, revision: Revision
    ) -> None:
        verb = decision.entry.verb
        if verb in ("reject", "abort"):
            revision.barred |= verb == "reject"
            self._end(
                environment, revision, "Rejected" if verb == "reject" else "Aborted"
            )
        elif verb in ("retry", "redeploy"):
            revision.phase, revision.reason, revision.ended = "Pending", "", None
            revision.keeps = verb == "retry"
        decision.acted = verb != "approve"
        self._go_on(environment)

    def _withdraw(self, environment: Environment, present: Mapping[Key, Entry]) -> None:
        """Removing an `approve` before its step is released withdraws it."""
        for decision in environment.decisions.values():
            is_open = decision.effect == "accepted" and not decision.acted
            if is_open and decision.entry.key not in present:
                decision.effect = "withdrawn"

    def _quorum(
        self, environment: Environment, revision: Revision, run: Run, state: StepState
    ) -> list[Decision] | None:
        """The approvals that let a waiting step pass, if they are enough.

        One of an ask acts once; at a gate it holds for the revision, and one of an
        ask before the gated step serves the gate too.
        """
        is_gate = state.reason == "ApprovalRequired"
        names, kind, needed = {state.step.name}, "step", self.rules.needed
        if is_gate:
            before = run.steps[: run.steps.index(state)]
            names |= {s.step.name for s in before if s.step.asks}
            kind, needed = "gate", self.rules.gate_needed
        found = [
            d
            for d in environment.decisions.values()
            if (d.entry.verb, d.effect, d.number)
            == ("approve", "accepted", revision.number)
            and d.step in names
            and kind in d.counts_for
            and (is_gate or not d.acted)
            and d.entry.run in (None, run.ordinal)
            and (d.entry.expires is None or self.now < d.entry.expires)
        ]
        return found if len({d.person for d in found}) >= needed else None

    # --- 3.2, 3.3: every revision ends; a rollback goes first ---

    def tick(self) -> None:
        """Let time act, and what it moves move others."""
        for _ in range(2):
            for environment in self._sorted():
                self._go_on(environment)

    def _settle_all_due(self, environment: Environment) -> None:
        """What was over before a decision came stays so, seen or not."""
        if any(moment <= self.now for moment in self._moments(environment)):
            self._go_on(environment)

    def _go_on(self, environment: Environment) -> None:
        while True:
            active = environment.active
            if active is not None:
                self._settle(environment, *active)
                if active[1].phase in FINAL:
                    continue
            policy = self._arrange(environment)
            if environment.active is not None:
                if not policy:
                    return
                continue
            pending = [r for r in environment.unfinished if r.phase == "Pending"]
            if not pending:
                return
            held = self._held(environment, pending[0])
            if held == "dead end" and len(pending) > 1:
                self._end(environment, pending[0], "Superseded")
            elif held:
                pending[0].reason = (
                    "WaitingForEnvironment" if held != "Paused" else held
                )
                return
            else:
                self._start(pending[0])

    def _arrange(self, environment: Environment) -> bool:
        """Supersede, by the newest revision's `commits`; whether a run must end."""
        unfinished = environment.unfinished
        if not unfinished:
            return False
        content = unfinished[-1].content
        active = environment.active
        pending = [r for r in unfinished if not active or r is not active[0]]
        if not pending:
            return False
        keep = pending[0].number
        if content.commits == "latest" or (
            content.commits == "every" and len(pending) > content.most
        ):
            keep = pending[-1].number
        else:
            keep = max([keep, *(r.number for r in pending if r.rollback)])
        for revision in pending:
            if revision.number < keep:
                self._end(environment, revision, "Superseded")
        if active is None or active[1].ending is not None:
            return False
        goes_back = any(r.rollback for r in pending)
        waits = any(s.waits for s in active[1].steps)
        if not (
            goes_back
            or content.commits == "latest"
            or (content.commits == "every" and waits)
        ):
            return False
        active[1].ending = ("Superseded", self.now)
        return True

    def _held(self, environment: Environment, revision: Revision) -> str:
        """Waits until `after`'s newest revision at or before this commit Succeeded.

        A rollback waits for nobody but the brake.
        """
        if environment.name in self.paused or "" in self.paused:
            return "Paused"
        after = revision.content.after
        if not after or revision.rollback:
            return ""
        other = [
            r
            for r in self.environments[after].revisions
            if r.position <= revision.position
        ]
        if not other:
            return "nothing yet"
        if other[-1].phase != "Succeeded":
            return "dead end" if other[-1].is_over else "not yet"
        assert other[-1].ended is not None
        return "soak" if other[-1].ended + revision.content.soak > self.now else ""

    def _start(self, revision: Revision) -> None:
        steps = [StepState(step) for step in revision.flow]
        if revision.keeps and revision.runs:
            for new, old in zip(steps, revision.runs[-1].steps, strict=True):
                if old.phase in BAD or old.reason in ("StepFailed", "cut"):
                    break
                if old.phase == "Succeeded":
                    new.end("Succeeded")
                    new.approved = old.approved
                    new.attempt, new.look = old.attempt, old.look
        revision.runs.append(Run(len(revision.runs) + 1, steps))
        revision.phase, revision.reason = "Running", ""
        revision.keeps = False

    def _end(self, environment: Environment, revision: Revision, reason: str) -> None:
        """End a revision at its next safe point; one that never ran ends at once."""
        active = environment.active
        if active is None or active[0] is not revision:
            revision.phase, revision.reason, revision.ended = (
                "Aborted",
                reason,
                self.now,
            )
            return
        run = active[1]
        run.ending = run.ending or (reason, self.now)
        self._settle(environment, revision, run)

    # --- section 4: a run ---

    def _settle(self, environment: Environment, revision: Revision, run: Run) -> None:
        while self._moved(environment, revision, run):
            pass
        if all(s.is_over for s in run.steps):
            bad = next((s for s in run.steps if s.phase in BAD), None)
            run.phase, revision.reason = "Succeeded", ""
            if run.ending is not None:
                run.phase, revision.reason = "Aborted", run.ending[0]
            elif bad is not None:
                run.phase, revision.reason = bad.phase, bad.reason
            revision.phase, revision.ended = run.phase, self.now
            if run.phase == "Succeeded":
                for other in environment.revisions:
                    other.released = other is revision
            return
        stands = any(s.phase == "Suspended" for s in run.steps)
        revision.phase = "Suspended" if stands and run.ending is None else "Running"

    def _moved(self, environment: Environment, revision: Revision, run: Run) -> bool:
        """Do one thing that follows by itself; whether there was any."""
        for place, state in enumerate(run.steps):
            if state.is_over:
                continue
            if run.ending is not None:
                _reason, since = run.ending
                if since + FINAL_TIMEOUT <= self.now:
                    state.end("Aborted", "FinalTimeout")
                    return True
                goes_on = state.step.always and state.phase != "Suspended"
                if not (state.in_flight or goes_on):
                    state.end("Aborted" if state.begun else "Skipped", "cut")
                    return True
            if state.in_flight:
                continue
            if state.phase == "Pending":
                if self._begun(revision, run, place):
                    return True
                continue
            if self._on_time(environment, revision, run, state):
                return True
        return False

    def _begun(self, revision: Revision, run: Run, place: int) -> bool:
        state, before = run.steps[place], run.steps[:place]
        if state.asked or any(not s.is_over for s in before):
            return False
        failed = any(s.phase in BAD or s.reason == "cut" for s in before)
        if failed and not state.step.always:
            state.end("Skipped", "StepFailed")
        elif state.step.unless_rollback and revision.rollback:
            state.end("Skipped", "ConditionFalse")
        else:
            state.asked, state.due, state.attempt = True, self.now, 1
        return True

    def _on_time(
        self, environment: Environment, revision: Revision, run: Run, state: StepState
    ) -> bool:
        """A step that has begun: its time is over, it may go on, or it asks again."""
        if state.deadline is not None and state.deadline <= self.now:
            state.end("Failed", "Timeout")
            return True
        if state.phase == "Suspended":
            is_paused = environment.name in self.paused or "" in self.paused
            if state.reason == "Paused":
                if is_paused and not (state.due and state.due <= self.now):
                    return False
                self._again(state)
                return True
            if run.ending is not None:
                return False
            approvals = self._quorum(environment, revision, run, state)
            if approvals is None:
                return False
            for decision in approvals:
                decision.acted = True
            if state.reason == "ApprovalRequired":
                state.approved = True
                self._again(state)
            else:
                state.end("Succeeded")
            return True
        if state.asked:
            return False
        state.asked = True
        if state.reason in ("Retrying", "LetGo"):
            state.attempt, state.look = state.attempt + 1, 0
        else:
            state.look += 1
        return True

    def _again(self, state: StepState) -> None:
        """What held it is over: it begins now, and has its whole time."""
        state.phase, state.reason, state.due = "Running", "LetGo", self.now
        state.begun, state.deadline = False, None

    def begin(
        self, name: str, number: int, ordinal: int, step: str, at: tuple[int, int]
    ) -> str:
        """A worker takes work on: `stale`, `held`, or `acts`."""
        environment = self.environments[name]
        revision = environment.revisions[number - 1]
        run = revision.runs[ordinal - 1]
        state = next(s for s in run.steps if s.step.name == step)
        is_asked = state.asked and (state.attempt, state.look) == at
        if run.phase in FINAL or state.is_over or not is_asked:
            return "stale"
        state.phase = "Running"
        if state.look == 0 and self._is_held(environment, revision, state):
            state.asked, state.begun = False, True
            state.phase = "Suspended"
            self._go_on(environment)
            return "held"
        state.reason = "" if state.look == 0 else state.reason
        state.in_flight, state.begun = True, True
        time = ASK_TIMEOUT if state.step.asks else WORK_TIMEOUT
        state.deadline = state.deadline or self.now + time
        if state.look == 0 and not state.step.asks:
            effect = (number, ordinal, step, state.attempt, revision.content)
            environment.effects.append(effect)
        return "acts"

    def _is_held(
        self, environment: Environment, revision: Revision, state: StepState
    ) -> bool:
        """A pause stops new attempts; a gate holds writes until they are approved."""
        if environment.name in self.paused or "" in self.paused:
            state.reason, state.deadline = "Paused", None
            state.due = self.now + timedelta(hours=1)
            return True
        waived = revision.rollback and self.rules.gate_waives_rollbacks
        if self._gated(state.step) and not (waived or state.approved):
            state.reason, state.due = "ApprovalRequired", None
            state.deadline = self.now + GATE_TIMEOUT
            return True
        return False

    def finish(self, name: str, number: int, ordinal: int, step: str) -> None:
        """The worker reports what the world made of it."""
        environment = self.environments[name]
        revision = environment.revisions[number - 1]
        run = revision.runs[ordinal - 1]
        state = next(s for s in run.steps if s.step.name == step)
        if not state.in_flight:
            return  # overtaken: a stale worker is fenced
        state.asked = state.in_flight = False
        content = revision.content
        ends = content.ends(state.step, state.failures, state.look)
        state.failures += ends == "fail"
        if state.step.asks:
            state.phase, state.due = "Suspended", None
        elif ends == "ok":
            state.end("Succeeded")
        elif ends == "wait":
            state.due = self.now + content.looks_after
        elif state.failures > state.step.retries:
            exhausted = state.step.retries > 0
            state.end("Failed", "RetriesExhausted" if exhausted else "StepFailed")
        elif run.ending is not None and not state.step.always:
            state.end("Failed", "StepFailed")
        else:
            state.reason, state.due = "Retrying", self.now + BACK_OFF
        self._go_on(environment)

    # --- time ---

    def moments(self) -> list[datetime]:
        """When something changes by time alone, in order."""
        found = [m for e in self._sorted() for m in self._moments(e)]
        return sorted(m for m in found if m > self.now)

    def _moments(self, environment: Environment) -> Iterator[datetime]:
        active = environment.active
        if active is None:
            for revision in environment.unfinished[:1]:
                other = self.environments.get(revision.content.after)
                for one in other.revisions if other else ():
                    if one.ended is not None:
                        yield one.ended + revision.content.soak
            return
        run = active[1]
        if run.ending is not None:
            yield run.ending[1] + FINAL_TIMEOUT
        for state in run.steps:
            if not state.is_over and not state.in_flight:
                if state.deadline is not None:
                    yield state.deadline
                if state.due is not None:
                    yield state.due

    def asked(self) -> set[tuple[str, int, int, str, int, int]]:
        """The work that must be in the queue."""
        return {
            (
                e.name,
                active[0].number,
                active[1].ordinal,
                s.step.name,
                s.attempt,
                s.look,
            )
            for e in self._sorted()
            if (active := e.active) is not None
            for s in active[1].steps
            if s.asked and not s.is_over
        }
