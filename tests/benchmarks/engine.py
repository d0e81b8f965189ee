"""How fast the store and the executor are: python -m tests.benchmarks.engine.

Prints figures, asserts nothing. Each measurement has a process of its own, for DBOS
is a singleton, and an empty database.
"""

import multiprocessing
import os
import resource
import signal
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

from gitops_wf.adapters.dbos_executor import DbosExecutor, Limits
from gitops_wf.adapters.sql_store import SqlStore, open_store
from gitops_wf.adapters.step_catalogue import EntryPointCatalogue
from gitops_wf.adapters.system_clock import SystemClock
from gitops_wf.core.environment import Environment
from gitops_wf.core.identifiers import (
    EnvironmentId,
    RunId,
    TargetName,
    environment_name,
)
from gitops_wf.core.phases import Phase
from gitops_wf.core.policy import Rulebook
from gitops_wf.core.revision import Revision
from gitops_wf.core.run import Run, StepRun, Subject
from gitops_wf.core.workflow import Step, Workflow
from gitops_wf.logs import configure_logs
from gitops_wf.ports.executor import AttemptWork, Work
from gitops_wf.ports.runner import Capabilities
from gitops_wf.ports.store import EnvironmentRecord
from gitops_wf.services.advance import Advance
from gitops_wf.services.announce import Announcer
from gitops_wf.services.approvals import Approvals
from gitops_wf.services.attempts import Attempts
from gitops_wf.services.reaching import Reaching
from gitops_wf.services.step_runners import StepRunners
from gitops_wf.services.watched_store import Recorder
from tests.postgres import postgres_server

ENVIRONMENTS = 200
STEPS = 5
DELAYED = 10_000


def latency(location: str) -> None:
    """Commit to the beginning of the attempt, in the same process."""
    store = open_store(location)
    executor = DbosExecutor(store.engine)
    begun: dict[str, float] = {}
    arrived = threading.Semaphore(0)

    def carry_out(work: Work) -> None:
        assert isinstance(work, AttemptWork)
        begun[work.run] = time.perf_counter()
        arrived.release()

    executor.start(carry_out)
    time.sleep(2.5)
    for target in (TargetName("eu"), None):
        taken = []
        for number in range(100):
            work = an_attempt(f"{target}{number}", target=target)
            with store.transaction() as transaction:
                executor.enqueue(transaction, work)
            committed = time.perf_counter()
            arrived.acquire()
            taken.append(1000 * (begun[work.run] - committed))
            time.sleep(0.02)
        cuts = statistics.quantiles(taken, n=10)
        where = "a target" if target else "outside"
        report(
            f"commit to begin, {where}: median {statistics.median(taken):.1f} ms,"
            f" p90 {cuts[-1]:.1f} ms, most {max(taken):.1f} ms"
        )
    work = an_attempt("late", target=None, delay=timedelta(seconds=0.5))
    with store.transaction() as transaction:
        executor.enqueue(transaction, work)
    committed = time.perf_counter()
    arrived.acquire()
    late = 1000 * (begun["late"] - committed) - 500
    report(f"begin after a delay of 500 ms: {late:.1f} ms late")
    report(f"idle: {idle():.2f} % of a core, {memory()} MB")
    executor.stop()
    store.close()


def transitions(location: str) -> None:
    """Whole runs: an attempt is two transactions of ours and DBOS's own."""
    store = open_store(location)
    executor = DbosExecutor(store.engine, limits=Limits(at_once=32, per_target=32))
    ended = threading.Semaphore(0)

    def carry_out(work: Work) -> None:
        assert isinstance(work, AttemptWork)
        move(store, work, Phase.RUNNING)
        run = move(store, work, Phase.SUCCEEDED, executor)
        if run.phase.is_final:
            ended.release()

    environments = [EnvironmentId(f"shop/e{n}") for n in range(ENVIRONMENTS)]
    with store.transaction() as transaction:
        for environment in environments:
            transaction.save_environment(
                EnvironmentRecord(
                    id=environment, repository="shop", name="e", folder="e"
                )
            )
    executor.start(carry_out)
    time.sleep(2.5)
    begin, cpu = time.perf_counter(), time.process_time()
    for environment in environments:
        run = a_run(environment)
        with store.transaction() as transaction:
            transaction.save_run(run)
            executor.enqueue(transaction, attempt_of(run, run.steps[0]))
    for _ in environments:
        ended.acquire()
    seconds = time.perf_counter() - begin
    count = ENVIRONMENTS * STEPS
    report(
        f"{ENVIRONMENTS} runs of {STEPS} steps: {seconds:.1f} s,"
        f" {count / seconds:.0f} attempts/s, {2 * count / seconds:.0f} transitions/s,"
        f" {1000 * (time.process_time() - cpu) / count:.1f} ms CPU per attempt"
    )
    executor.stop()
    store.close()


