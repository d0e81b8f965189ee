"""Logs go to standard error, whoever holds it at the moment."""

import io
import json
import sys

import structlog

from gitops_wf.logs import configure_logs


def test_a_line_is_written_to_the_standard_error_of_its_moment(monkeypatch):
    before = structlog.get_config()
    first, second = io.StringIO(), io.StringIO()
    try:
        monkeypatch.setattr(sys, "stderr", first)
        configure_logs(json_lines=True)
        log = structlog.get_logger()
        log.info("daemon.started")
        first_line = first.getvalue()
        first.close()
        monkeypatch.setattr(sys, "stderr", second)

        log.info("daemon.stopped")
    finally:
        structlog.configure(**before)

    assert json.loads(first_line)["event"] == "daemon.started"
    assert json.loads(second.getvalue())["event"] == "daemon.stopped"
