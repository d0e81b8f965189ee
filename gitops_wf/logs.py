"""Logs: one line per transition, JSON off a terminal, readable on one.

Lines of libraries, warnings and what ends a thread come in the same form. Every line
is masked as the last thing before it is written.
"""

import logging
import sys
import threading
from collections.abc import Sequence
from io import TextIOBase
from typing import Any, TextIO, cast

import structlog

from gitops_wf.core.redaction import Redactor

log = structlog.get_logger()


class _StandardError(TextIOBase):
    """Standard error as it is at each line: whoever replaced it gets the lines."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def configure_logs(
    *,
    json_lines: bool | None = None,
    level: str = "info",
    redactor: Redactor | None = None,
) -> None:
    """Set structlog and logging up to write to standard error.

    JSON unless a terminal reads it; the libraries' own logs only from warning on,
    whatever the level: at debug some of them log what they send.
    """
    as_json = not sys.stderr.isatty() if json_lines is None else json_lines
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer()
    )
    masked = redactor or Redactor()
    shared: Sequence[structlog.typing.Processor] = (
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.StackInfoRenderer(),
        structlog.processors.format_exc_info,
    )

    def written(logger: Any, name: str, event: structlog.typing.EventDict) -> str:
        return masked.text(str(renderer(logger, name, event)))

    # A TextIOBase is all that both write to; its type names the wider TextIO.
    stream = cast("TextIO", _StandardError())
    structlog.configure(
        processors=[*shared, written],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        logger_factory=structlog.PrintLoggerFactory(file=stream),
        cache_logger_on_first_use=True,
    )
    handler = logging.StreamHandler(stream)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=[
                structlog.stdlib.ExtraAdder(),
                structlog.stdlib.add_logger_name,
                _named,
                *shared,
            ],
            processors=[
                structlog.stdlib.ProcessorFormatter.remove_processors_meta,
                written,
            ],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    # DBOS gives its logger a handler of its own where it has none yet.
    logging.getLogger("dbos").handlers = [logging.NullHandler()]
    logging.captureWarnings(capture=True)
    threading.excepthook = _thread_crashed
    sys.unraisablehook = _unraisable


def _named(_logger: Any, _name: str, event: Any) -> structlog.typing.EventDict:
    """Keep `event` for names of ours: what a library says is the `message`."""
    return {**event, "event": "library.logged", "message": event.get("event", "")}


def _thread_crashed(crashed: threading.ExceptHookArgs) -> None:
    """Log what ended a thread; by itself Python prints it as it is."""
    if crashed.exc_type is SystemExit or crashed.exc_value is None:
        return
    name = crashed.thread.name if crashed.thread else ""
    log.error("thread.crashed", thread=name, exc_info=crashed.exc_value)


def _unraisable(found: "sys.UnraisableHookArgs") -> None:
    """Log an error that had nobody to go to, such as one of a finaliser."""
    log.error("error.lost", where=found.err_msg or "", exc_info=found.exc_value or True)
