"""Logs: one line per transition, JSON off a terminal, readable on one."""

import logging
import sys
from io import TextIOBase
from typing import TextIO, cast

import structlog


class _StandardError(TextIOBase):
    """Standard error as it is at each line: whoever replaced it gets the lines."""

    def write(self, text: str) -> int:
        return sys.stderr.write(text)

    def flush(self) -> None:
        sys.stderr.flush()


def configure_logs(*, json_lines: bool | None = None, level: str = "info") -> None:
    """Set structlog up to write to standard error.

    JSON unless a terminal reads it; the libraries' own logs only from warning on.
    """
    as_json = not sys.stderr.isatty() if json_lines is None else json_lines
    renderer: structlog.typing.Processor = (
        structlog.processors.JSONRenderer()
        if as_json
        else structlog.dev.ConsoleRenderer()
    )
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.StackInfoRenderer(),
            structlog.processors.format_exc_info,
            renderer,
        ],
        wrapper_class=structlog.make_filtering_bound_logger(
            logging.getLevelNamesMapping()[level.upper()]
        ),
        # A TextIOBase is all that it writes to; its type names the wider TextIO.
        logger_factory=structlog.PrintLoggerFactory(
            file=cast("TextIO", _StandardError())
        ),
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(level=logging.WARNING, stream=sys.stderr)
