"""A run driven as the services drive it: a queue, workers, a clock, all in memory."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from gitops_wf.core.durations import parse_duration
from gitops_wf.core.engine import (
    Asked,
    Began,
    EndRequested,
    EngineEvent,
    Released,
    Reported,
    decide,
    is_current,
    new_run,
    next_due,
    record,
)
from gitops_wf.core.identifiers import EnvironmentId, RunId, Sha, StepName, TargetName
from gitops_wf.core.phases import Phase, Reason
from gitops_wf.core.run import Run, StepRun, Subject
from gitops_wf.core.workflow import Backoff, Input, Mode, Output, Retry, Step, Workflow

NOW = datetime(2026, 3, 1, 12, tzinfo=UTC)
DAG, STEP_BY_STEP = Mode.DAG, Mode.STEP_BY_STEP

Result = Mapping[str, Any]
"""The fields of a report, less those that say whose it is."""

OK: Result = {"phase": Phase.SUCCEEDED}
NO: Result = {"phase": Phase.FAILED, "message": "the answer is no"}
ERROR: Result = {"phase": Phase.ERRORED, "message": "cannot tell"}
LATER: Result = {"phase": Phase.RUNNING, "message": "not yet"}
SLOWLY: Result = {**LATER, "retry_after": timedelta(minutes=1)}
WAIT: Result = {"phase": Phase.SUSPENDED, "message": "waits for approval"}
FINAL: Result = {**ERROR, "is_final": True, "reason": "Forbidden"}


def pause(text: str) -> Result:
    """A suspend step's report that goes on by itself."""
    return {"phase": Phase.SUSPENDED, "retry_after": parse_duration(text)}


def step(name: str, type_: str = "work", **more: Any) -> Step:
    """A step; ``when`` is its ``if``, durations are text, inputs pairs or names."""
    if "when" in more:
        more["condition"] = more.pop("when")
    if isinstance(more.get("timeout"), str):
        more["timeout"] = parse_duration(more["timeout"])
    if "retry" in more:
        backoff = Backoff(duration=timedelta(seconds=10))
        more["retry"] = Retry(limit=more["retry"], backoff=backoff)
    more["inputs"] = tuple(
        Input(source=source, parameter_key=key)
        for source, key in dict(more.get("inputs", {})).items()
    )
    more["outputs"] = tuple(
        Output(name=name_, value_from=value)
        for name_, value in dict(more.get("outputs", {})).items()
    )
    names = more.pop("depends_on", "").split()
    targets = more.pop("targets", "").split()
    return Step(
        name=StepName(name),
        type=type_,
        depends_on=tuple(StepName(n) for n in names),
        targets=tuple(TargetName(t) for t in targets),
        **more,
    )


def group(name: str, *sub_steps: Step, **more: Any) -> Step:
    """A step-group."""
    return step(name, "step-group", sub_steps=sub_steps, **more)


def suspend(name: str, **more: Any) -> Step:
    """A suspend step; its runner's reports are scripted as any other's."""
    return step(name, "suspend", **more)


def workflow(*steps: Step, **more: Any) -> Workflow:
    """A workflow; ``timeout`` and ``final_timeout`` are text."""
    for key in ("timeout", "final_timeout"):
        if isinstance(more.get(key), str):
            more[key] = parse_duration(more[key])
    return Workflow(steps=steps, **more)


def a_run(flow: Workflow, kept: Run | None = None, **subject: Any) -> Run:
    """A run of the workflow that has not begun."""
    ordinal = 1 if kept is None else kept.ordinal + 1
    values: dict[str, Any] = {
        "environment": EnvironmentId("shop/prod"),
        "number": 7,
        "commit": Sha("4f1c2d9e" + "0" * 32),
        "inputs": "inputs",
    }
    return new_run(
        run=RunId(f"shop/prod#7.{ordinal}"),
        ordinal=ordinal,
        subject=Subject(**(values | subject)),
        workflow=flow,
        now=NOW,
        kept=kept,
    )


