"""Commit signatures, checked by git against an OpenSSH allowed-signers file.

Only SSH signatures count. Others are never shown to a verifying program: a clone's
commits are untrusted, and gpg would judge them by whatever keyring is about.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path

from gitops_wf.adapters.git_cli.environment import local_environment
from gitops_wf.adapters.git_cli.objects import (
    DamagedCloneError,
    ObjectReader,
    OversizedObjectError,
)
from gitops_wf.adapters.git_cli.process import Finished, run
from gitops_wf.core.errors import TerminalError, TransientError, cut
from gitops_wf.core.identifiers import Oid, Sha
from gitops_wf.ports.git import GitReason
from gitops_wf.ports.verifier import (
    SignatureVerifier,
    Unverified,
    UnverifiedReason,
    Verification,
    Verified,
)

_SIGNATURE = re.compile(rb"^gpgsig(?:-sha256)? (.*)$", re.MULTILINE)
_COMMIT_LIMIT = 1024 * 1024
_SSH = b"-----BEGIN SSH SIGNATURE-----"
_FORMAT = "--format=tformat:%H%n%G?%n%GS%n%GF"
_UNSIGNED = Unverified(
    reason=UnverifiedReason.UNSIGNED, message="the commit is unsigned"
)
_UNSUPPORTED = Unverified(
    reason=UnverifiedReason.UNSUPPORTED,
    message="the commit is signed, but not with an SSH key; only those are verified",
)


class GitSignatureVerifier(SignatureVerifier):
    """Verifies commits of the clone in `git_dir`; see the port."""

    def __init__(
        self, git_dir: Path, allowed_signers: Path, revoked_keys: Path | None = None
    ) -> None:
        self._git_dir = git_dir.absolute()
        self._files = [allowed_signers] + ([revoked_keys] if revoked_keys else [])
        signers = ("gpg.ssh.allowedSignersFile", str(allowed_signers.absolute()))
        # What is not SSH does not get here; if it did, nothing must verify it.
        others = [(f"gpg.{kind}program", "false") for kind in ("", "x509.")]
        self._unrevoked = local_environment(self._git_dir, [signers, *others])
        revoked = [
            ("gpg.ssh.revocationFile", str(f.absolute())) for f in self._files[1:]
        ]
        self._environment = local_environment(
            self._git_dir, [signers, *others, *revoked]
        )
        self._objects = ObjectReader(self._git_dir)

    def close(self) -> None:
        """Ends the child process."""
        self._objects.close()

    def verify(self, shas: Sequence[Sha]) -> Mapping[Sha, Verification]:
        """One verdict per commit; a commit that is not here is a `KeyError`."""
        for file in self._files:
            if not file.is_file():
                message = f"cannot verify signatures: {file} is no file"
                raise TerminalError(message, reason=GitReason.GIT_UNUSABLE)
        wanted = list(dict.fromkeys(shas))
        verdicts = {sha: self._without_ssh(sha) for sha in wanted}
        signed = [sha for sha, verdict in verdicts.items() if verdict is None]
        found = {sha: v for sha, v in verdicts.items() if v is not None}
        return found | dict(self._verified(signed))

    def _without_ssh(self, sha: Sha) -> Verification | None:
        """The verdict on a commit without an SSH signature; None if it has one."""
        try:
            (found,) = self._objects.objects([Oid(sha)], max_bytes=_COMMIT_LIMIT)
        except DamagedCloneError as exc:
            raise TransientError("our clone is damaged") from exc
        except OversizedObjectError:
            return _UNSUPPORTED
        if found is None or found[0].kind != "commit":
            raise KeyError(f"commit {sha} is not in the clone")
        content = found[1]
        signatures = _SIGNATURE.findall(content.partition(b"\n\n")[0])
        if not signatures:
            return _UNSIGNED
        return None if all(s == _SSH for s in signatures) else _UNSUPPORTED

    def _verified(self, shas: Sequence[Sha]) -> Iterator[tuple[Sha, Verification]]:
        if not shas:
            return
        args = ("log", "-z", "--no-walk=unsorted", "--stdin", _FORMAT)
        stdin = "".join(f"{sha}\n" for sha in shas).encode()
        done = run(self._git_dir, args, self._environment, stdin=stdin)
        if done.code:
            raise TransientError(f"git cannot verify signatures: {cut(done.stderr)}")
        for record in done.stdout.decode("utf-8", "replace").split("\0"):
            if record:
                sha, mark, principal, fingerprint = record.split("\n", 3)
                yield Sha(sha), self._verdict(Sha(sha), mark, principal, fingerprint)

    def _verdict(
        self, sha: Sha, mark: str, principal: str, fingerprint: str
    ) -> Verification:
        """What git's one-letter verdict means (`%G?` in git-log(1))."""
        if mark == "G" and not re.search(r"[*?!]", principal):
            return Verified(principal=principal, fingerprint=fingerprint.strip())
        if mark == "G":
            message = f"allowed signers give the key to a pattern, {cut(principal)}"
            return Unverified(reason=UnverifiedReason.UNKNOWN_SIGNER, message=message)
        if mark == "U":
            return self._unknown(sha, fingerprint.strip())
        return self._bad(sha)

    def _unknown(self, sha: Sha, fingerprint: str) -> Unverified:
        said = self._asked(sha, self._environment).stderr
        if re.search(r"key (has expired|is not yet valid)", said):
            message = f"the key {fingerprint} was not valid at the commit's date"
            return Unverified(reason=UnverifiedReason.EXPIRED, message=message)
        message = f"no allowed signer has the key {fingerprint}"
        return Unverified(reason=UnverifiedReason.UNKNOWN_SIGNER, message=message)

    def _bad(self, sha: Sha) -> Unverified:
        if self._asked(sha, self._unrevoked).code == 0:
            message = "the signing key is revoked"
            return Unverified(reason=UnverifiedReason.REVOKED, message=message)
        message = "the signature does not fit the commit"
        return Unverified(reason=UnverifiedReason.BAD_SIGNATURE, message=message)

    def _asked(self, sha: Sha, environment: Mapping[str, str]) -> Finished:
        args = ("verify-commit", "--end-of-options", sha)
        return run(self._git_dir, args, environment)
