"""Disks that are full or read-only: the daemon says so, waits, and goes on."""

import pytest

from tests.calling import calling
from tests.daemons import eventually
from tests.small_disk import small_disk


def fault(daemon, times=1):
    eventually(lambda: len(daemon.logged("store.failed")) == times, what="the fault")
    return daemon.logged("store.failed")[-1]


def test_a_full_disk_of_the_store_stops_what_must_be_recorded_and_nothing_is_lost(
    tmp_path,
):
    store = tmp_path / "disk" / "store.db"
    with calling(tmp_path, store) as release:
        daemon = release.daemon
        disk = small_disk(daemon, store.parent, "8m")
        answered = release.hold("/call/web")
        daemon.start()
        release.push("web")
        eventually(lambda: release.calls("call", "web"), what="the call")

        disk.fill()
        answered.set()
        found = fault(daemon)
        assert found["reason"] == "StoreFull"
        assert found["cause"].endswith(
            "database or disk is full; make room on its disk"
        )
        ready = daemon.ready()
        assert not ready["ready"]
        assert "disk is full" in ready["store"]
        assert daemon.phases("web") == ["Running"]

        disk.free()
        daemon.reaches("web", ["Suspended"])
        eventually(lambda: daemon.ready()["ready"], what="it to be ready")
        assert release.calls("call", "web") == 1
        assert len(daemon.logged("store.failed")) == 1
        assert len(daemon.logged("store.recovered")) == 1
        assert "Traceback" not in daemon.log


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ("full", "no space left on this machine's disk"),
        ("ro", "this machine's disk is read-only"),
    ],
)
def test_a_clone_s_disk_that_takes_nothing_is_the_repository_s_condition(
    tmp_path, how, said
):
    with calling(tmp_path, tmp_path / "store.db") as release:
        daemon = release.daemon
        clones = daemon.folder / ".gitops-wf" / "clones"
        disk = small_disk(daemon, clones, "4m")
        daemon.start()
        release.push("web")
        daemon.reaches("web", ["Suspended"])

        disk.fill() if how == "full" else disk.remount("ro")
        release.push("web2")
        eventually(lambda: daemon.logged("repository.failed"), what="the fault")
        failed = daemon.logged("repository.failed")
        (shown,) = daemon.ready()["repositories"].values()
        disk.free() if how == "full" else disk.remount("rw")
        daemon.reaches("web2", ["Suspended"])
        assert failed[0]["cause"].endswith(said)
        assert shown["message"].endswith(said)
        assert len(failed) == 1
        assert "Traceback" not in daemon.log


def test_a_store_that_is_damaged_while_the_daemon_runs_ends_it_with_the_mend(tmp_path):
    with calling(tmp_path, tmp_path / "store.db") as release:
        daemon = release.daemon
        daemon.start()
        release.push("web")
        daemon.reaches("web", ["Suspended"])

        for file in tmp_path.glob("store.db*"):
            if not file.name.endswith("-shm"):
                damage(file)
        release.push("web2")

        assert daemon.process.wait(60) == 1
        (failed,) = daemon.logged("daemon.failed")
        assert failed["reason"] == "StoreCorrupt"
        assert "move the file away" in failed["cause"]
        last = daemon.log.rstrip().splitlines()[-1]
        assert last == f"gitops-wf: {failed['cause']}"


def damage(file):
    """Overwrite all pages but the first, as a broken disk may."""
    with file.open("r+b") as opened:
        opened.seek(4096)
        opened.write(b"\xa5" * max(file.stat().st_size - 4096, 0))