class Simulation:
    """Carries a run out by a script: for each step, its reports in order.

    A step without a script succeeds; the last report of a script repeats. ``acted``
    lists what workers did, as ``name`` for a try and ``name?`` for a look.
    """

    def __init__(
        self,
        *steps: Step,
        script: Mapping[str, Sequence[Result]] | None = None,
        gated: Sequence[str] = (),
        kept: Run | None = None,
        subject: Mapping[str, Any] | None = None,
        **more: Any,
    ) -> None:
        self.start = a_run(workflow(*steps, **more), kept, **(subject or {}))
        self.run = self.start
        self.now = NOW
        self.script = {name: list(reports) for name, reports in (script or {}).items()}
        self.gated = frozenset(gated)
        self.queue: list[Asked] = []
        self.asked: list[Asked] = []
        self.events: list[EngineEvent] = []
        self.acted: list[str] = []
        self._tokens = 0
        self.advance()

    def __getitem__(self, name: str) -> StepRun:
        return self.run.step(StepName(name))

    @property
    def phases(self) -> dict[str, str]:
        """Each step's phase by name."""
        return {s.name: s.phase.value for s in self.run.steps}

    def why(self, name: str) -> str:
        """A step's phase and reason, as users see them."""
        found = self[name]
        return f"{found.phase}/{found.reason}" if found.reason else found.phase.value

    @property
    def end(self) -> str:
        """The run's phase and reason."""
        run = self.run
        return f"{run.phase}/{run.reason}" if run.reason else run.phase.value

    def record(self, event: EngineEvent) -> None:
        """Record an event, and keep it for replays."""
        self.run = record(self.run, event)
        self.events.append(event)

    def advance(self) -> None:
        """Record all that follows by itself, one by one as `advance` does."""
        while (event := next(decide(self.run, self.now), None)) is not None:
            self.record(event)
            if isinstance(event, Asked):
                self.queue.append(event)
                self.asked.append(event)

    def begin(self, name: str, token: str = "") -> str:
        """A worker takes on what is asked for; return its token."""
        found = self[name]
        self._tokens += 1
        token = token or f"token-{self._tokens}"
        self.record(
            Began(
                step=found.name,
                attempt=found.attempt,
                look=found.look,
                token=token,
                at=self.now,
            )
        )
        return token

    def report(self, name: str, token: str, result: Result) -> None:
        """A worker says what it found."""
        self.record(Reported(step=StepName(name), token=token, at=self.now, **result))
        self.advance()

    def release(self, name: str, *by: str) -> Run:
        """Enough people approved."""
        self.record(Released(step=StepName(name), at=self.now, by=by))
        self.advance()
        return self.go()

    def request_end(self, reason: str = Reason.SUPERSEDED) -> Run:
        """The run must end."""
        event = EndRequested(
            phase=Phase.ABORTED, reason=reason, message="a newer one", at=self.now
        )
        self.record(event)
        self.advance()
        return self.go()

    def go(self) -> Run:
        """Carry out all that is in the queue and due now."""
        for _ in range(1_000):
            due = [asked for asked in self.queue if asked.due <= self.now]
            if not due:
                return self.run
            self.queue.remove(due[0])
            self._carry_out(due[0])
        raise AssertionError("it never stops asking for work")

    def wait(self, text: str) -> Run:
        """Let time pass, doing each thing when it is due."""
        return self.until(self.now + parse_duration(text))

    def until(self, end: datetime) -> Run:
        """Let time pass up to a moment, doing each thing when it is due."""
        self.go()
        while (moment := self.next_moment()) is not None and moment <= end:
            self.now = max(self.now, moment)
            self.advance()
            self.go()
        self.now = end
        self.advance()
        return self.go()

    def next_moment(self) -> datetime | None:
        """When something is due, in the queue or by time alone."""
        moments = [asked.due for asked in self.queue]
        due = next_due(self.run)
        return min([*moments, *([due] if due else [])], default=None)

    def _carry_out(self, asked: Asked) -> None:
        if self.run.phase.is_final:
            return
        found = self[asked.step]
        if not is_current(found, asked.attempt, asked.look):
            return
        token = self.begin(asked.step)
        if asked.step in self.gated and not (self[asked.step].released or asked.look):
            held = {"phase": Phase.SUSPENDED, "reason": Reason.APPROVAL_REQUIRED}
            self.report(asked.step, token, held)
            return
        self.acted.append(f"{asked.step}{'?' if asked.look else ''}")
        script = self.script.get(asked.step, [OK])
        result = script.pop(0) if len(script) > 1 else script[0]
        self.report(asked.step, token, result)
