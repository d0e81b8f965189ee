"""What a step says beforehand that it would do outside, without doing any of it."""

import pytest

from gitops_wf.adapters.step_catalogue import EntryPointCatalogue
from gitops_wf.core.errors import TerminalError
from gitops_wf.ports.runner import StepPlanner
from tests.steps import FakeOutbound, FakeSecrets, a_context, capabilities

CATALOGUE = EntryPointCatalogue()
SECRET = {"secretRef": {"name": "ci", "key": "token"}}
OBJECT = {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}
CHANNELS = {"ops": {"type": "slack", "url": SECRET}}


class NoValues(FakeSecrets):
    """Secrets that are granted, and of which no value may be asked for."""

    def resolve(self, ref, *, environment):
        raise AssertionError(f"the value of {ref} was read")


def foretold(type_name, properties, **offered):
    """What a step of a type says; it has nothing to do anything by."""
    step_type = CATALOGUE.get(type_name)
    outbound = FakeOutbound()
    offered = {"outbound": outbound, "secrets": NoValues({}), **offered}
    runner = step_type.make(capabilities(channels=CHANNELS, **offered))
    planned = runner.plan(a_context(step_type, properties))
    assert outbound.sent == []
    return planned


@pytest.mark.parametrize("name", [n for n in CATALOGUE.names() if n != "step-group"])
def test_each_of_our_step_types_says_what_it_would_do(name):
    runner = CATALOGUE.get(name).make(capabilities())

    assert isinstance(runner, StepPlanner)


@pytest.mark.parametrize(
    ("type_name", "properties", "says"),
    [
        (
            "request",
            {"url": "https://ci.example/x", "method": "PUT", "body": {"a": SECRET}},
            "sends PUT to https://ci.example/x, with ci/token of the daemon's secrets",
        ),
        (
            "webhook",
            {"url": "https://ci.example/x", "headers": {"Authorization": SECRET}},
            "sends POST to https://ci.example/x, with ci/token of the daemon's secrets",
        ),
        ("webhook", {"url": SECRET}, "sends POST to the URL of secret ci/token"),
        ("webhook", {"url": "https://a.example"}, "sends POST to https://a.example"),
        (
            "notification",
            {"channels": ["ops"], "text": "t", "slack": {"url": SECRET, "message": {"text": "t"}}},
            "tells channel ops (slack), slack",
        ),
        ("print-message-in-status", {"message": "hello"}, "shows hello"),
        ("suspend", {"message": "Ready?"}, "waits for a decision: Ready?"),
        ("suspend", {"duration": "5m"}, "waits 5m"),
        ("wait", {"duration": "90s"}, "waits 1m30s"),
        ("wait", {"object": OBJECT}, "waits for Deployment/web until it is healthy"),
        (
            "depends-on",
            {"environment": "staging"},
            "waits until the newest revision of staging has succeeded",
        ),
        (
            "depends-on",
            {"object": {**OBJECT, "namespace": "shop", "target": "eu"}},
            "waits until Deployment/shop/web on eu is healthy",
        ),
        ("read-object", OBJECT, "reads Deployment/web"),
        (
            "check-metrics",
            {"query": "up", "condition": ">=1", "metricEndpoint": SECRET},
            "asks the URL of secret ci/token until >=1 has held for 5m: up",
        ),
        (
            "collect-service-endpoints",
            {"target": "eu"},
            "looks for endpoints on eu",
        ),
    ],
)  # fmt: skip
def test_an_effect_is_one_line(type_name, properties, says):
    planned = foretold(type_name, properties)

    assert planned.effects == (says,)
    assert str(planned) == says


def test_a_secret_that_may_not_go_there_fails_the_plan_as_the_step():
    with pytest.raises(TerminalError, match=r"may not be sent to other\.example"):
        foretold("request", {"url": "https://other.example", "body": {"a": SECRET}})


def test_a_channel_that_is_not_configured_fails_the_plan_as_the_step():
    with pytest.raises(TerminalError, match="channel dev is not configured"):
        foretold("notification", {"channels": ["dev"], "text": "t"})
