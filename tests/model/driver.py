"""The product and the model side by side, driven by the same pushes, polls and time.

The product is real: Git, the SQLite store, the services. Only the world that a step
writes to is made up, and the queue is kept in memory: like the one of the daemon it
holds work if, and only if, the transaction that asked for it committed, and gives it
up only once it was carried out.
"""

import shutil
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import Any

from gitops_wf.adapters.sql_store import open_store
from gitops_wf.core.identifiers import TargetName, environment_id
from gitops_wf.core.phases import Phase
from gitops_wf.core.policy import Gate, OnRollback, Policy, PolicyRule, Rulebook
from gitops_wf.core.reminding import NEVER
from gitops_wf.ports.executor import AttemptWork
from gitops_wf.ports.git import Remote
from gitops_wf.ports.runner import StepContext, StepResult
from gitops_wf.services.brake import Brake
from gitops_wf.services.reaching import Reaching
from tests.fakes.clock import FakeClock
from tests.fakes.executor import ManualExecutor
from tests.gitworktree import bare_repository
from tests.model.reference import Model
from tests.model.words import OPEN, VAULT, Rules
from tests.model.writing import GitWriter
from tests.releases import REPOSITORY, FewStepTypes, Folders, ReleaseLine

MODELLED_REASONS = {"Failed", "Aborted", "Pending"}


class Killed(BaseException):
    """The process died; no `except Exception` may survive it."""


class MortalStore:
    """A store whose process dies at a chosen commit, before it or after it."""

    def __init__(self, inner: Any) -> None:
        self.inner = inner
        self.dies_at: tuple[int, str] | None = None

    def __getattr__(self, name: str) -> Any:
        return getattr(self.inner, name)

    @contextmanager
    def transaction(self) -> Iterator[Any]:
        now = None
        if self.dies_at is not None:
            left, when = self.dies_at
            self.dies_at = (left - 1, when) if left else None
            now = when if not left else None
        with self.inner.transaction() as transaction:
            yield transaction
            if now == "before":
                raise Killed
        if now == "after":
            raise Killed


class KeepingExecutor(ManualExecutor):
    """Holds work until it was carried out, as a durable queue does."""

    def due_now(self) -> AttemptWork | None:
        """The first work that is due."""
        due = [w for w in self._waiting if w[0] <= self._clock.now()]
        return min(due, key=lambda item: item[:2])[2] if due else None

    def waiting(self) -> list[AttemptWork]:
        return [work for _, _, work in self._waiting]

    def done(self, work: AttemptWork) -> None:
        self._waiting = [w for w in self._waiting if w[2] is not work]


class World:
    """What steps write to: it notes each write down, and ends as the driver says."""

    def __init__(self) -> None:
        self.written: list[tuple[str, int, int, str, int, str]] = []
        self.meets: Callable[[StepContext], StepResult] = lambda _: StepResult(
            phase=Phase.SUCCEEDED
        )

    def attempt(self, context: StepContext) -> StepResult:
        subject = context.subject
        self.written.append(
            (
                context.environment.name,
                subject.number,
                context.run_ordinal,
                context.step,
                context.attempt,
                subject.inputs,
            )
        )
        return self.meets(context)

    def look(self, context: StepContext) -> StepResult:
        return self.meets(context)


@cache
def _template() -> Path:
    """An empty remote, a clone of it and an empty store: made once, then copied."""
    place = Path(mkdtemp(prefix="model-"))
    bare_repository(place / "remote.git")
    open_store(place / "store.db").close()
    return place


class Daemon(ReleaseLine):
    """A release line that can be killed; its remote is written without processes."""

    def __init__(self, path: Path, rules: Rules) -> None:
        shutil.copytree(_template(), path, dirs_exist_ok=True)
        self.path = path
        self.remote = path / "remote.git"
        self.writer = GitWriter(self.remote)
        self.clock = FakeClock()
        self.executor = KeepingExecutor(self.clock)
        self.beside = {}
        self.world = World()
        self.rules = rules
        self.known, self.capabilities = None, {}
        self.reminders = NEVER
        self.clusters = Folders(path / "targets")
        self._tokens = iter(f"token-{n}" for n in range(10**6))
        self.up()

    def up(self) -> None:
        """Begin, as a process does: with nothing but the store, the clone, the queue."""
        self.store = MortalStore(open_store(self.path / "store.db"))
        self.reaching = Reaching(clock=self.clock)
        remote = Remote(url=str(self.remote), branch="main")
        self._watch(self.path / "clone.git", remote, targets=(TargetName(OPEN),))
        self.catalogue = FewStepTypes(self.world)
        self.restart(rulebook=_rulebook(self.rules))

    def down(self) -> None:
        self.git.close()
        self.store.close()

    def kill(self) -> None:
        self.down()
        self.up()


