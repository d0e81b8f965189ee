"""Carrying out one attempt or look of a step: record, act, record.

The attempt is in the store before its effect and its result after (design 3.4). A
worker that was overtaken holds a stale token, and what it reports is dropped.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

import structlog

from gitops_wf.core.engine import Began, Reported, is_current, record
from gitops_wf.core.errors import GitOpsError, TerminalError, TransientError, cut
from gitops_wf.core.identifiers import TargetName, environment_name
from gitops_wf.core.message import Delivery
from gitops_wf.core.phases import Phase, Reason
from gitops_wf.core.revision import Revision
from gitops_wf.core.run import Run, StepRun
from gitops_wf.ports.clock import Clock
from gitops_wf.ports.executor import AttemptWork, PostponedError
from gitops_wf.ports.runner import StepContext, StepResult
from gitops_wf.ports.store import Reader, Store, Transaction
from gitops_wf.services.advance import Advance
from gitops_wf.services.announce import Announcer
from gitops_wf.services.approvals import Approvals
from gitops_wf.services.brake import paused_text
from gitops_wf.services.reaching import Reaching
from gitops_wf.services.step_runners import StepRunners
from gitops_wf.services.watched_store import Recorder

log = structlog.get_logger()

LOOK_AGAIN_AFTER_ERROR = timedelta(seconds=5)

ASK_AGAIN = timedelta(hours=1)
"""What ends a pause moves it on at once; this says that it waits for no approval."""

HEAL_WAIT = timedelta(seconds=1)
"""A heal is a few requests; what drifted is rarely much."""

_CANNOT_TELL = frozenset(
    {
        Reason.TARGET_NOT_CONFIGURED,
        Reason.OWNED_BY_ANOTHER,
        Reason.STORE_BEHIND,
    }
)
"""Causes that say nothing about the revision itself: Errored, not Failed."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Task:
    """What a worker took on: everything it needs without the store."""

    run: Run
    step: StepRun
    revision: Revision
    deliveries: tuple[Delivery, ...]
    token: str


