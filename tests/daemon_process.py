"""The daemon in a child process that may be told to kill itself at a point."""

import importlib
import os
import signal
from pathlib import Path

from gitops_wf.adapters.step_catalogue import EntryPointCatalogue
from gitops_wf.bootstrap.configs import load_config
from gitops_wf.bootstrap.running import make_daemon
from gitops_wf.core.expressions import parse
from gitops_wf.logs import configure_logs
from tests.crashpoints import Crashpoints, Journal, Point

# What the daemon loads and builds once it is needed, each forked child has already.
for _name in ("alembic.command", "alembic.config"):
    importlib.import_module(_name)
EntryPointCatalogue()
parse("true").evaluate({})


def serve(folder: Path, point: Point | None) -> None:
    """Run the daemon of ``folder/gitops-wf.yaml`` as `gitops-wf run` does."""
    log = os.open(folder / "daemon.log", os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    for stream in (1, 2):
        os.dup2(log, stream)
    Crashpoints(Journal(folder / "journal.jsonl"), point).install()
    configure_logs(level="info")
    daemon = make_daemon(load_config(folder / "gitops-wf.yaml"))
    signal.signal(signal.SIGTERM, lambda *_: daemon.stop())
    daemon.run()
