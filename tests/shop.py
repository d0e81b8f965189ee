"""A shop's store as a daemon would have left it: staging done, prod waiting."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from gitops_wf.adapters.sql_store import open_for_reading, open_store
from gitops_wf.core.config import (
    DaemonConfig,
    RepositoryConfig,
    TargetConfig,
    TargetKind,
)
from gitops_wf.core.decision import Decision, Effect, Entry, Verb
from gitops_wf.core.engine import new_run
from gitops_wf.core.environment import Environment
from gitops_wf.core.event import Event, EventType
from gitops_wf.core.identifiers import (
    EnvironmentName,
    RepositoryName,
    RunId,
    Sha,
    StepName,
    TargetName,
    environment_id,
)
from gitops_wf.core.inventory import Inventory, InventoryEntry, ObjectRef
from gitops_wf.core.phases import Phase
from gitops_wf.core.policy import Gate, Identity, Policy, PolicyRule, Rulebook
from gitops_wf.core.revision import Revision
from gitops_wf.core.workflow import Step, Workflow
from gitops_wf.ports.store import EnvironmentRecord, RepositoryRecord
from gitops_wf.services.query import Query
from gitops_wf.services.revisions import subject_of

NOW = datetime(2026, 1, 2, 12, 0, 0, tzinfo=UTC)
SHOP = RepositoryName("shop")
PROD = environment_id(SHOP, EnvironmentName("prod"))
STAGING = environment_id(SHOP, EnvironmentName("staging"))
ANN, BOB = "ann@example.com", "bob@example.com"

POLICIES: Mapping[str, Policy] = {
    "anybody": Policy(),
    "two of three": Policy(
        approvers=(ANN, BOB, "eve@example.com"),
        min_approvals=2,
        identity=Identity.SIGNATURE,
    ),
}


def sha(letter: str) -> Sha:
    return Sha(letter * 40)


def ago(**span: float) -> datetime:
    return NOW - timedelta(**span)


def workflow(target: str = "prod") -> Workflow:
    return Workflow(
        steps=(
            Step(name=StepName("go-live"), type="suspend"),
            Step(
                name=StepName("deploy"),
                type="deploy2env",
                targets=(TargetName(target),),
            ),
        )
    )


def environment(name: str) -> Environment:
    return Environment(
        name=EnvironmentName(name),
        folder=f"envs/{name}",
        application="web",
        targets=(TargetName(name),),
    )


def revision(name: str, number: int, letter: str, phase: Phase, **more) -> Revision:
    values = {
        "environment": environment_id(SHOP, EnvironmentName(name)),
        "number": number,
        "commit": sha(letter),
        "branch": "main",
        "position": number,
        "inputs": f"inputs-{letter}",
        "phase": phase,
        "author": "Ann <ann@example.com>",
        "author_email": ANN,
        "subject": f"Change {number}",
        "created": ago(hours=10 - number),
        "ended": ago(hours=9 - number) if phase.is_final else None,
        "environment_definition": environment(name),
        "workflow": workflow(name),
    }
    return Revision(**(values | more))


def config(directory: Path, policy: Policy = POLICIES["anybody"]) -> DaemonConfig:
    return DaemonConfig(
        path=str(directory / "gitops-wf.yaml"),
        directory=str(directory),
        store=f"sqlite:///{directory / 'gitops-wf.db'}",
        instance="test",
        repositories=(RepositoryConfig(name=SHOP, url="https://git.example/shop.git"),),
        targets={
            TargetName(name): TargetConfig(
                name=TargetName(name), kind=TargetKind.SANDBOX, namespace=name
            )
            for name in ("staging", "prod")
        },
        rulebook=Rulebook(
            rules=(PolicyRule(environments=("prod",), policy=policy),),
            gates={
                TargetName("prod"): Gate(
                    target=TargetName("prod"), policy=Policy(approvers=(ANN,))
                )
            },
        ),
    )


def fill(
    directory: Path,
    policy: Policy = POLICIES["anybody"],
    *,
    commits: Mapping[str, str] | None = None,
    url: str = "",
) -> DaemonConfig:
    """Staging has released #1; prod released #1, failed with #2, waits with #3.

    ``commits`` are real ones for the letters a, b and c; ``url`` the repository's.
    """
    made = config(directory, policy)
    if url:
        made = replace(made, repositories=(replace(made.repositories[0], url=url),))

    def named(letter: str) -> Sha:
        return Sha(commits[letter]) if commits else sha(letter)

    store = open_store(made.store)
    with store.transaction() as transaction:
        transaction.save_repository(
            RepositoryRecord(
                name=SHOP,
                url="https://bot:hunter22@git.example/shop.git",
                branch="main",
                cursor=named("c"),
                position=3,
                polled=NOW,
            )
        )
        for name, last in (("staging", 1), ("prod", 3)):
            transaction.save_environment(
                EnvironmentRecord(
                    id=environment_id(SHOP, EnvironmentName(name)),
                    repository=SHOP,
                    name=EnvironmentName(name),
                    folder=f"envs/{name}",
                    folders=(f"envs/{name}",),
                    paths=(f"envs/{name}",),
                    definition=environment(name),
                    last_number=last,
                )
            )
        transaction.save_revision(
            revision(
                "staging",
                1,
                "c",
                Phase.SUCCEEDED,
                released=True,
                commit=named("c"),
            )
        )
        transaction.save_revision(
            revision("prod", 1, "a", Phase.SUCCEEDED, released=True, commit=named("a"))
        )
        transaction.save_revision(
            revision(
                "prod",
                2,
                "b",
                Phase.FAILED,
                commit=named("b"),
                reason="StepFailed",
                message="deploy: Deployment/prod/web: ImagePullBackOff: no such image",
            )
        )
        waiting = revision("prod", 3, "c", Phase.SUSPENDED, commit=named("c"))
        transaction.save_revision(waiting)
        _save_runs(transaction, waiting)
        _save_decisions(transaction)
        _save_events(transaction)
        transaction.save_inventory(
            PROD,
            "prod",
            Inventory(
                entries=(
                    InventoryEntry(
                        ref=ObjectRef(
                            group="apps",
                            kind="Deployment",
                            namespace="prod",
                            name="web",
                        ),
                        version="v1",
                        step="deploy",
                    ),
                ),
                instance="test",
                written=ago(hours=8),
                number=1,
                commit=sha("a"),
            ),
        )
    store.close()
    return made


def query(made: DaemonConfig) -> Query:
    return Query(store=open_for_reading(made.store), config=made)


def _save_runs(transaction, waiting: Revision) -> None:
    failed = transaction.revision(PROD, 2)
    ended = new_run(
        run=RunId("shop/prod#2.1"),
        ordinal=1,
        subject=subject_of(failed),
        workflow=failed.workflow,
        now=failed.created,
    )
    steps = tuple(
        replace(
            step,
            phase=phase,
            reason=reason,
            message=message,
            attempt=1,
            started=failed.created,
            ended=failed.ended,
        )
        for step, phase, reason, message in zip(
            ended.steps,
            (Phase.SUCCEEDED, Phase.FAILED),
            ("", "HealthCheckFailed"),
            ("approved by bob@example.com", "ImagePullBackOff: no such image"),
            strict=True,
        )
    )
    transaction.save_run(
        replace(
            ended,
            steps=steps,
            phase=Phase.FAILED,
            reason="StepFailed",
            message=failed.message,
            started=failed.created,
            ended=failed.ended,
            seq=1,
        )
    )
    run = new_run(
        run=RunId("shop/prod#3.1"),
        ordinal=1,
        subject=subject_of(waiting),
        workflow=waiting.workflow,
        now=waiting.created,
    )
    go_live = replace(
        run.steps[0],
        phase=Phase.SUSPENDED,
        message="waits for approval",
        attempt=1,
        started=ago(minutes=30),
        deadline=NOW + timedelta(days=3),
    )
    transaction.save_run(
        replace(
            run,
            steps=(go_live, *run.steps[1:]),
            phase=Phase.SUSPENDED,
            started=waiting.created,
            seq=1,
        )
    )


def _save_decisions(transaction) -> None:
    for number, letter, brought, verb, person, effect, reason in (
        (2, "b", "d", Verb.APPROVE, BOB, Effect.ACCEPTED, ""),
        (
            3,
            "c",
            "e",
            Verb.APPROVE,
            "mallory@example.com",
            Effect.REFUSED,
            "mallory@example.com is not among the approvers",
        ),
    ):
        transaction.save_decision(
            Decision(
                environment=PROD,
                entry=Entry(
                    revision=sha(letter)[:8],
                    decision=verb,
                    step=StepName("go-live"),
                    path="envs/prod/approvals.yaml",
                    line=2,
                ),
                commit=sha(brought),
                brought_by=sha(brought),
                position=number + 1,
                person=person,
                evidence=Identity.AUTHOR,
                at=ago(minutes=20 * number),
                revision=number,
                step=StepName("go-live"),
                effect=effect,
                reason=reason,
                counts_for={"step": reason},
                acted=effect is Effect.ACCEPTED,
            )
        )


def _save_events(transaction) -> None:
    for minutes, kind, reason, text, bad in (
        (60, "created", "Created", "prod#3 main@sha1:cccccccc Change 3", False),
        (59, "failed", "StepFailed", "prod#2 main@sha1:bbbbbbbb Failed", True),
        (30, "suspended", "Suspended", "prod#3 main@sha1:cccccccc go-live", False),
    ):
        transaction.add_event(
            Event(
                at=ago(minutes=minutes),
                kind=kind,
                reason=reason,
                message=text,
                type=EventType.WARNING if bad else EventType.NORMAL,
                environment=PROD,
                revision=2 if bad else 3,
            )
        )
