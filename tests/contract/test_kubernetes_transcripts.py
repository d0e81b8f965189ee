"""The sandbox answers recorded requests as a real Kubernetes 1.36 API server did."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from tests.replay.kubeconfig import client_of
from tests.replay.sandbox import fresh_sandbox
from tests.replay.scenario import DATA, Replay, load

REPLAYED = [
    "01-discovery",
    "02-discovery-aggregated",
    "04-authn-authz",
    "05-namespace-lifecycle",
    "06-configmap-crud",
    "07-patch-types",
    "08-errors",
    "09-field-validation",
    "10-generate-name",
    "11-dry-run",
    "12-ssa-create-noop-change",
    "13-ssa-remove-fields",
    "14-ssa-conflict-force",
    "15-ssa-co-owners",
    "16-ssa-containers",
    "17-ssa-service-ports",
    "18-ssa-finalizers-set",
    "19-ssa-atomic-and-null",
    "20-ssa-errors",
    "21-ssa-client-side-takeover",
    "22-ssa-subresource-status",
    "23-ssa-defaulting",
    "24-ssa-update-then-apply",
    "25-immutable-fields",
    "26-secret",
    "27-delete-propagation",
    "28-owner-garbage-collection",
    "29-finalizers",
    "30-delete-preconditions",
    "31-delete-collection",
    "32-list-selectors",
    "33-list-paging",
    "34-list-resource-version",
    "35-table",
    "36-watch-basic",
    "37-watch-selector",
    "38-watch-bookmarks",
    "39-watch-expired",
    "40-crd-lifecycle",
    "41-custom-resources",
    "44-status-and-scale",
    "50-deployment-rollout",
    "52-failed-rollout",
    "53-replica-failure",
    "55-daemonset",
    "56-job-complete",
    "57-job-failed",
    "62-events",
    "63-access-reviews",
    "65-admission-webhook",
    "66-quota-limitrange",
    "67-too-large",
    "80-kubectl-get",
    "82-kubectl-apply-server-side",
    "83-kubectl-apply-client-side",
    "84-kubectl-diff",
    "85-kubectl-describe",
    "90-kubectl-logs",
    "91-kubectl-discovery",
    "92-kubectl-explain",
]
_AUTHORIZATION = "the sandbox has one user, who may do everything"
_CONTROLLER = "its controller is not there so far"
_ADMISSION = "admission plugins of this kind are not there so far"
_MID_FLIGHT = "it reads a rollout that is under way, at no time that could be repeated"
_KUBECTL = "real kubectl is tried against the sandbox in a test of its own"
# What is recorded and not replayed, each with its reason.
NOT_REPLAYED = {
    "42-custom-resource-subresources": "the scale of custom resources is not there",
    "43-crd-change": "stored objects are not read again by a changed schema so far",
    "03-openapi": "the documents are served without the operations' prose",
    "51-rolling-update": "how many Pods terminate at each poll is a matter of timing",
    "54-statefulset": "its polls are answered by what they find, at another moment",
    "58-cronjob": _CONTROLLER,
    "59-hpa-pdb": _CONTROLLER,
    "60-service-endpoints": _CONTROLLER,
    "61-ingress-pvc": _CONTROLLER,
    "64-admission-policy": _ADMISSION,
    "68-pod-lifecycle": "its Pods are driven by the played kubelet",
    "69-pod-security": _ADMISSION,
    "70-warnings": "warnings about deprecated fields are not there so far",
    "81-kubectl-get-watch": _KUBECTL,
    "86-kubectl-rollout": _MID_FLIGHT,
    "87-kubectl-wait": "others act while it waits, at times that are not recorded",
    "88-kubectl-delete": _MID_FLIGHT,
    "89-kubectl-namespace": "an empty namespace is gone before kubectl looks again",
    "93-kubectl-edit-commands": _KUBECTL,
    "94-kubectl-auth": _KUBECTL,
    "95-kubectl-crd": _KUBECTL,
    "96-kubectl-events": _KUBECTL,
}
_PLAYED_KUBELET = (
    "the script that played the kubelet left Pods with schedulerName none alone; a "
    "kubelet, as ours, runs every Pod that is bound to its node"
)
_GO_STRUCTS = "the text holds a diff of Go's internal structs, which are not ours"
# Single steps that cannot be as recorded, each with its reason.
EXCLUDED: dict[str, dict[int, str]] = {
    "04-authn-authz": {
        15: "alice is herself impersonated in a replay, and may not impersonate then"
    },
    "25-immutable-fields": {
        20: _GO_STRUCTS,
        21: _GO_STRUCTS,
        30: _GO_STRUCTS,
    },
    "35-table": {
        24: "the played kubelet ended a failing Pod of restartPolicy Always; a kubelet, "
        "as ours, starts it again",
        27: "a Node is written by a controller that the sandbox has no need of",
    },
    "40-crd-lifecycle": {
        5: "storageVersionHash is opaque, and nothing here is migrated by it",
        21: "whether a schema is structural is not checked so far",
        22: "defaults are not checked against their schema so far",
    },
    "50-deployment-rollout": {
        4: "which of two equal Pods is first is chance, in the list and in the stream"
    },
    "52-failed-rollout": {
        4: "one more of the states that pass by is seen, which 51 has recorded"
    },
    "90-kubectl-logs": {10: "the played kubelet paid no heed to tailLines"},
    "41-custom-resources": {27: "a body that is refused brings no warnings"},
    "30-delete-preconditions": dict.fromkeys((13, 14, 15, 16), _PLAYED_KUBELET),
}


# Steps whose recorded answer holds what the controllers wrote after the step before.
AFTER_CONTROLLERS = {"44-status-and-scale": (8,)}


@pytest.mark.parametrize("name", REPLAYED)
def test_the_sandbox_answers_as_recorded(name: str) -> None:
    scenario = load(name)

    frozen = scenario.get("clock") == "one second"
    with fresh_sandbox(frozen=frozen) as (client, settle):
        replay = Replay(scenario, client, EXCLUDED.get(name, {}))
        late = AFTER_CONTROLLERS.get(name, ())
        replay.before_step = lambda n: settle() if n in late else None
        failures = replay.run()

    assert not failures, "\n".join(str(failure) for failure in failures)


# What a real server answers otherwise than the one that was recorded, as it has other
# nodes, an own kubelet or an own history.
OF_THAT_SERVER = {
    "01-discovery",
    "02-discovery-aggregated",
    "30-delete-preconditions",
    "35-table",
}


@pytest.mark.parametrize("name", [n for n in REPLAYED if n not in OF_THAT_SERVER])
def test_a_real_api_server_answers_as_recorded(name: str, tmp_path: Path) -> None:
    path = os.environ.get("KUBECONFIG")
    if not path:
        pytest.skip("no API server: set KUBECONFIG to replay on one")
    client = client_of(Path(path), tmp_path)
    space = f"/api/v1/namespaces/t{name[:2]}"

    try:
        failures = Replay(load(name), client).run()
    finally:
        client.send("DELETE", space, {"Accept": "application/json"}, None)

    assert not failures, "\n".join(str(failure) for failure in failures)


def recorded_scenarios() -> set[str]:
    readme = (DATA / "README.md").read_text()
    return set(re.findall(r"^\| `(\d\d-[a-z-]+)` \|", readme, re.MULTILINE))


def test_every_recorded_scenario_is_replayed_or_says_why_not() -> None:
    known = {*REPLAYED, *NOT_REPLAYED}

    assert recorded_scenarios() - known == set()
    assert known - recorded_scenarios() == set()
    assert set(REPLAYED) & set(NOT_REPLAYED) == set()
    assert {path.stem for path in DATA.glob("*.json")} <= known


def test_only_steps_of_replayed_scenarios_are_excluded() -> None:
    for name, steps in EXCLUDED.items():
        numbers = {step["n"] for step in load(name)["steps"]}
        assert name in REPLAYED
        assert set(steps) <= numbers
