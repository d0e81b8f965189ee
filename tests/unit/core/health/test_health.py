"""Health of objects as a real API server recorded them."""

import copy
import json
from pathlib import Path

import pytest

from gitops_wf.core.health import (
    Health,
    Surroundings,
    health_of,
    workload_health,
    worst,
)

DATA = Path(__file__).parents[3] / "data" / "health"


def recorded(name):
    return json.loads((DATA / f"{name}.json").read_text())


@pytest.fixture
def rollout():
    return recorded("failed-rollout")


def progressing(deployment):
    """The Deployment as it is before its progress deadline."""
    mine = copy.deepcopy(deployment)
    for condition in mine["status"]["conditions"]:
        if condition["type"] == "Progressing":
            condition.update(status="True", reason="ReplicaSetUpdated")
    return mine


@pytest.mark.parametrize(
    "kind", ["Deployment", "ReplicaSet", "Pod", "StatefulSet", "Job"]
)
def test_a_workload_is_in_progress_until_the_end_of_its_rollout(kind):
    health = [health_of(manifest).health for manifest in recorded("rollouts")[kind]]

    assert health[0] is Health.IN_PROGRESS
    assert health[-1] is Health.CURRENT
    assert health == sorted(health, key=[Health.IN_PROGRESS, Health.CURRENT].index)


def test_an_update_is_in_progress_until_the_old_pods_are_gone():
    states = [health_of(state) for state in recorded("rollouts")["Deployment rolling"]]

    assert [state.health for state in states[1:-2]] == [Health.IN_PROGRESS] * 9
    assert states[1].message == "generation 2 not observed yet: at 1"
    assert states[-3].message == "1 old replicas still terminate"


@pytest.mark.parametrize(
    ("name", "health"),
    [
        ("cronjob", Health.SUSPENDED),
        ("hpa", Health.CURRENT),
        ("pdb", Health.CURRENT),
        ("ingress", Health.CURRENT),
        ("daemonset", Health.CURRENT),
        ("pvc pending", Health.IN_PROGRESS),
        ("pvc bound", Health.CURRENT),
    ],
)
def test_other_kinds_have_the_health_that_kstatus_gives_them(name, health):
    assert health_of(recorded("others")[name]).health is health


def test_a_broken_image_fails_before_the_progress_deadline(rollout):
    deployment = progressing(rollout["deployment"])
    around = Surroundings(pods=rollout["pods"], replica_sets=rollout["replica_sets"])

    status = workload_health(deployment, around)

    assert str(status) == (
        "Failed: Pod web-5b4cb7bfc4-<rand-5>: ImagePullBackOff: "
        'Back-off pulling image "broken:1"'
    )


def test_the_registry_s_answer_comes_from_the_pod_s_events(rollout):
    deployment = progressing(rollout["deployment"])
    [broken] = [pod for pod in rollout["pods"] if "5b4cb7bfc4" in str(pod)]
    pulled = {
        "involvedObject": {"uid": broken["metadata"]["uid"]},
        "reason": "Failed",
        "type": "Warning",
        "message": 'Failed to pull image "broken:1": manifest unknown',
    }
    around = Surroundings(
        pods=rollout["pods"], replica_sets=rollout["replica_sets"], events=[pulled]
    )

    message = workload_health(deployment, around).message

    assert message.endswith('Back-off pulling image "broken:1": manifest unknown')