def _rulebook(rules: Rules) -> Rulebook:
    policy = Policy(approvers=rules.approvers, min_approvals=rules.needed)
    gates = {}
    if rules.gate is not None:
        target = TargetName(VAULT)
        waived = rules.gate_waives_rollbacks
        gates[target] = Gate(
            target=target,
            policy=Policy(approvers=rules.gate, min_approvals=rules.gate_needed),
            rollback=OnRollback.WAIVED if waived else OnRollback.REQUIRED,
        )
    return Rulebook(
        rules=(PolicyRule(environments=("*",), policy=policy),), gates=gates
    )


class Pair:
    """The product and the model, told the same; `check` compares them."""

    def __init__(self, path: Path, rules: Rules) -> None:
        self.daemon = Daemon(path, rules)
        self.writer = self.daemon.writer
        self.model = Model(self.writer.history, rules, self.daemon.clock.now())
        self.head: str | None = None
        self.meanwhile: Callable[[], None] | None = None
        self.dies_at: tuple[int, str] | None = None
        self.daemon.world.meets = self._meets

    def close(self) -> None:
        self.daemon.down()

    # --- what people and time do ---

    def push(self, sha: str) -> None:
        self.head = sha
        self.writer.move_branch(sha)

    def poll(self) -> None:
        """A poll, which may die at any of its commits and is made again."""
        if self.head is None:
            return
        self._surviving(self.daemon.poll)
        self.model.poll(self.head)
        self.tick()

    def tick(self) -> None:
        self._surviving(self.daemon.due.act)
        self.model.tick()

    def work(self, most: int = 1_000) -> int:
        """Carry out work that is due; say how much."""
        for done in range(most):
            work = self.daemon.executor.due_now()
            if work is None:
                return done
            self._carry_out(work)
            self.tick()
        assert most < 1_000, "work asks for work without end"
        return most

    def wait(self, span: timedelta) -> None:
        """Let time pass; each thing is done when it is due."""
        end = self.daemon.clock.now() + span
        self.work()
        while (moment := self._next_moment()) is not None and moment <= end:
            self._be_at(moment)
            self.tick()
            self.work()
        self._be_at(end)
        self.tick()
        self.work()

    def pause(self, name: str, *, is_over: bool = False) -> None:
        """The brake for one environment, or for all (an empty name)."""
        daemon = self.daemon
        brake = Brake(
            store=daemon.store,
            clock=daemon.clock,
            by="root",
            announcer=daemon.announcer,
        )
        where = [environment_id(REPOSITORY, name) if name else None]
        if is_over:
            brake.resume(where)
            self.model.paused.discard(name)
            self.tick()
        else:
            brake.pause(where, "hands off")
            self.model.paused.add(name)

    def kill(self) -> None:
        """Between transactions."""
        self.daemon.kill()
        self.daemon.world.meets = self._meets

    # --- how they are kept in step ---

    def _be_at(self, moment: datetime) -> None:
        clock = self.daemon.clock
        clock.pass_time(moment - clock.now())
        self.model.now = clock.now()

    def _next_moment(self) -> datetime | None:
        now = self.daemon.clock.now()
        with self.daemon.store.read() as reader:
            found = [reader.next_due(), self.daemon.executor.next_due()]
        known = [m for m in found if m is not None and m > now]
        return min([*known, *self.model.moments()], default=None)

    def _surviving(self, act: Callable[[], Any]) -> None:
        name = act.__qualname__.rpartition(".")[2]
        self.daemon.store.dies_at, self.dies_at = self.dies_at, None
        try:
            act()
        except Killed:
            self.kill()
            again = self.daemon.due.act if name == "act" else self.daemon.poll
            again()
        self.daemon.store.dies_at = None

    def _carry_out(self, work: AttemptWork) -> None:
        daemon, name = self.daemon, work.environment.partition("/")[2]
        number, ordinal = (int(n) for n in work.run.rpartition("#")[2].split("."))
        place = (name, number, ordinal, work.step)
        verdict = self.model.begin(*place, (work.attempt, work.look))
        self._begun = (place, verdict)
        before = len(daemon.world.written)
        dies, self.dies_at = self.dies_at, None
        daemon.store.dies_at = dies
        try:
            daemon.executor.carry_out(work)
        except Killed:
            self.kill()
            daemon.executor.carry_out(work)
        daemon.store.dies_at = None
        daemon.executor.done(work)
        if verdict == "acts":
            self.model.finish(*place)
        written = daemon.world.written[before:]
        # At most the attempt in flight is repeated.
        assert len(written) <= (2 if dies else 1), written
        assert len(set(written)) <= 1, written
        del daemon.world.written[before + 1 :]

    def _meets(self, context: StepContext) -> StepResult:
        place, verdict = self._begun
        name, number, ordinal, step = place
        mine = (context.environment.name, context.subject.number)
        assert (mine, verdict) == ((name, number), "acts"), (place, verdict, mine)
        revision = self.model.environments[name].revisions[number - 1]
        state = next(s for s in revision.runs[ordinal - 1].steps if s.step.name == step)
        ends = revision.content.ends(state.step, state.failures, context.look)
        meanwhile, self.meanwhile = self.meanwhile, None
        if meanwhile is not None:
            meanwhile()
        if ends == "wait":
            after = revision.content.looks_after
            return StepResult(phase=Phase.RUNNING, message="not yet", retry_after=after)
        if ends == "fail":
            return StepResult(phase=Phase.FAILED, message="the image is broken")
        return StepResult(phase=Phase.SUCCEEDED, message="done")

    # --- what must be the same ---

    def check(self) -> None:
        """Compare everything that the model predicts, and what must hold anyway."""
        with self.daemon.store.read() as reader:
            records = {r.name: r for r in reader.environments(REPOSITORY)}
            assert set(records) == set(self.model.environments)
            for name, model in self.model.environments.items():
                found = list(reversed(reader.revisions(records[name].id)))
                self._check_revisions(name, found, model)
                active = [
                    r for r in reader.runs(records[name].id) if not r.phase.is_final
                ]
                assert len(active) <= 1, active
                for run in active:
                    self._check_steps(run, model)
                decisions = reader.decisions(records[name].id)
                self._check_decisions(name, decisions, model)
                assert records[name].last_number == len(found)
                unreadable = "ApprovalsUnreadable" in records[name].conditions
                assert unreadable == model.unreadable, (name, "unreadable")
        self._check_effects()
        self._check_queue()

    def _check_revisions(self, name: str, found: Any, model: Any) -> None:
        mine = [
            (
                r.number,
                r.commit[:8],
                r.phase,
                _told(r),
                r.rollback,
                r.barred,
                r.released,
            )
            for r in model.revisions
        ]
        real = [
            (
                r.number,
                r.commit[:8],
                r.phase.value,
                _told(r),
                r.is_rollback,
                r.barred,
                r.released,
            )
            for r in found
        ]
        assert real == mine, f"{name}: revisions: product, then model\n{real}\n{mine}"

    def _check_steps(self, run: Any, model: Any) -> None:
        assert model.active is not None, run.id
        revision, mine = model.active
        assert (revision.number, mine.ordinal) == (run.subject.number, run.ordinal)
        real = [(s.name, s.phase.value, s.attempt, s.look) for s in run.steps]
        want = [(s.step.name, s.phase, s.attempt, s.look) for s in mine.steps]
        assert _plain(real) == _plain(want), f"steps\n{real}\n{want}"

    def _check_decisions(self, name: str, decisions: Any, model: Any) -> None:
        real = {
            (
                d.entry.revision,
                d.entry.step or "",
                d.entry.decision.value,
                d.entry.by,
                d.entry.run,
                d.person,
            ): (d.effect.value, d.acted, d.reason)
            for d in decisions
        }
        mine = {
            (*key, person): (d.effect, d.acted)
            for (key, person), d in model.decisions.items()
        }
        plain = {key: value[:2] for key, value in real.items()}
        assert plain == mine, f"{name}: decisions\n{real}\n{mine}"

    def _check_effects(self) -> None:
        for name, model in self.model.environments.items():
            real = [w[1:5] for w in self.daemon.world.written if w[0] == name]
            assert real == [e[:4] for e in model.effects], name
            ran = [w[1:4] for w in self.daemon.world.written if w[0] == name]
            for revision in model.revisions:
                for run in revision.runs:
                    for state in run.steps:
                        times = ran.count(
                            (revision.number, run.ordinal, state.step.name)
                        )
                        most = state.step.retries + 1
                        assert times <= most, (name, revision.number, state, times)

    def _check_queue(self) -> None:
        real = set()
        with self.daemon.store.read() as reader:
            for work in self.daemon.executor.waiting():
                run = reader.run(work.run)
                step = run.step(work.step)
                is_wanted = not step.phase.is_final and step.is_asked
                if is_wanted and (step.attempt, step.look) == (work.attempt, work.look):
                    name = work.environment.partition("/")[2]
                    real.add(
                        (
                            name,
                            run.subject.number,
                            run.ordinal,
                            work.step,
                            work.attempt,
                            work.look,
                        )
                    )
        assert real == self.model.asked(), f"queue\n{real}\n{self.model.asked()}"


def _told(revision: Any) -> str:
    """Why a revision is not going on; what a run says while it runs is its steps'."""
    return revision.reason if str(revision.phase) in MODELLED_REASONS else ""


def _plain(steps: Any) -> Any:
    """A step that was cut short is Aborted or Skipped: both are the same here."""
    return [
        (n, "cut" if p in ("Aborted", "Skipped") else p, *more) for n, p, *more in steps
    ]
