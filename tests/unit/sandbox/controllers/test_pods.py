from datetime import timedelta

import pytest

from gitops_wf.sandbox.controllers.faults import Fault, fault_of, parse_duration
from gitops_wf.sandbox.controllers.logs import log_of
from tests.sandboxcluster import Cluster, deployment, reason_of, template


def pod(image="nginx:1", name="p", annotations=None, **spec):
    meta = {"name": name, "namespace": "default", "annotations": annotations or {}}
    return {"metadata": meta, "spec": template(image, **spec)["spec"]}


def waiting(found):
    return found["status"]["containerStatuses"][0]["state"]["waiting"]


def test_a_pod_is_scheduled_then_created_then_ready():
    cluster = Cluster()
    cluster.create("pods", pod())
    cluster.settle(1)

    found = cluster.get("pods", "p")
    assert found["spec"]["nodeName"] == "node-1"
    assert found["status"]["phase"] == "Running"
    assert [one["type"] for one in found["status"]["conditions"]] == [
        "Initialized",
        "PodReadyToStartContainers",
        "Ready",
        "ContainersReady",
        "PodScheduled",
    ]
    assert {one["status"] for one in found["status"]["conditions"]} == {"True"}
    assert [reason for reason, _ in cluster.events("Pod")] == [
        "Scheduled",
        "Pulled",
        "Created",
        "Started",
    ]


def test_a_pod_takes_the_delay_that_its_annotation_asks_for():
    cluster = Cluster()
    cluster.create("pods", pod(annotations={"sandbox.gitops-wf.io/delay": "10s"}))
    cluster.settle(9)
    early = cluster.get("pods", "p")["status"]["phase"]
    cluster.settle(2)

    assert early == "Pending"
    assert cluster.get("pods", "p")["status"]["phase"] == "Running"


def test_another_scheduler_s_pods_are_left_alone():
    cluster = Cluster()
    cluster.create("pods", pod(schedulerName="none"))
    cluster.settle(5)

    assert "nodeName" not in cluster.get("pods", "p")["spec"]


def test_an_image_that_cannot_be_pulled_waits_with_the_kubelet_s_words():
    cluster = Cluster()
    cluster.create("pods", pod("nginx:broken-1"))
    cluster.settle(0.35)
    first = waiting(cluster.get("pods", "p"))
    cluster.settle(2)

    found = cluster.get("pods", "p")
    assert first["reason"] == "ErrImagePull"
    assert first["message"].endswith("docker.io/library/nginx:broken-1: not found")
    assert waiting(found)["reason"] == "ImagePullBackOff"
    assert waiting(found)["message"].startswith(
        'Back-off pulling image "nginx:broken-1": ErrImagePull: '
    )
    assert found["status"]["phase"] == "Pending"
    assert [reason for reason, _ in cluster.events("Pod")] == [
        "Scheduled",
        "Pulling",
        "Failed",
        "Failed",
        "BackOff",
        "Failed",
    ]


def test_a_crashing_container_restarts_ever_more_slowly_and_is_never_ready():
    cluster = Cluster()
    cluster.create("deployments.apps", deployment(image="crash:1", replicas=1))
    cluster.settle(1.5)
    (found,) = cluster.list("pods")
    status = found["status"]["containerStatuses"][0]
    assert status["restartCount"] == 1
    assert status["state"]["waiting"]["reason"] == "CrashLoopBackOff"
    assert status["state"]["waiting"]["message"].startswith("back-off 10s restarting")
    assert status["lastState"]["terminated"]["exitCode"] == 1
    assert reason_of(found, "Ready") == ("False", "ContainersNotReady")

    cluster.settle(20)
    (found,) = cluster.list("pods")
    status = found["status"]["containerStatuses"][0]
    assert status["restartCount"] == 3
    assert status["state"]["waiting"]["message"].startswith("back-off 40s restarting")


def test_a_pod_that_is_never_ready_runs():
    cluster = Cluster()
    cluster.create("pods", pod("notready:1"))
    cluster.settle(5)

    found = cluster.get("pods", "p")
    assert found["status"]["phase"] == "Running"
    assert reason_of(found, "Ready") == ("False", "ContainersNotReady")


@pytest.mark.parametrize(
    ("image", "phase", "code"),
    [("busybox:1", "Succeeded", 0), ("fail:1", "Failed", 1), ("crash:1", "Failed", 1)],
)
def test_a_pod_that_is_not_restarted_ends(image, phase, code):
    cluster = Cluster()
    cluster.create("pods", pod(image, restartPolicy="Never"))
    cluster.settle(2)

    status = cluster.get("pods", "p")["status"]
    assert status["phase"] == phase
    assert status["containerStatuses"][0]["state"]["terminated"]["exitCode"] == code


def test_a_hanging_pod_never_ends():
    cluster = Cluster()
    cluster.create("pods", pod("hang:1", restartPolicy="Never"))
    cluster.settle(60)

    assert cluster.get("pods", "p")["status"]["phase"] == "Running"


def test_a_deleted_pod_terminates_for_a_while():
    cluster = Cluster()
    cluster.create("pods", pod())
    cluster.settle(1)

    cluster.delete("pods", "p")
    assert cluster.get("pods", "p")["metadata"]["deletionGracePeriodSeconds"] == 30
    cluster.settle(1)

    assert cluster.find("pods", "p") is None
    assert ("Killing", "Stopping container web") in cluster.events("Pod")


def test_init_containers_are_done_before_the_others_start():
    cluster = Cluster()
    made = pod()
    made["spec"]["initContainers"] = [{"name": "init", "image": "busybox:1"}]
    cluster.create("pods", made)
    cluster.settle(1)

    (status,) = cluster.get("pods", "p")["status"]["initContainerStatuses"]
    assert status["state"]["terminated"]["reason"] == "Completed"


@pytest.mark.parametrize(
    ("image", "fault"),
    [
        ("nginx:1", Fault.NONE),
        ("broken:1", Fault.PULL),
        ("nginx:broken-1", Fault.PULL),
        ("registry.example:5000/team/crash-web:1", Fault.CRASH),
        ("registry.example/web:notready", Fault.NOT_READY),
        ("fail", Fault.EXIT),
        ("hang@sha256:0123", Fault.HANG),
        ("unbroken:1", Fault.NONE),
    ],
)
def test_an_image_name_or_tag_asks_for_a_failure(image, fault):
    assert fault_of(pod(), {"image": image}) is fault


def test_an_annotation_asks_for_a_failure_whatever_the_image():
    asked = pod(annotations={"sandbox.gitops-wf.io/fail": "ExitCode"})

    assert fault_of(asked, {"image": "broken:1"}) is Fault.EXIT


@pytest.mark.parametrize(
    ("text", "seconds"), [("300ms", 0.3), ("2s", 2), ("1m30s", 90), ("0.5h", 1800)]
)
def test_a_duration_is_read_as_go_writes_it(text, seconds):
    assert parse_duration(text) == timedelta(seconds=seconds)


@pytest.mark.parametrize("text", ["", "5", "s", "2 s", "1d", "-1s"])
def test_anything_else_is_no_duration(text):
    assert parse_duration(text) is None


def test_a_log_is_what_the_pod_says_or_two_lines():
    said = pod(annotations={"sandbox.gitops-wf.io/log": "seeded 3 rows"})

    assert log_of(said, "web") == "seeded 3 rows\n"
    assert log_of(pod(), "web") == "line 1\nline 2\n"
    assert log_of(pod("fail:1"), "web").splitlines()[-1].startswith("error: ")
    assert log_of(pod("broken:1"), "web") == ""
