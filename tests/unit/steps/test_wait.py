from datetime import timedelta

import pytest
from pydantic import ValidationError

from gitops_wf.core.environment import Environment
from gitops_wf.core.errors import TerminalError
from gitops_wf.core.identifiers import TargetName
from gitops_wf.core.phases import Phase
from gitops_wf.ports.cluster import AllowList, ApiResource, UnknownKindError
from gitops_wf.steps.wait import STEP_TYPE
from tests.delivering import OneCluster
from tests.steps import NOW, a_context, capabilities

EU = TargetName("eu")
CERTIFICATE = {"apiVersion": "example.com/v1", "kind": "Thing", "name": "cert"}


class Objects:
    """A cluster with the objects that it is given, by name."""

    has_status = True

    def __init__(self, **objects):
        self.objects = objects
        self.asked = []

    def resource(self, api_version, kind):
        if kind == "Unknown":
            raise UnknownKindError(f"{kind} is served by nobody", reason="UnknownKind")
        group, _, version = api_version.rpartition("/")
        return ApiResource(
            group=group, version=version, kind=kind, plural=kind, is_namespaced=True
        )

    def list(self, resource, namespace="", label_selector=""):
        return []

    def get(self, resource, namespace, name):
        self.asked.append((namespace, name))
        return self.objects.get(name)


def thing(version="example.com/v1", kind="Thing", **parts):
    meta = {"name": "cert", "namespace": "shop"}
    return {"apiVersion": version, "kind": kind, "metadata": meta, **parts}


def ready(value, **more):
    condition = {"type": "Ready", "status": value, **more}
    return thing(status={"conditions": [condition]})


def environment(*targets):
    return Environment(name="prod", folder="envs/prod", targets=targets)


def waited(cluster=None, *, allow=None, targets=(EU,), look=1, **properties):
    clusters = OneCluster(one=cluster, place="shop", allow=allow or AllowList())
    runner = STEP_TYPE.make(capabilities(clusters=clusters))
    context = a_context(
        STEP_TYPE, properties, environment=environment(*targets), look=look
    )
    return runner.look(context)


@pytest.mark.parametrize(
    ("passed", "phase", "left"),
    [(0, Phase.RUNNING, 10), (4, Phase.RUNNING, 6), (10, Phase.SUCCEEDED, None)],
)
def test_a_time_passes_by_the_clock_since_the_steps_begin(passed, phase, left):
    started = NOW - timedelta(minutes=passed)
    context = a_context(STEP_TYPE, {"duration": "10m"}, started=started)

    result = STEP_TYPE.make(capabilities()).attempt(context)

    assert result.phase is phase
    assert result.retry_after == (left and timedelta(minutes=left))


def test_its_timeout_comes_on_top_of_its_duration():
    properties = STEP_TYPE.properties.model_validate({"duration": "2h"})

    assert STEP_TYPE.takes(properties) == timedelta(hours=2)


def test_an_object_is_waited_for_until_the_condition_holds():
    until = 'status.phase == "Issued" && spec.replicas > 1'
    early = thing(spec={"replicas": 2})
    done = thing(spec={"replicas": 2}, status={"phase": "Issued"})

    waiting = waited(Objects(cert=early), object=CERTIFICATE, until=until)
    over = waited(Objects(cert=done), object=CERTIFICATE, until=until)

    assert waiting.phase is Phase.RUNNING
    assert waiting.message.startswith(f"waiting for Thing/shop/cert until {until}")
    assert over.phase is Phase.SUCCEEDED


def test_without_a_condition_it_waits_until_the_object_is_healthy():
    early = waited(Objects(cert=ready("False")), object=CERTIFICATE)
    done = waited(Objects(cert=ready("True")), object=CERTIFICATE)

    assert (early.phase, done.phase) == (Phase.RUNNING, Phase.SUCCEEDED)


def test_without_a_condition_a_failed_object_fails_it_at_once():
    job = thing(
        "batch/v1",
        "Job",
        spec={"backoffLimit": 0},
        status={"conditions": [{"type": "Failed", "status": "True", "reason": "Ex"}]},
    )

    result = waited(
        Objects(cert=job),
        object={**CERTIFICATE, "apiVersion": "batch/v1", "kind": "Job"},
    )

    assert (result.phase, result.reason) == (Phase.FAILED, "HealthCheckFailed")


@pytest.mark.parametrize("kind", ["Thing", "Unknown"])
def test_an_object_that_is_not_there_yet_is_waited_for(kind):
    result = waited(Objects(), object={**CERTIFICATE, "kind": kind})

    assert result.phase is Phase.RUNNING
    assert f"{kind}/" in result.message
    assert "is not there" in result.message


def test_looks_grow_rarer():
    pauses = [
        waited(Objects(), object=CERTIFICATE, look=n).retry_after.total_seconds()
        for n in (0, 4, 50)
    ]

    assert pauses == [1, 1.5**4, 15]


def test_a_condition_reads_no_value_of_a_secret():
    secret = thing("v1", "Secret", data={"password": "czNjcjN0"})
    named = {"apiVersion": "v1", "kind": "Secret", "name": "cert"}

    result = waited(Objects(cert=secret), object=named, until="has(data.password)")

    assert result.phase is Phase.RUNNING


def test_a_condition_that_is_no_question_fails_the_step():
    result = waited(Objects(cert=thing(spec={"a": 1})), object=CERTIFICATE, until="1+1")

    assert (result.phase, result.reason) == (Phase.FAILED, "InvalidExpression")
    assert result.is_final


def test_only_what_the_target_allows_is_looked_at():
    cluster = Objects(cert=thing())

    with pytest.raises(TerminalError, match="namespace secrets is not allowed"):
        waited(
            cluster,
            allow=AllowList(namespaces=("shop",)),
            object={**CERTIFICATE, "namespace": "secrets"},
        )

    assert cluster.asked == []


def test_of_several_targets_the_one_that_is_read_must_be_named():
    both = (EU, TargetName("us"))

    with pytest.raises(TerminalError, match=r"several targets \(eu, us\)"):
        waited(Objects(), targets=both, object=CERTIFICATE)

    found = waited(Objects(), targets=both, object={**CERTIFICATE, "target": "us"})
    assert found.phase is Phase.RUNNING


@pytest.mark.parametrize(
    ("properties", "message"),
    [
        ({}, "write either duration or object"),
        ({"duration": "1m", "object": CERTIFICATE}, "write either"),
        ({"duration": "1m", "until": "true"}, "until is about an object"),
        ({"object": CERTIFICATE, "until": "phase == 'x'"}, "unknown name `phase`"),
        ({"object": {**CERTIFICATE, "name": None}}, "name"),
    ],
)
def test_wrong_properties_are_refused(properties, message):
    with pytest.raises(ValidationError, match=message):
        STEP_TYPE.properties.model_validate(properties)