def test_only_pods_of_the_current_template_count(rollout):
    deployment = progressing(rollout["deployment"])
    deployment["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "3"
    around = Surroundings(pods=rollout["pods"], replica_sets=rollout["replica_sets"])

    assert workload_health(deployment, around).health is Health.IN_PROGRESS


def test_a_deployment_not_observed_yet_is_not_failed_by_its_last_rollout(rollout):
    """A rollback is judged by its own pods, not by those that it replaces."""
    deployment = copy.deepcopy(rollout["deployment"])
    deployment["metadata"]["generation"] += 1
    around = Surroundings(pods=rollout["pods"], replica_sets=rollout["replica_sets"])

    assert workload_health(deployment, around).health is Health.IN_PROGRESS


def test_a_pod_s_first_failed_pull_is_not_yet_an_answer(rollout):
    deployment = progressing(rollout["deployment"])
    for pod in rollout["pods"]:
        for container in pod["status"]["containerStatuses"]:
            if "waiting" in container["state"]:
                container["state"]["waiting"]["reason"] = "ErrImagePull"
    around = Surroundings(pods=rollout["pods"], replica_sets=rollout["replica_sets"])

    assert workload_health(deployment, around).health is Health.IN_PROGRESS


@pytest.mark.parametrize(
    ("restarts", "health"), [(1, Health.IN_PROGRESS), (2, Health.FAILED)]
)
def test_a_crash_loop_is_an_answer_once_it_repeats(rollout, restarts, health):
    deployment = progressing(rollout["deployment"])
    for pod in rollout["pods"]:
        for container in pod["status"]["containerStatuses"]:
            if "waiting" in container["state"]:
                container["state"] = {"waiting": {"reason": "CrashLoopBackOff"}}
                container["restartCount"] = restarts
                container["lastState"] = {
                    "terminated": {"exitCode": 3, "reason": "Error", "message": "no db"}
                }
    around = Surroundings(pods=rollout["pods"], replica_sets=rollout["replica_sets"])

    status = workload_health(deployment, around)

    assert status.health is health
    if health is Health.FAILED:
        assert status.message.endswith(
            "CrashLoopBackOff: container web exited with 3 (Error): no db, 2 restarts"
        )


def test_a_passed_progress_deadline_is_failed_with_the_pod_s_reason(rollout):
    around = Surroundings(pods=rollout["pods"], replica_sets=rollout["replica_sets"])

    message = workload_health(rollout["deployment"], around).message

    assert message.startswith("ProgressDeadlineExceeded: ")
    assert "ImagePullBackOff" in message


def test_pods_that_may_not_be_created_are_told_of():
    found = recorded("replica-failure")

    status = workload_health(
        found["deployment"], Surroundings(replica_sets=found["replica_sets"])
    )

    assert status.health is Health.IN_PROGRESS
    assert "exceeded quota: q" in status.message


def test_a_failed_job_tells_its_pod_s_exit_code():
    found = recorded("failed-job")

    status = workload_health(found["job"], Surroundings(pods=found["pods"]))

    assert str(status) == (
        "Failed: BackoffLimitExceeded: Job has reached the specified backoff limit: "
        "Pod bad-<rand-1>: container main exited with 1 (Error)"
    )
    assert health_of(found["suspended"]).health is Health.SUSPENDED
    assert health_of(found["resumed"]).health is Health.CURRENT


def test_a_paused_deployment_is_suspended(rollout):
    paused = copy.deepcopy(rollout["before"])
    paused["spec"]["paused"] = True

    assert health_of(paused).health is Health.SUSPENDED


def test_an_object_that_is_being_deleted_terminates_and_names_its_finalizers(rollout):
    dying = copy.deepcopy(rollout["before"])
    dying["metadata"].update(deletionTimestamp="2026-01-01T00:00:00Z", finalizers=["a"])

    assert str(health_of(dying)) == "Terminating: waits for finalizers a"
    assert health_of(None).health is Health.NOT_FOUND


@pytest.mark.parametrize(
    ("conditions", "health"),
    [
        ([], Health.CURRENT),
        ([("Ready", "True")], Health.CURRENT),
        ([("Ready", "False")], Health.IN_PROGRESS),
        ([("Ready", "Unknown")], Health.IN_PROGRESS),
        ([("Ready", "True"), ("Stalled", "True")], Health.FAILED),
        ([("Ready", "True"), ("Reconciling", "True")], Health.IN_PROGRESS),
        ([("Available", "False")], Health.IN_PROGRESS),
        ([("Synced", "True"), ("Ready", "False")], Health.IN_PROGRESS),
        ([("Synced", "False")], Health.IN_PROGRESS),
        ([("Other", "False")], Health.CURRENT),
    ],
)
def test_a_custom_kind_has_the_health_of_its_conditions(conditions, health):
    thing = {
        "apiVersion": "example.com/v1",
        "kind": "Thing",
        "metadata": {"name": "a", "generation": 1},
        "status": {
            "observedGeneration": 1,
            "conditions": [{"type": kind, "status": is_} for kind, is_ in conditions],
        },
    }

    assert health_of(thing).health is health


def test_a_custom_kind_that_was_not_observed_is_in_progress_though_ready():
    thing = {
        "apiVersion": "example.com/v1",
        "kind": "Thing",
        "metadata": {"name": "a", "generation": 2},
        "status": {
            "observedGeneration": 1,
            "conditions": [{"type": "Ready", "status": "True"}],
        },
    }

    assert health_of(thing).health is Health.IN_PROGRESS


def test_the_health_of_many_is_the_worst_of_them():
    assert worst([]) is Health.CURRENT
    assert worst([Health.CURRENT, Health.IN_PROGRESS]) is Health.IN_PROGRESS
    assert worst([Health.FAILED, Health.NOT_FOUND]) is Health.FAILED


def built_in(kind, api_version="v1", **fields):
    return {"apiVersion": api_version, "kind": kind, "metadata": {"name": "a"}} | fields


def crd(*conditions):
    return built_in(
        "CustomResourceDefinition",
        "apiextensions.k8s.io/v1",
        status={
            "conditions": [
                {"type": kind, "status": status, "reason": reason}
                for kind, status, reason in conditions
            ]
        },
    )


@pytest.mark.parametrize(
    ("manifest", "health"),
    [
        (built_in("Service", spec={"clusterIP": "10.0.0.1"}), Health.CURRENT),
        (built_in("Service", spec={}), Health.IN_PROGRESS),
        (built_in("Service", spec={"type": "ExternalName"}), Health.CURRENT),
        (
            built_in("Service", spec={"type": "LoadBalancer", "clusterIP": "10.0.0.1"}),
            Health.IN_PROGRESS,
        ),
        (
            built_in(
                "Service",
                spec={"type": "LoadBalancer"},
                status={"loadBalancer": {"ingress": [{"ip": "192.0.2.1"}]}},
            ),
            Health.CURRENT,
        ),
        (built_in("PersistentVolume", status={"phase": "Bound"}), Health.CURRENT),
        (built_in("PersistentVolume", status={"phase": "Pending"}), Health.IN_PROGRESS),
        (built_in("PersistentVolume", status={"phase": "Failed"}), Health.FAILED),
        (built_in("PersistentVolumeClaim", status={"phase": "Lost"}), Health.FAILED),
        (built_in("Pod", status={"phase": "Pending"}), Health.IN_PROGRESS),
        (built_in("Pod", status={"phase": "Succeeded"}), Health.CURRENT),
        (built_in("Pod", status={"phase": "Failed"}), Health.FAILED),
        (built_in("Namespace", status={"phase": "Active"}), Health.CURRENT),
        (built_in("Namespace", status={"phase": "Terminating"}), Health.IN_PROGRESS),
        (crd(("Established", "True", "InitialNamesAccepted")), Health.CURRENT),
        (crd(("Established", "False", "Installing")), Health.IN_PROGRESS),
        (crd(("NamesAccepted", "False", "ListKindConflict")), Health.FAILED),
        (
            built_in(
                "APIService",
                "apiregistration.k8s.io/v1",
                status={"conditions": [{"type": "Available", "status": "False"}]},
            ),
            Health.IN_PROGRESS,
        ),
        (
            built_in("Job", "batch/v1", spec={"suspend": True}),
            Health.SUSPENDED,
        ),
        (
            built_in("CronJob", "batch/v1", spec={"suspend": True}),
            Health.SUSPENDED,
        ),
    ],
)
def test_built_in_kinds_are_judged_as_the_reference_page_says(manifest, health):
    assert health_of(manifest).health is health


def stateful_set(ready=3, updated=1, **strategy):
    return built_in(
        "StatefulSet",
        "apps/v1",
        spec={"replicas": 3, "updateStrategy": strategy},
        status={
            "observedGeneration": 1,
            "replicas": 3,
            "readyReplicas": ready,
            "updatedReplicas": updated,
            "currentRevision": "a",
            "updateRevision": "b",
        },
    )


@pytest.mark.parametrize(
    ("manifest", "health"),
    [
        (stateful_set(rollingUpdate={"partition": 2}), Health.CURRENT),
        (stateful_set(rollingUpdate={"partition": 1}), Health.IN_PROGRESS),
        (stateful_set(rollingUpdate={"partition": 0}), Health.IN_PROGRESS),
        (stateful_set(), Health.IN_PROGRESS),
        (stateful_set(type="OnDelete"), Health.CURRENT),
        (stateful_set(type="OnDelete", ready=2), Health.IN_PROGRESS),
    ],
)
def test_a_stateful_set_waits_for_what_its_strategy_updates(manifest, health):
    assert health_of(manifest).health is health


def test_a_pod_by_itself_fails_fast_as_one_of_a_workload_does():
    pod = built_in(
        "Pod",
        status={
            "phase": "Running",
            "containerStatuses": [
                {
                    "name": "main",
                    "restartCount": 3,
                    "state": {"waiting": {"reason": "CrashLoopBackOff"}},
                    "lastState": {"terminated": {"exitCode": 1, "reason": "Error"}},
                }
            ],
        },
    )

    assert str(workload_health(pod, Surroundings())) == (
        "Failed: Pod a: CrashLoopBackOff: container main exited with 1 (Error), "
        "3 restarts"
    )
