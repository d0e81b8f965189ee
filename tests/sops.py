"""Files as SOPS itself encrypts them."""

import subprocess
import sys
from pathlib import Path

from gitops_wf.ports.content import File

SOPS = str(Path(sys.executable).parent / "sops")
MANIFEST = """\
apiVersion: v1
kind: Secret
metadata:
    name: web
stringData:
    password: hunter2-hunter2
"""


def encrypted(tmp_path, path: str, text: str, *recipient: str, **env: str) -> File:
    plain = tmp_path / Path(path).name
    plain.write_text(text)
    done = subprocess.run(
        [SOPS, "encrypt", *recipient, plain.name],
        cwd=tmp_path,
        env={"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", **env},
        capture_output=True,
        check=True,
        timeout=60,
    )
    assert b"hunter2" not in done.stdout
    return File(path=path, data=done.stdout)
