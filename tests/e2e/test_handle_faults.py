"""A process that may open no more files says so, lives on, and goes on."""

import resource

from tests.calling import calling
from tests.daemons import eventually


def test_a_daemon_out_of_file_handles_says_so_and_goes_on_once_it_has_some(tmp_path):
    with calling(tmp_path, tmp_path / "store.db") as release:
        daemon = release.daemon
        daemon.start()
        release.push("web")
        daemon.reaches("web", ["Suspended"])
        pid = daemon.process.pid
        before = resource.prlimit(pid, resource.RLIMIT_NOFILE)
        resource.prlimit(pid, resource.RLIMIT_NOFILE, (3, before[1]))

        commit = release.push("other")
        eventually(lambda: daemon.logged("repository.failed"), what="the fault")
        (failed,) = daemon.logged("repository.failed")
        assert failed["reason"] == "MachineFault"
        assert failed["cause"] == (
            "this machine cannot poll it: [Errno 24] Too many open files"
        )
        resource.prlimit(pid, resource.RLIMIT_NOFILE, before)

        daemon.reaches("other", ["Suspended"])
        release.approve("other", commit)
        daemon.reaches("other", ["Succeeded"])
        assert release.calls("call", "other") == 1
        assert release.calls("tell", "other") == 1
        assert daemon.logged("poll.crashed") == []
        assert daemon.ready()["ready"]