def services(location: str) -> None:
    """The same runs through the product's own services, with steps that do nothing.

    A transition is what begins or ends a step's attempt; beside it each run has those
    of its revision, its events and the queue of its environment.
    """
    configure_logs(json_lines=True)
    # The daemon's lines as they are, but to a place that no terminal slows down.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    store = open_store(location)
    executor = DbosExecutor(store.engine, limits=Limits(at_once=32, per_target=32))
    clock = SystemClock()
    announcer = Announcer(executor=executor, channels={})
    approvals = Approvals(rulebook=Rulebook())
    advance = Advance(executor=executor, announcer=announcer, approvals=approvals)
    runners = StepRunners(
        catalogue=EntryPointCatalogue(),
        capabilities=Capabilities(
            clusters=None,
            content=None,
            outbound=None,
            secrets=None,
            renderer=None,
            instance="benchmark",
            channels={},
        ),
    )
    attempts = Attempts(
        store=store,
        clock=clock,
        advance=advance,
        approvals=approvals,
        announcer=announcer,
        runners=runners,
        new_token=lambda: uuid4().hex,
        recorder=Recorder(wait=time.sleep),
        reaching=Reaching(clock=clock),
    )
    ended = threading.Semaphore(0)

    def carry_out(work: Work) -> None:
        assert isinstance(work, AttemptWork)
        attempts.carry_out(work)
        if work.step == f"s{STEPS - 1}":
            ended.release()

    environments = [EnvironmentId(f"shop/e{n}") for n in range(ENVIRONMENTS)]
    with store.transaction() as transaction:
        for environment in environments:
            transaction.save_environment(
                EnvironmentRecord(
                    id=environment,
                    repository="shop",
                    name=environment_name(environment),
                    folder=environment,
                )
            )
            transaction.save_revision(a_revision(environment, clock.now()))
    executor.start(carry_out)
    time.sleep(2.5)
    begin, cpu = time.perf_counter(), time.process_time()
    profile = None
    if os.environ.get("PROFILE"):
        profile = subprocess.Popen(
            [
                *(os.environ["PROFILE"], "record", "--gil", "-r", "200", "-f", "raw"),
                *("-o", f"{tempfile.gettempdir()}/engine.txt", "-p", str(os.getpid())),
            ],
            stdout=subprocess.DEVNULL,
        )
    for environment in environments:
        with store.transaction() as transaction:
            transaction.lock_environment(environment)
            advance.environment(transaction, environment, clock.now())
    for _ in environments:
        ended.acquire()
    seconds = time.perf_counter() - begin
    cpu = time.process_time() - cpu
    if profile is not None:
        profile.send_signal(signal.SIGINT)
        profile.wait()
    count = ENVIRONMENTS * STEPS
    with store.read() as reader:
        succeeded = sum(r.phase is Phase.SUCCEEDED for r in reader.runs())
    report(
        f"through the services, {succeeded} runs of {STEPS} steps: {seconds:.1f} s,"
        f" {2 * count / seconds:.0f} transitions/s, {2 * count / cpu:.0f} for each"
        f" second of CPU"
    )
    executor.stop()
    store.close()


def a_revision(environment: EnvironmentId, now: datetime) -> Revision:
    """A revision whose steps do nothing, as a definition would make it."""
    steps = tuple(
        Step(
            name=f"s{n}",
            type="print-message-in-status",
            properties={"message": "hello"},
            timeout=timedelta(minutes=1),
        )
        for n in range(STEPS)
    )
    return Revision(
        environment=environment,
        number=1,
        commit="c" * 40,
        branch="main",
        position=1,
        inputs="d",
        created=now,
        environment_definition=Environment(
            name=environment_name(environment), folder=environment
        ),
        workflow=Workflow(steps=steps, timeout=timedelta(hours=1)),
    )


