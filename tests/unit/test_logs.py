"""Logs go to standard error, whoever holds it at the moment, in one form and masked."""

import io
import json
import logging
import sys
import threading
import warnings

import pytest
import structlog

from gitops_wf.core.redaction import Redactor
from gitops_wf.core.secret import Secret
from gitops_wf.logs import configure_logs

CANARY = 'c4nary "of" the log'


@pytest.fixture
def lines(capsys):
    """What is written to standard error, as JSON; everything is put back afterwards."""
    root = logging.getLogger()
    before = structlog.get_config()
    kept = (root.handlers, root.level, threading.excepthook, sys.unraisablehook)
    configure_logs(json_lines=True, redactor=Redactor([Secret(CANARY)]))
    yield lambda: [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    structlog.configure(**before)
    root.handlers, root.level, threading.excepthook, sys.unraisablehook = kept
    logging.captureWarnings(capture=False)


def test_a_line_is_written_to_the_standard_error_of_its_moment(lines, monkeypatch):
    log = structlog.get_logger()
    log.info("daemon.started")
    second = io.StringIO()
    monkeypatch.setattr(sys, "stderr", second)

    log.info("daemon.stopped")

    assert [line["event"] for line in lines()] == ["daemon.started"]
    assert json.loads(second.getvalue())["event"] == "daemon.stopped"


def test_a_library_s_line_has_the_same_form_from_warning_on(lines):
    library = logging.getLogger("urllib3.connectionpool")
    library.info("not this")
    library.warning("retrying %s", CANARY, extra={"status": 503})

    [line] = lines()
    assert line.pop("timestamp")
    assert line == {
        "event": "library.logged",
        "logger": "urllib3.connectionpool",
        "level": "warning",
        "message": "retrying ***",
        "status": 503,
    }


def test_dbos_brings_no_handler_of_its_own(lines):
    from dbos._logger import dbos_logger, init_logger

    init_logger()
    dbos_logger.error("lost %s", CANARY)

    [line] = lines()
    assert (line["logger"], line["message"]) == ("dbos", "lost ***")


def fail():
    raise ValueError(f"said {CANARY}")


def test_tracebacks_are_masked_those_that_end_a_thread_too(lines):
    log = structlog.get_logger()
    try:
        fail()
    except ValueError:
        log.exception("step.crashed")
        logging.getLogger("apscheduler").exception("job failed")
    thread = threading.Thread(target=fail, name="ticks")
    thread.start()
    thread.join()

    crashed, library, ended = lines()
    assert [crashed["event"], library["event"]] == ["step.crashed", "library.logged"]
    assert (ended["event"], ended["thread"]) == ("thread.crashed", "ticks")
    for line in (crashed, library, ended):
        assert "ValueError: said ***" in line["exception"]
        assert "c4nary" not in json.dumps(line)


def test_warnings_are_lines_too(lines):
    with warnings.catch_warnings():
        warnings.simplefilter("always")
        warnings.warn(f"old {CANARY}", stacklevel=1)

    [line] = lines()
    assert line["logger"] == "py.warnings"
    assert "old ***" in line["message"]
