from tests.sandboxcluster import Cluster, job, reason_of


def test_a_job_completes_and_counts_its_pod_once():
    cluster = Cluster()
    cluster.create("jobs.batch", job())
    cluster.settle(3)

    found = cluster.get("jobs.batch", "seed")
    status = found["status"]
    assert [one["type"] for one in status["conditions"]] == [
        "SuccessCriteriaMet",
        "Complete",
    ]
    assert reason_of(found, "Complete") == ("True", "CompletionsReached")
    assert status["succeeded"] == 1
    assert status["uncountedTerminatedPods"] == {}
    assert "active" not in status
    assert "completionTime" in status
    (pod,) = cluster.list("pods")
    assert "finalizers" not in pod["metadata"]
    assert [reason for reason, _ in cluster.events("Job")] == [
        "SuccessfulCreate",
        "Completed",
    ]


def test_a_failing_job_ends_with_its_first_pod_when_no_retry_is_allowed():
    cluster = Cluster()
    cluster.create("jobs.batch", job(image="fail:1", backoffLimit=0))
    cluster.settle(5)

    found = cluster.get("jobs.batch", "seed")
    assert [one["type"] for one in found["status"]["conditions"]] == [
        "FailureTarget",
        "Failed",
    ]
    assert reason_of(found, "Failed") == ("True", "BackoffLimitExceeded")
    assert found["status"]["failed"] == 1
    assert len(cluster.list("pods")) == 1


def test_a_failing_job_is_retried_backoff_limit_times():
    cluster = Cluster()
    cluster.create("jobs.batch", job(image="fail:1", backoffLimit=2))
    cluster.settle(60)

    assert cluster.get("jobs.batch", "seed")["status"]["failed"] == 3
    assert len(cluster.list("pods")) == 3


def test_a_job_that_restarts_in_place_fails_by_its_restarts():
    cluster = Cluster()
    made = job(image="fail:1", restart="OnFailure", backoffLimit=2)
    cluster.create("jobs.batch", made)
    cluster.settle(60)

    found = cluster.get("jobs.batch", "seed")
    assert reason_of(found, "Failed") == ("True", "BackoffLimitExceeded")
    assert cluster.list("pods") == []


def test_several_completions_run_in_parallel():
    cluster = Cluster()
    cluster.create("jobs.batch", job(completions=5, parallelism=2))
    active = []

    def note(_type, resource, manifest, _old):
        if resource.qualified == "jobs.batch":
            active.append(manifest["status"].get("active", 0))

    cluster.api.subscribe(note)
    cluster.settle(20)

    assert cluster.get("jobs.batch", "seed")["status"]["succeeded"] == 5
    assert max(active) == 2


def test_a_job_that_takes_too_long_fails_by_its_deadline():
    cluster = Cluster()
    cluster.create("jobs.batch", job(image="hang:1", activeDeadlineSeconds=10))
    cluster.settle(9)
    early = reason_of(cluster.get("jobs.batch", "seed"), "Failed")
    cluster.settle(5)

    found = cluster.get("jobs.batch", "seed")
    assert early is None
    assert reason_of(found, "Failed") == ("True", "DeadlineExceeded")
    assert found["status"]["failed"] == 1
    assert found["status"]["terminating"] == 0
    assert cluster.list("pods") == []


def test_a_suspended_job_makes_no_pods_until_it_is_resumed():
    cluster = Cluster()
    cluster.create("jobs.batch", job(suspend=True))
    cluster.settle(5)
    held = cluster.get("jobs.batch", "seed")
    assert reason_of(held, "Suspended") == ("True", "JobSuspended")
    assert "startTime" not in held["status"]
    assert cluster.list("pods") == []

    cluster.change("jobs.batch", "seed", lambda one: one["spec"].update(suspend=False))
    cluster.settle(5)

    found = cluster.get("jobs.batch", "seed")
    assert [one["type"] for one in found["status"]["conditions"]] == [
        "Suspended",
        "SuccessCriteriaMet",
        "Complete",
    ]
    assert reason_of(found, "Suspended") == ("False", "JobResumed")


def test_a_finished_job_goes_after_its_ttl_with_its_pods():
    cluster = Cluster()
    cluster.create("jobs.batch", job(ttlSecondsAfterFinished=30))
    cluster.settle(10)
    assert cluster.find("jobs.batch", "seed") is not None

    cluster.settle(40)

    assert cluster.find("jobs.batch", "seed") is None
    assert cluster.list("pods") == []


def test_the_pods_of_a_running_job_go_with_it():
    cluster = Cluster()
    cluster.create("jobs.batch", job(image="hang:1"))
    cluster.settle(2)

    cluster.delete("jobs.batch", "seed")
    cluster.settle(2)

    assert cluster.list("pods") == []