def delayed(location: str) -> None:
    """Much that waits: what it costs, and what a restart costs."""
    store = open_store(location)
    executor = DbosExecutor(store.engine)
    executor.start(lambda _: None)
    time.sleep(2.5)
    begin = time.perf_counter()
    with store.transaction() as transaction:
        for number in range(DELAYED):
            delay = timedelta(hours=1, milliseconds=number)
            work = an_attempt(f"r{number}", target=TargetName("eu"), delay=delay)
            executor.enqueue(transaction, work)
    seconds = time.perf_counter() - begin
    report(f"{DELAYED} attempts with a delay, enqueued at once: {seconds:.1f} s")
    report(f"idle beside them: {idle():.2f} % of a core, {memory()} MB")
    executor.stop()
    store.close()


def restart(location: str) -> None:
    """A start on what `delayed` left."""
    begin = time.perf_counter()
    store = open_store(location)
    executor = DbosExecutor(store.engine)
    executor.start(lambda _: None)
    report(f"restart beside them: {time.perf_counter() - begin:.2f} s, {memory()} MB")
    begin = time.perf_counter()
    executor.stop()
    report(f"stop: {time.perf_counter() - begin:.2f} s")
    store.close()


def move(
    store: SqlStore,
    work: AttemptWork,
    phase: Phase,
    executor: DbosExecutor | None = None,
) -> Run:
    """One transition of a step, and what follows from it."""
    with store.transaction() as transaction:
        transaction.lock_environment(work.environment)
        run = transaction.run(work.run)
        assert run is not None
        steps = list(run.steps)
        place = [step.name for step in steps].index(work.step)
        steps[place] = replace(steps[place], phase=phase, attempt=1)
        is_last = place == len(steps) - 1 and phase.is_final
        run = replace(
            run,
            seq=run.seq + 1,
            steps=tuple(steps),
            phase=Phase.SUCCEEDED if is_last else Phase.RUNNING,
        )
        transaction.save_run(run)
        if executor is not None and not is_last:
            executor.enqueue(transaction, attempt_of(run, steps[place + 1]))
    return run


def a_run(environment: EnvironmentId) -> Run:
    """A run of some steps, as a definition would make it."""
    steps = tuple(
        Step(name=f"s{n}", type="deploy2env", properties={"target": "eu", "n": n})
        for n in range(STEPS)
    )
    return Run(
        id=RunId(f"{environment}#1.1"),
        ordinal=1,
        subject=Subject(environment=environment, number=1, commit="c" * 40, inputs="d"),
        workflow=Workflow(steps=steps),
        steps=tuple(StepRun(name=step.name, type=step.type) for step in steps),
        created=datetime.now(UTC),
    )


def attempt_of(run: Run, step: StepRun) -> AttemptWork:
    """The first attempt of a step."""
    return AttemptWork(
        environment=run.subject.environment,
        run=run.id,
        step=step.name,
        attempt=1,
        look=0,
        target=TargetName("eu"),
    )


def an_attempt(
    run: str, *, target: TargetName | None, delay: timedelta = timedelta()
) -> AttemptWork:
    """An attempt of nothing."""
    return AttemptWork(
        environment=EnvironmentId("shop/e"),
        run=RunId(run),
        step="s",
        attempt=1,
        look=0,
        target=target,
        delay=delay,
    )


def idle(seconds: float = 10) -> float:
    """Percent of a core that the process takes while nothing happens."""
    time.sleep(3)
    before = time.process_time()
    time.sleep(seconds)
    return 100 * (time.process_time() - before) / seconds


def memory() -> int:
    """Megabytes of memory at most."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024


def report(line: str) -> None:
    """Print a figure."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def measure(name: str, location: str, *parts: Callable[[str], None]) -> None:
    """Run the parts one after the other, each in a fresh process."""
    report(name)
    spawn = multiprocessing.get_context("spawn")
    for part in parts:
        process = spawn.Process(target=part, args=(location,))
        process.start()
        process.join(300)
        if process.exitcode != 0:
            process.kill()
            sys.exit(f"{part.__name__} did not end well: {process.exitcode}")


def main() -> None:
    """Measure both databases."""
    report(f"{os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}")
    groups = ((latency,), (transitions,), (services,), (delayed, restart))
    with tempfile.TemporaryDirectory() as folder:
        for number, parts in enumerate(groups):
            measure("SQLite", str(Path(folder) / f"{number}.db"), *parts)
    with postgres_server() as server:
        for parts in groups:
            with server.database() as location:
                measure("PostgreSQL", location, *parts)


if __name__ == "__main__":
    main()
