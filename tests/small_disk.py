"""A disk of a few megabytes for one process: a tmpfs in a mount namespace of its own.

Nobody else sees it, and it is gone with the process, killed or not.
"""

import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.daemons import DaemonProcess

_MOUNT = 'mount -t tmpfs -o size="$1" none "$0" && shift && exec "$@"'


@dataclass
class SmallDisk:
    """The disk that a daemon has at a path, once it is started."""

    daemon: DaemonProcess
    path: Path

    @property
    def outside(self) -> Path:
        """Where others see what is on it."""
        return Path(f"/proc/{self.daemon.process.pid}/root{self.path}")

    def fill(self) -> None:
        """Leave no room."""
        with (self.outside / "filler").open("wb", buffering=0) as file:
            try:
                while True:
                    file.write(bytes(65536))
            except OSError:
                pass

    def free(self) -> None:
        """Make room again."""
        (self.outside / "filler").unlink()

    def remount(self, how: str) -> None:
        """Mount it anew: `ro` or `rw`."""
        command = ["mount", "-o", f"remount,{how}", str(self.path)]
        subprocess.run([*self.daemon.inside, *command], check=True)


def small_disk(daemon: DaemonProcess, path: Path, size: str) -> SmallDisk:
    """Give a daemon that has not been started a disk of its own."""
    path.mkdir(parents=True, exist_ok=True)
    prefix = ["unshare", "-m", "sh", "-c", _MOUNT, str(path), size]
    try:
        tried = subprocess.run([*prefix, "true"], capture_output=True, check=False)
        refusal = tried.stderr.decode().strip()
    except FileNotFoundError as error:
        refusal = str(error)
    if refusal:
        pytest.skip(f"no disk can be mounted here (it takes root): {refusal}")
    daemon.prefix = prefix
    return SmallDisk(daemon, path)
