"""Child processes of tests, forked off one that has imported everything once.

Starting a Python with all of it takes ten times as long as most tests of a process.
There is one such server per test process, so all that any test needs stands here.
"""

import multiprocessing

FORKSERVER = multiprocessing.get_context("forkserver")
FORKSERVER.set_forkserver_preload(
    ["tests.executor_process", "tests.daemon_process", "tests.stores"]
)
