"""Builders for what a step runner is told, and fakes of what it may use."""

from datetime import UTC, datetime, timedelta
from typing import Any

from gitops_wf.core.environment import Environment
from gitops_wf.core.errors import TerminalError
from gitops_wf.core.identifiers import (
    EnvironmentId,
    EnvironmentName,
    RunId,
    Sha,
    StepName,
    TargetName,
)
from gitops_wf.core.message import Delivery, DeliveryPhase, Message
from gitops_wf.core.run import Subject
from gitops_wf.core.secret import Secret
from gitops_wf.ports.outbound import HttpRequest, HttpResponse
from gitops_wf.ports.runner import Capabilities, StepContext, StepType

NOW = datetime(2026, 11, 23, 6, 30, tzinfo=UTC)
CANARY = "c4n4ry-t0ken"


class FakeOutbound:
    """Answers from a list, and keeps what it was asked to send."""

    def __init__(self, *answers: HttpResponse) -> None:
        self.answers = list(answers)
        self.sent: list[HttpRequest] = []

    def send(self, request: HttpRequest) -> HttpResponse:
        self.sent.append(request)
        return self.answers.pop(0)


class FakeSecrets:
    """Grants values by ``name/key`` to one environment, host and target."""

    def __init__(
        self, values: dict[str, str], host: str = "ci.example", target: str = "here"
    ) -> None:
        self.values = values
        self.host = host
        self.target = target

    def resolve(self, ref, *, environment) -> Secret:
        if environment != "shop/prod" or str(ref) not in self.values:
            raise TerminalError(f"secret {ref} not granted", reason="SecretNotGranted")
        return Secret(self.values[str(ref)])

    def may_be_sent_to(self, ref, host: str) -> bool:
        return host == self.host

    def may_be_written_to(self, ref, target: str) -> bool:
        return target == self.target


def capabilities(**more: Any) -> Capabilities:
    fields: dict[str, Any] = {
        "clusters": None,
        "content": None,
        "outbound": FakeOutbound(),
        "secrets": FakeSecrets({}),
        "renderer": None,
        "instance": "test",
        "channels": {},
    }
    return Capabilities(**fields | more)


def a_context(step_type: StepType, properties: dict[str, Any], **more) -> StepContext:
    fields: dict[str, Any] = {
        "subject": Subject(
            environment=EnvironmentId("shop/prod"),
            number=12,
            commit=Sha("4f1c2d9e" + "0" * 32),
            inputs="i1",
            branch="main",
            author="Ann Lee",
            subject="Raise web",
            targets=(TargetName("prod-eu"),),
        ),
        "environment": Environment(name=EnvironmentName("prod"), folder="envs/prod"),
        "run": "shop/prod#12.1",
        "run_ordinal": 1,
        "step": StepName("tell"),
        "attempt": 1,
        "look": 0,
        "target": None,
        "properties": step_type.properties.model_validate(properties),
        "key": "shop/prod#12.1/tell",
        "now": NOW,
        "started": NOW,
        "memo": {},
        "deliveries": (),
        "variables": {},
    }
    return StepContext(**fields | more)


def a_row(message: Message, phase: DeliveryPhase, detail: str = "") -> Delivery:
    return Delivery(
        key=f"k/{message.item}",
        environment=EnvironmentId("shop/prod"),
        run=RunId("shop/prod#12.1"),
        step=StepName("tell"),
        message=message,
        phase=phase,
        detail=detail,
        created=NOW - timedelta(seconds=5),
    )
