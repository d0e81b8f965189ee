"""The sandbox answers recorded requests as a real Kubernetes 1.36 API server did."""

from __future__ import annotations

import os
import re
from functools import partial
from pathlib import Path

import pytest

from tests.daemons import eventually
from tests.replay.client import Client
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
    "42-custom-resource-subresources",
    "43-crd-change",
    "44-status-and-scale",
    "50-deployment-rollout",
    "52-failed-rollout",
    "53-replica-failure",
    "54-statefulset",
    "55-daemonset",
    "56-job-complete",
    "57-job-failed",
    "58-cronjob",
    "59-hpa-pdb",
    "60-service-endpoints",
    "61-ingress-pvc",
    "62-events",
    "63-access-reviews",
    "65-admission-webhook",
    "66-quota-limitrange",
    "67-too-large",
    "68-pod-lifecycle",
    "70-warnings",
    "80-kubectl-get",
    "81-kubectl-get-watch",
    "82-kubectl-apply-server-side",
    "83-kubectl-apply-client-side",
    "84-kubectl-diff",
    "85-kubectl-describe",
    "86-kubectl-rollout",
    "87-kubectl-wait",
    "88-kubectl-delete",
    "89-kubectl-namespace",
    "90-kubectl-logs",
    "91-kubectl-discovery",
    "92-kubectl-explain",
    "93-kubectl-edit-commands",
    "94-kubectl-auth",
    "95-kubectl-crd",
    "96-kubectl-events",
]
# What is recorded and not replayed, each with its reason.
NOT_REPLAYED = {
    "03-openapi": "the documents are served without the operations' prose",
    "51-rolling-update": "how many Pods terminate at each of its polls is a matter of "
    "timing; the same is seen with kubectl (86)",
    "64-admission-policy": "policies in CEL are not evaluated: what the daemon and its "
    "users read of one is a 403 or 422 text, as from a webhook (65)",
    "69-pod-security": "the levels of Pod Security are not judged: what the daemon and "
    "its users read of them is a 403 text, as of a quota (66)",
}
_PLAYED_KUBELET = (
    "the script that played the kubelet left Pods with schedulerName none alone; a "
    "kubelet, as ours, runs every Pod that is bound to its node"
)
_GO_STRUCTS = "the text holds a diff of Go's internal structs, which are not ours"
_UNDER_WAY = "it reads a rollout that is under way, at no time that can be repeated"
_GO_ZEROS = "the empty object of the bookmark holds the zeros of Go's internal struct"
_GONE_BEFORE = "what was empty is gone before kubectl looks again"
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
    "43-crd-change": {8: "stored objects are not read again by a changed schema"},
    "54-statefulset": dict.fromkeys((2, 8, 10, 11, 12), _UNDER_WAY),
    "60-service-endpoints": dict.fromkeys(
        (4, 5), "the Pod has its address before the first look, so one write tells all"
    ),
    "68-pod-lifecycle": {2: "our kubelet reports states in between, too"},
    "86-kubectl-rollout": dict.fromkeys((6, 7, 15, 16, 19, 20, 21, 23, 24), _UNDER_WAY),
    "87-kubectl-wait": dict.fromkeys((3, 16, 18), _GO_ZEROS),
    "88-kubectl-delete": dict.fromkeys((25, 26), _UNDER_WAY),
    "89-kubectl-namespace": dict.fromkeys((5, 6), _GONE_BEFORE),
    "93-kubectl-edit-commands": dict.fromkeys((4, 6, 7, 17), _UNDER_WAY),
    "95-kubectl-crd": {
        2: "OpenAPI v2 is served as JSON only",
        9: "kubectl closed the watch once the definition was established",
        21: _GONE_BEFORE,
    },
    "52-failed-rollout": {
        4: "one more of the states that pass by is seen, which 51 has recorded"
    },
    "90-kubectl-logs": {10: "the played kubelet paid no heed to tailLines"},
    "41-custom-resources": {27: "a body that is refused brings no warnings"},
    "30-delete-preconditions": dict.fromkeys((13, 14, 15, 16), _PLAYED_KUBELET),
}


# Steps whose recorded answer holds what the controllers wrote after the step before.
AFTER_CONTROLLERS = {
    # The ReplicaSet is there a moment before its Deployment says so.
    "27-delete-propagation": (9, 14),
    "44-status-and-scale": (8,),
    # What kubectl sends next holds the resourceVersion of this answer.
    "83-kubectl-apply-client-side": (40,),
}


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


