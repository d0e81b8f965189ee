"""Servers that a machine may lack: their tests are skipped there, and fail in CI."""

import os
import shutil
import subprocess
from pathlib import Path
from typing import NoReturn

import pytest

REQUIRE = "GITOPS_WF_REQUIRE_SERVERS"


def missing(name: str, mend: str) -> NoReturn:
    """Skips, or fails where `GITOPS_WF_REQUIRE_SERVERS=1`, naming the mend."""
    text = f"{name} is not on this machine; mend it with: {mend}"
    if os.environ.get(REQUIRE) == "1":
        pytest.fail(f"{text} ({REQUIRE}=1 turns the skip into a failure)")
    pytest.skip(text)


def require_sshd() -> str:
    """Path of a usable sshd, as sshd insists on being started by its full path."""
    sshd = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/sbin")
    if sshd is None or shutil.which("ssh") is None:
        missing("sshd", "apt-get install openssh-server openssh-client")
    if os.geteuid() == 0 and not Path("/run/sshd").is_dir():
        try:
            Path("/run/sshd").mkdir(mode=0o755)
        except OSError:
            missing("/run/sshd", "mkdir -m 755 /run/sshd")
    return sshd


def require_http_backend() -> None:
    """Skips where git came without `git http-backend`."""
    exec_path = subprocess.check_output(["git", "--exec-path"], text=True).strip()
    if not (Path(exec_path) / "git-http-backend").exists():
        missing("git http-backend", "apt-get install git")
