import pytest

from gitops_wf.adapters.git_cli.failures import is_damage, remote_failure
from gitops_wf.core.errors import TerminalError, TransientError
from gitops_wf.core.secret import Secret


@pytest.mark.parametrize(
    ("said", "kind", "shown"),
    [
        ("ERROR: Repository not found.\nfatal: Could not read from remote repository.", TerminalError, "there is no repository"),
        ("remote: HTTP Basic: Access denied\nfatal: Authentication failed for 'https://x/'", TerminalError, "refuses the credentials"),
        ("fatal: unable to access 'https://x/': The requested URL returned error: 504", TransientError, "answered 504"),
        ("ssh: Could not resolve hostname git.example.com: Name or service not known", TransientError, "git.example.com has no address"),
        ("ssh: connect to host x port 22: Connection timed out", TransientError, "does not answer"),
        ("error: RPC failed; curl 18 transfer closed\nfatal: early EOF", TransientError, "the connection broke before all was sent"),
        ("fatal: write error: No space left on device", TransientError, "no space left"),
        ("error: unable to create temporary file: Read-only file system\nfatal: index-pack failed", TransientError, "disk is read-only"),
        ("fatal: unable to access: Too many open files", TransientError, "too many files open"),
        ("", TransientError, "git gave no reason"),
    ],
)  # fmt: skip
def test_what_git_says_becomes_one_line_for_an_operator(said, kind, shown):
    error = remote_failure("repository https://x", said)

    assert isinstance(error, kind)
    assert str(error).startswith("repository https://x: ")
    assert shown in str(error)
    assert "\n" not in str(error)


def test_userinfo_and_secrets_in_gits_words_are_masked_and_long_words_cut():
    said = (
        "fatal: odd thing at https://ann:hunter2@example.com/a.git with t0k3n "
        + "x" * 900
    )

    error = remote_failure("repository x", said, [Secret("t0k3n"), Secret("")])

    assert "hunter2" not in str(error)
    assert "t0k3n" not in str(error)
    assert len(str(error)) < 300


def test_what_the_remote_says_about_its_own_damage_is_not_ours():
    assert is_damage("error: refs/gitops-wf/head does not point to a valid object!")
    assert not is_damage("remote: fatal: bad object refs/heads/main\nfatal: early EOF")
