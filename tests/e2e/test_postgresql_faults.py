"""PostgreSQL goes away in every way; the daemon lives on, and does nothing twice.

What was done is asked of a receiver: each of its paths must have been called once.
"""

import pytest

from tests.calling import calling
from tests.daemons import eventually
from tests.receivers import OK
from tests.tcp_proxy import tcp_proxy


@pytest.fixture
def location(postgres):
    with postgres.database() as url:
        yield url
        postgres.start()


def wait_until_lost(daemon, times):
    eventually(
        lambda: len(daemon.logged("store.failed")) == times, what="it to be noticed"
    )
    return daemon.logged("store.failed")[-1]


def wait_until_back(daemon, times):
    eventually(
        lambda: len(daemon.logged("store.recovered")) == times, what="it to be back"
    )
    assert eventually(daemon.ready, what="an answer")["ready"]


def test_a_server_that_stops_in_mid_run_and_when_idle_costs_a_pause(
    postgres, location, tmp_path
):
    with calling(tmp_path, location) as release:
        daemon = release.daemon
        answered = release.hold("/call/web")
        daemon.start()
        first = release.push("web")
        eventually(lambda: release.calls("call", "web"), what="the call")

        # The attempt is in flight, and then has a result that nobody can record.
        postgres.stop()
        lost = wait_until_lost(daemon, 1)
        answered.set()
        assert lost["reason"] == "StoreUnreachable"
        assert daemon.ready()["store"].startswith("store postgresql://")
        postgres.start()
        daemon.reaches("web", ["Suspended"])
        wait_until_back(daemon, 1)

        # Now it is idle.
        postgres.stop()
        wait_until_lost(daemon, 2)
        release.approve("web", first)
        postgres.start()
        daemon.reaches("web", ["Succeeded"])
        wait_until_back(daemon, 2)
        assert release.calls("call", "web") == 1
        assert release.calls("tell", "web") == 1

        postgres.stop()
        wait_until_lost(daemon, 3)
        assert daemon.stop() == 0
        assert len(daemon.logged("store.failed")) == 3
        assert "Traceback" not in daemon.log
        warnings = [line for line in daemon.log.splitlines() if '"warning"' in line]
        assert len(warnings) == 5, warnings


def test_connections_that_are_cut_at_every_call_repeat_none(
    postgres, location, tmp_path
):
    names = [f"web{number}" for number in range(8)]
    cuts = []

    def answer(received):
        cuts.append(postgres.cut(location))
        return OK

    with calling(tmp_path, location) as release:
        daemon = release.daemon
        release.receiver.answer = answer
        commit = release.push(*names)
        daemon.start()
        for name in names:
            daemon.reaches(name, ["Suspended"])
        for name in names:
            release.approve(name, commit)
        for name in names:
            daemon.reaches(name, ["Succeeded"])

        for what in ("call", "tell"):
            assert [release.calls(what, name) for name in names] == [1] * 8
        assert len(cuts) == 16
        assert sum(cuts) >= 8
        assert "Traceback" not in daemon.log


def test_a_server_that_hangs_is_noticed_and_gone_on_with(postgres, location, tmp_path):
    with tcp_proxy(postgres.port) as proxy:
        through = location.replace(f":{postgres.port}/", f":{proxy.port}/")
        with calling(tmp_path, through) as release:
            daemon = release.daemon
            answered = release.hold("/call/web")
            daemon.start()
            release.push("web")
            eventually(lambda: release.calls("call", "web"), what="the call")

            proxy.hang()
            answered.set()
            lost = wait_until_lost(daemon, 1)
            assert lost["reason"] == "StoreUnreachable"
            assert not daemon.ready()["ready"]
            proxy.go_on()

            daemon.reaches("web", ["Suspended"])
            wait_until_back(daemon, 1)
            assert release.calls("call", "web") == 1
            assert daemon.stop() == 0
