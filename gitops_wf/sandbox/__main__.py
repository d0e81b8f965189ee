"""`python -m gitops_wf.sandbox`: serve a sandbox in the foreground."""

from __future__ import annotations

import argparse
import errno
import logging
import os
import sys

from gitops_wf.sandbox.directory import AlreadyRunning, SandboxDirectory
from gitops_wf.sandbox.serving import DEFAULT_DELAY, serve


def main(arguments: list[str] | None = None) -> int:
    """Serve until SIGTERM; exit code 1, with one line why, where that can't be."""
    parser = argparse.ArgumentParser(
        prog="python -m gitops_wf.sandbox",
        description="A small Kubernetes API server on loopback.",
    )
    parser.add_argument("--dir", required=True, help="where its state is kept")
    parser.add_argument("--port", type=int, default=0, help="0: the last one, or any")
    parser.add_argument(
        "--delay",
        default="",
        help=f"how long a Pod takes to be ready (default {DEFAULT_DELAY})",
    )
    parser.add_argument("--ready-fd", type=int, default=-1, help=argparse.SUPPRESS)
    asked = parser.parse_args(arguments)
    logging.basicConfig(
        level=logging.WARNING,
        stream=sys.stderr,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
    )

    def ready(url: str) -> None:
        if asked.ready_fd >= 0:
            os.write(asked.ready_fd, f"{url}\n".encode())
            os.close(asked.ready_fd)

    directory = SandboxDirectory(asked.dir)
    try:
        serve(directory, port=asked.port, delay=asked.delay, ready=ready)
    except AlreadyRunning as error:
        sys.stderr.write(f"{error}\n")
        return 1
    except (OSError, ValueError) as error:
        sys.stderr.write(f"{directory}: {_why(error, asked.port)}\n")
        return 1
    return 0


def _why(error: Exception, port: int) -> str:
    if isinstance(error, OSError) and error.errno == errno.EADDRINUSE:
        return f"port {port} is in use by another process; name another by --port"
    return str(error)


if __name__ == "__main__":
    sys.exit(main())