# What a real server can answer as recorded only where a scheduler and a kubelet run, as
# the script behind the recordings did: Pods that come to be ready, done or failed.
NEEDS_A_NODE = {
    *("50-deployment-rollout", "52-failed-rollout"),
    *("54-statefulset", "55-daemonset", "56-job-complete", "57-job-failed"),
    *("58-cronjob", "59-hpa-pdb", "60-service-endpoints", "68-pod-lifecycle"),
    *("35-table", "80-kubectl-get", "82-kubectl-apply-server-side"),
    *("83-kubectl-apply-client-side", "84-kubectl-diff", "85-kubectl-describe"),
    *("86-kubectl-rollout", "87-kubectl-wait", "88-kubectl-delete"),
    *("90-kubectl-logs", "93-kubectl-edit-commands", "96-kubectl-events"),
}
# What holds the content of a namespace that nobody wrote to, or what a Pod mounts of
# it: some distributions publish more there than the root CA.
NEEDS_A_BARE_NAMESPACE = {
    *("08-errors", "22-ssa-subresource-status", "23-ssa-defaulting"),
    *("25-immutable-fields", "30-delete-preconditions", "32-list-selectors"),
    *("36-watch-basic", "66-quota-limitrange", "81-kubectl-get-watch"),
}
# What is of the server that was recorded, and of no other.
OF_THAT_SERVER = {
    "01-discovery": "its groups and its version",
    "02-discovery-aggregated": "its groups and its version",
    "33-list-paging": "a past that was compacted a moment before",
    "34-list-resource-version": "a past that was compacted a moment before",
    "39-watch-expired": "a past that was compacted a moment before",
    "91-kubectl-discovery": "its groups and its version",
}
_SOURCE_LINE = "the text holds a line number of the server's source"
_VERSION = "the version of its build"
_RACE = "which of two controllers wrote first, which the recording says by chance"
EXCLUDED_ON_A_REAL_SERVER: dict[str, dict[int, str]] = {
    "04-authn-authz": {3: _VERSION, **EXCLUDED["04-authn-authz"]},
    "05-namespace-lifecycle": {2: _RACE},
    "07-patch-types": {20: _SOURCE_LINE},
    "08-errors": {17: _SOURCE_LINE},
    "27-delete-propagation": {14: _RACE},
    "44-status-and-scale": dict.fromkeys((8, 9, 10), _RACE),
    "63-access-reviews": {4: "which of two bindings is found first is chance"},
    "89-kubectl-namespace": dict.fromkeys((5, 6, 7), "its end may be more or less far"),
    "95-kubectl-crd": {
        1: "other scenarios leave their definitions there",
        2: "the document of OpenAPI v2 may not be ready",
        21: "its end may be more or less far",
        22: "the definition may be gone or not when kubectl begins to watch",
    },
}


# What a scenario leaves beside its namespace, so that it can be replayed again.
_WIDGETS = (
    "/apis/apiextensions.k8s.io/v1/customresourcedefinitions/widgets.demo.example.com"
)
LEFT_BY = {
    "41-custom-resources": [_WIDGETS],
    "42-custom-resource-subresources": [_WIDGETS],
    "63-access-reviews": [
        "/apis/rbac.authorization.k8s.io/v1/clusterrolebindings/t63",
    ],
    "65-admission-webhook": [
        "/apis/admissionregistration.k8s.io/v1/validatingwebhookconfigurations/t65",
    ],
}


def bare(client: Client) -> bool:
    """Whether a namespace holds what the recorded server put there, and no more."""
    path = "/api/v1/namespaces/default/configmaps"
    found = client.send("GET", path, {"Accept": "application/json"}, None).body
    names = {one["metadata"]["name"] for one in found["items"]}
    return names <= {"kube-root-ca.crt"}


def is_gone(client: Client, path: str) -> bool:
    return client.send("GET", path, {"Accept": "application/json"}, None).status == 404


@pytest.mark.parametrize("name", [n for n in REPLAYED if n not in OF_THAT_SERVER])
def test_a_real_api_server_answers_as_recorded(name: str, tmp_path: Path) -> None:
    path = os.environ.get("KUBECONFIG")
    if not path:
        pytest.skip("no API server: set KUBECONFIG to replay on one")
    if name in NEEDS_A_NODE:
        pytest.skip("needs a scheduler and a kubelet")
    client = client_of(Path(path), tmp_path)
    if name in NEEDS_A_BARE_NAMESPACE and not bare(client):
        pytest.skip("this server puts more into each namespace than the recorded one")
    space = f"t{name[:2]}"

    try:
        excluded = EXCLUDED_ON_A_REAL_SERVER.get(name, {})
        failures = Replay(load(name), client, excluded).run()
    finally:
        for path in (f"/api/v1/namespaces/{space}", *LEFT_BY.get(name, ())):
            client.send("DELETE", path, {"Accept": "application/json"}, None)
            if path in LEFT_BY.get(name, ()):
                # The next scenario may begin with an object of this name.
                eventually(partial(is_gone, client, path), what=f"{path} gone")

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


def test_what_is_left_out_stands_in_the_docs_with_a_reason() -> None:
    page = Path(__file__).parents[2] / "docs" / "reference" / "sandbox.md"
    listed = re.findall(r"^\| `(\d\d-[a-z-]+)` \| \w", page.read_text(), re.MULTILINE)

    assert sorted(listed) == sorted(NOT_REPLAYED)


def test_only_steps_of_replayed_scenarios_are_excluded() -> None:
    for name, steps in EXCLUDED.items():
        numbers = {step["n"] for step in load(name)["steps"]}
        assert name in REPLAYED
        assert set(steps) <= numbers