class Attempts:
    """Carries out attempts and looks."""

    def __init__(
        self,
        *,
        store: Store,
        clock: Clock,
        advance: Advance,
        approvals: Approvals,
        announcer: Announcer,
        runners: StepRunners,
        new_token: Callable[[], str],
        recorder: Recorder,
        reaching: Reaching,
    ) -> None:
        self._store = store
        self._clock = clock
        self._advance = advance
        self._approvals = approvals
        self._announcer = announcer
        self._runners = runners
        self._new_token = new_token
        self._recorder = recorder
        self._reaching = reaching

    def carry_out(self, work: AttemptWork) -> None:
        """Do what was asked for, unless it is no longer wanted.

        Errors: PostponedError where it cannot be done yet, such as on a target that
        hangs and is asked by another.
        """
        with self._reaching.release(work.target) as refusal:
            if refusal is not None:
                raise PostponedError(
                    f"target {work.target} does not answer: {refusal.error}",
                    retry_after=refusal.until - self._clock.now(),
                )
            self._carry_out(work)

    def _carry_out(self, work: AttemptWork) -> None:
        task = self._begin(work)
        if task is None:
            return
        with structlog.contextvars.bound_contextvars(
            environment=work.environment,
            revision=task.run.subject.number,
            commit=task.run.subject.commit,
            run=work.run,
            step=work.step,
            target=task.step.target or "",
        ):
            result = self._act(task)
            self._recorder.insist(lambda: self._report(work, task, result))

    def _begin(self, work: AttemptWork) -> _Task | None:
        with self._store.transaction() as transaction:
            if not transaction.lock_environment(work.environment):
                return None
            run = transaction.run(work.run)
            if run is None or run.phase.is_final:
                return None
            step = run.step(work.step)
            if not is_current(step, work.attempt, work.look):
                return None
            now = self._clock.now()
            _wait_for_heal(transaction, run, step, now)
            token = self._new_token()
            begun = record(
                run,
                Began(
                    step=work.step,
                    attempt=work.attempt,
                    look=work.look,
                    token=token,
                    at=now,
                ),
            )
            held = self._held(transaction, begun, begun.step(work.step))
            if held is not None:
                report = _reported(work, token, held, now=now)
                self._advance.run(transaction, run, record(begun, report), now)
                return None
            stored = replace(begun, seq=run.seq + 1)
            transaction.save_run(stored)
            revision = transaction.revision(work.environment, run.subject.number)
            assert revision is not None
            return _Task(
                run=stored,
                step=stored.step(work.step),
                revision=revision,
                deliveries=tuple(transaction.deliveries(work.run, work.step)),
                token=token,
            )

    def _held(self, reader: Reader, run: Run, step: StepRun) -> StepResult | None:
        """Hold what would begin now; what has begun is looked at to its end."""
        if step.look:
            return None
        paused = paused_text(reader, run.subject.environment)
        if paused:
            return StepResult(
                phase=Phase.SUSPENDED,
                reason=Reason.PAUSED,
                message=paused,
                retry_after=ASK_AGAIN,
            )
        return self._gate(run, step) or self._frozen(reader, run, step)

    def _gate(self, run: Run, step: StepRun) -> StepResult | None:
        """Hold a write to a gated target until this revision is approved for it."""
        if step.released:
            return None
        gates = self._approvals.gates(run, step)
        if not gates:
            return None
        names = ", ".join(gate.target for gate in gates)
        return StepResult(
            phase=Phase.SUSPENDED,
            reason=Reason.APPROVAL_REQUIRED,
            message=f"the gate of {names} needs an approval of this revision",
        )

    def _frozen(self, reader: Reader, run: Run, step: StepRun) -> StepResult | None:
        """Hold a write in a freeze window to its end, where time alone ends it."""
        now = self._clock.now()
        found = self._approvals.frozen(reader, run, step, now)
        if found is None:
            return None
        left = ASK_AGAIN if found.until is None else found.until - now
        return StepResult(
            phase=Phase.SUSPENDED,
            reason=Reason.FREEZE_WINDOW,
            message=f"{step.target} is {found.text}",
            retry_after=left,
        )

    def _act(self, task: _Task) -> StepResult:
        is_look = task.step.look > 0
        try:
            if task.step.target is not None:
                self._check_target(task, task.step.target)
            context = self._context(task)
            for target in self._runners.reads(task.step, context):
                self._check_target(task, target)
            runner = self._runners.runner(task.step)
            return runner.look(context) if is_look else runner.attempt(context)
        except TransientError as error:
            if is_look:
                # Not to see is no answer; the step's own deadline ends it.
                return StepResult(
                    phase=Phase.RUNNING,
                    reason=Reason.EXECUTION_ERROR,
                    message=f"cannot look: {error}",
                    retry_after=error.retry_after or LOOK_AGAIN_AFTER_ERROR,
                )
            return StepResult(
                phase=Phase.ERRORED,
                reason=Reason.EXECUTION_ERROR,
                message=str(error),
                retry_after=error.retry_after,
            )
        except TerminalError as error:
            phase = Phase.ERRORED if error.reason in _CANNOT_TELL else Phase.FAILED
            return StepResult(
                phase=phase, reason=error.reason, message=str(error), is_final=True
            )
        except GitOpsError as error:
            return StepResult(
                phase=Phase.FAILED,
                reason=Reason.INVALID_DEFINITION,
                message=str(error),
                is_final=True,
            )
        except Exception as error:
            # The one place that survives a bug in a step type: the run says so,
            # every other environment goes on.
            log.exception("step.crashed", type=task.step.type)
            return StepResult(
                phase=Phase.ERRORED,
                reason=Reason.EXECUTION_ERROR,
                message=f"{task.step.type} crashed: {cut(repr(error))}",
            )

    def _check_target(self, task: _Task, target: TargetName) -> None:
        """Refuse a target that the daemon config keeps from the environment."""
        environment = task.run.subject.environment
        if not self._approvals.may_use(environment, target):
            raise TerminalError(
                f"{environment_name(environment)} may not use target {target}: no"
                " policy of the daemon config that is for it lists the target",
                reason=Reason.TARGET_NOT_ALLOWED,
            )

    def _context(self, task: _Task) -> StepContext:
        assert task.step.started is not None
        return self._runners.context(
            task.run,
            task.step,
            task.revision,
            started=task.step.started,
            now=self._clock.now(),
            deliveries=task.deliveries,
        )

    def _report(self, work: AttemptWork, task: _Task, result: StepResult) -> None:
        with self._store.transaction() as transaction:
            transaction.lock_environment(work.environment)
            run = transaction.run(work.run)
            assert run is not None
            step = run.step(work.step)
            if run.phase.is_final or step.token != task.token:
                log.info("attempt.fenced", attempt=work.attempt, look=work.look)
                return
            now = self._clock.now()
            after = record(run, _reported(work, task.token, result, now=now))
            self._post(transaction, task, result)
            if result.inventory is not None and step.target is not None:
                transaction.save_inventory(
                    work.environment, step.target, result.inventory
                )
            self._advance.run(transaction, run, after, now)
        phase = after.step(work.step).phase
        about = log.bind(phase=phase.value, attempt=work.attempt, look=work.look)
        if phase in {Phase.FAILED, Phase.ERRORED}:
            about.warning("step.failed", reason=result.reason, message=result.message)
        else:
            about.info("step.reported", message=result.message)

    def _post(self, transaction: Transaction, task: _Task, result: StepResult) -> None:
        for message in result.messages:
            self._announcer.post(
                transaction,
                Delivery(
                    key=f"{task.run.id}/{task.step.name}/{message.item}",
                    environment=task.run.subject.environment,
                    run=task.run.id,
                    step=task.step.name,
                    message=message,
                    created=self._clock.now(),
                ),
            )


def _wait_for_heal(reader: Reader, run: Run, step: StepRun, now: datetime) -> None:
    """Let what drifted be healed first, where that is being done on the target.

    Errors: PostponedError, for the queue to bring the work again.
    """
    if step.look or step.target is None:
        return
    state = reader.upkeep(run.subject.environment).get(step.target)
    if state is not None and state.is_leased(now):
        raise PostponedError(
            f"what drifted on {step.target} is being healed", retry_after=HEAL_WAIT
        )


def _reported(
    work: AttemptWork, token: str, result: StepResult, *, now: datetime
) -> Reported:
    return Reported(
        step=work.step,
        token=token,
        phase=result.phase,
        at=now,
        reason=result.reason,
        message=result.message,
        outputs=result.outputs,
        memo=result.memo,
        objects=result.objects,
        retry_after=result.retry_after,
        is_final=result.is_final,
        digest=result.digest,
        remind=result.remind,
    )
