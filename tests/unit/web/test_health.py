from dataclasses import replace

from gitops_wf.core.config import RepositoryConfig
from gitops_wf.core.identifiers import RepositoryName
from tests.shop import fill
from tests.sites import break_store, served_site


def test_a_process_whose_loops_turn_is_healthy(site):
    tick = site.heartbeats.of("ticks")
    site.heartbeats.of("polls")
    site.stopwatch.seconds += 30
    tick()

    answer = site.get("/healthz")

    assert answer.status_code == 200
    assert answer.json() == {
        "healthy": True,
        "loops": {"ticks": {"secondsAgo": 0.0}, "polls": {"secondsAgo": 30.0}},
    }


def test_the_loop_that_stopped_is_named(site):
    tick = site.heartbeats.of("ticks")
    site.heartbeats.of("polls")
    site.stopwatch.seconds += 121
    tick()

    answer = site.get("/healthz")

    assert answer.status_code == 503
    assert answer.json()["message"] == "stopped: polls"


def test_a_loop_that_turns_again_is_healthy_again(site):
    tick = site.heartbeats.of("ticks")
    site.stopwatch.seconds += 121
    assert site.get("/healthz").status_code == 503

    tick()

    assert site.get("/healthz").status_code == 200


def test_it_is_ready_once_every_repository_was_polled(site):
    answer = site.get("/readyz")

    assert answer.status_code == 200
    assert answer.json()["ready"] is True
    assert answer.json()["repositories"]["shop"]["looked"] is True


def test_it_is_not_ready_before_a_repository_was_polled(tmp_path):
    config = fill(tmp_path)
    new = RepositoryConfig(name=RepositoryName("new"), url="https://git.example/new")
    config = replace(config, repositories=(*config.repositories, new))

    with served_site(config) as site:
        answer = site.get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["ready"] is False
    assert answer.json()["repositories"]["new"]["looked"] is False
    assert answer.json()["repositories"]["shop"]["looked"] is True


def test_it_is_not_ready_when_the_store_does_not_answer(tmp_path):
    config = fill(tmp_path)
    with served_site(config) as site:
        break_store(config)

        answer = site.get("/readyz")

    assert answer.status_code == 503
    assert answer.json()["ready"] is False
    assert "gitops-wf.db" in answer.json()["store"]


def test_a_store_that_is_known_to_be_away_is_not_asked_again(tmp_path):
    with served_site(fill(tmp_path), fault="store x: its disk is full") as site:
        answer = site.get("/readyz")

    assert answer.status_code == 503
    assert answer.json() == {
        "ready": False,
        "store": "store x: its disk is full",
        "repositories": {},
    }
