"""Signatures on commits, made and judged by real git and ssh-keygen."""

import pytest

from gitops_wf.adapters.git_cli import GitSignatureVerifier
from gitops_wf.core.errors import TerminalError
from gitops_wf.ports.verifier import Unverified, UnverifiedReason, Verified
from tests.gitserver import GitWorkTree, make_key


@pytest.fixture
def ann(tmp_path):
    work = GitWorkTree.init(tmp_path / "work")
    work.git("config", "gpg.format", "ssh")
    for name in ("ann", "eve"):
        make_key(tmp_path / name)
    work.git("config", "user.signingKey", str(tmp_path / "ann"))
    return work


@pytest.fixture
def verify(ann, tmp_path):
    made = []

    def verdict(sha, options="", principal="ann@example.com", revoked=None, key="ann"):
        public = " ".join((tmp_path / f"{key}.pub").read_text().split()[:2])
        signers = tmp_path / "allowed_signers"
        signers.write_text(f"{principal} {options} {public}\n")
        verifier = GitSignatureVerifier(ann.path / ".git", signers, revoked)
        made.append(verifier)
        return verifier.verify([sha])[sha]

    yield verdict
    for verifier in made:
        verifier.close()


def test_a_commit_signed_by_an_allowed_key_is_its_principals(ann, verify):
    verdict = verify(ann.commit({"a": "1"}, sign=True))

    assert isinstance(verdict, Verified)
    assert verdict.principal == "ann@example.com"
    assert verdict.fingerprint.startswith("SHA256:")


def test_an_unsigned_commit_proves_nobody(ann, verify):
    assert verify(ann.commit({"a": "1"})).reason is UnverifiedReason.UNSIGNED


def test_a_key_that_nobody_listed_is_an_unknown_signer(ann, verify):
    verdict = verify(ann.commit({"a": "1"}, sign=True), key="eve")

    assert verdict.reason is UnverifiedReason.UNKNOWN_SIGNER


def test_a_key_given_to_a_pattern_proves_no_person(ann, verify):
    verdict = verify(ann.commit({"a": "1"}, sign=True), principal="*@example.com")

    assert verdict.reason is UnverifiedReason.UNKNOWN_SIGNER


def test_a_changed_commit_with_an_old_signature_is_bad(ann, verify):
    sha = ann.commit({"a": "1"}, "Harmless", sign=True)
    raw = ann.git("cat-file", "commit", sha).replace("Harmless", "Approve!") + "\n"
    forged = ann.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=raw.encode())

    assert verify(forged).reason is UnverifiedReason.BAD_SIGNATURE


def test_a_key_that_had_expired_at_the_commits_date_is_expired(ann, verify):
    sha = ann.commit({"a": "1"}, sign=True)

    assert verify(sha, 'valid-before="20250101"').reason is UnverifiedReason.EXPIRED
    assert verify(sha, 'valid-after="20300101"').reason is UnverifiedReason.EXPIRED
    assert isinstance(verify(sha, 'valid-before="20270101"'), Verified)


def test_a_revoked_key_is_refused_whatever_the_date(ann, verify, tmp_path):
    sha = ann.commit({"a": "1"}, sign=True)

    verdict = verify(sha, revoked=tmp_path / "ann.pub")

    assert verdict.reason is UnverifiedReason.REVOKED


@pytest.mark.parametrize("kind", ["PGP SIGNATURE", "SIGNED MESSAGE"])
def test_a_signature_of_another_kind_is_unsupported_and_breaks_nothing(
    ann, verify, kind
):
    head = ann.commit({"a": "1"})
    lines = ann.git("cat-file", "commit", head).split("\n\n", 1)
    raw = f"{lines[0]}\ngpgsig -----BEGIN {kind}-----\n \n iQ==\n -----END {kind}-----\n\nx\n"
    sha = ann.git("hash-object", "-t", "commit", "-w", "--stdin", stdin=raw.encode())

    verdict = verify(sha)

    assert isinstance(verdict, Unverified)
    assert verdict.reason is UnverifiedReason.UNSUPPORTED


def test_many_commits_get_a_verdict_each(ann, tmp_path):
    signed, unsigned = ann.commit({"a": "1"}, sign=True), ann.commit({"a": "2"})
    signers = tmp_path / "signers"
    signers.write_text(f"ann@example.com {(tmp_path / 'ann.pub').read_text()}")
    verifier = GitSignatureVerifier(ann.path / ".git", signers)

    verdicts = verifier.verify([unsigned, signed, unsigned])

    verifier.close()
    assert isinstance(verdicts[signed], Verified)
    assert isinstance(verdicts[unsigned], Unverified)
    with pytest.raises(KeyError):
        verifier.verify(["f" * 40])
    verifier.close()


def test_a_missing_signers_file_is_an_error_not_a_verdict(ann, tmp_path):
    verifier = GitSignatureVerifier(ann.path / ".git", tmp_path / "nowhere")

    with pytest.raises(TerminalError, match="nowhere is no file"):
        verifier.verify([ann.commit({"a": "1"})])
