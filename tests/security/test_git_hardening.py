"""The Git adapter against hostile urls, branches, objects and environments."""

import os

import pytest

from gitops_wf.adapters.git_cli import GitCliRepository
from gitops_wf.adapters.git_cli.environment import remote_environment
from gitops_wf.adapters.git_cli.remote_url import parse_url
from gitops_wf.core.errors import GitOpsError, TerminalError
from gitops_wf.core.secret import Secret
from gitops_wf.ports.git import BasicAuth, Credential, GitReason, Remote, SshAuth
from tests.contract.git_remotes import served
from tests.gitserver import GitHttpServer, bare_repository

CANARY = "c4n4ry-p4ss"


@pytest.fixture
def web(tmp_path):
    with served(tmp_path, "http") as place:
        place.http.credentials = ("basic", "deploy", CANARY)
        place.auth = BasicAuth(username="deploy", password=Secret(CANARY))
        place.work.push_commit({"a": "1"})
        yield place


@pytest.mark.parametrize(
    "url",
    [
        "",
        "--upload-pack=touch /tmp/pwned",
        "-oProxyCommand=x",
        "ext::sh -c touch% /tmp/pwned",
        "fd::17/foo",
        "git://example.com/a.git",
        "ftp://example.com/a.git",
        "https://example.com",
        "https://user:pass@example.com/a.git",
        "https:///a.git",
        "http://example.com/a.git",
        "http://127.0.0.1.example.com/a.git",
        "http://localhost.example.com/a.git",
        "ssh://-oProxyCommand=x/a.git",
        "ssh://-oProxyCommand=x@example.com/a.git",
        "-oProxyCommand=x@example.com:a.git",
        "git@-oProxyCommand=x:a.git",
        "file://other-host/a.git",
        "file:relative",
        "relative/path",
        "../up",
        "https://example.com/a b",
        "https://example.com/a\nb",
        "https://example.com:port/a",
        "::::",
    ],
)
def test_urls_that_are_not_plainly_a_repository_are_refused(tmp_path, url):
    with pytest.raises(TerminalError) as caught:
        GitCliRepository(tmp_path / "clone", Remote(url=url, branch="main"))

    assert caught.value.reason == GitReason.URL_REFUSED
    assert "pass" not in str(caught.value).replace("password", "")
    assert not (tmp_path / "clone").exists()


@pytest.mark.parametrize(
    "branch",
    [
        "",
        "-b",
        "--upload-pack=x",
        "a b",
        "a..b",
        "a:b",
        "a\nb",
        "x.lock",
        "^a",
        "a*",
    ],
)
def test_branch_names_that_git_would_not_take_are_refused(tmp_path, branch):
    bare = bare_repository(tmp_path / "a.git")

    with pytest.raises(TerminalError, match="no valid branch name"):
        GitCliRepository(tmp_path / "clone", Remote(url=str(bare), branch=branch))


@pytest.mark.parametrize(
    ("url", "prefix", "fits"),
    [
        ("https://git.example.com/org/a.git", "https://git.example.com/org", True),
        ("https://git.example.com/org/a.git", "https://git.example.com", True),
        ("https://git.example.com/org/a.git", "https://GIT.example.com:443/org/", True),
        (
            "https://git.example.com/org/a.git",
            "https://git.example.com/org/a.git",
            True,
        ),
        (
            "https://git.example.com/organised/a.git",
            "https://git.example.com/org",
            False,
        ),
        ("https://git.example.com/other/a.git", "https://git.example.com/org", False),
        (
            "https://git.example.com/org/../x/a.git",
            "https://git.example.com/org",
            False,
        ),
        ("https://git.example.com/org/%2e%2e/x", "https://git.example.com/org", False),
        (
            "https://git.example.com.evil.example/org/a",
            "https://git.example.com/org",
            False,
        ),
        ("https://evil.example/org/a.git", "https://git.example.com/org", False),
        (
            "https://git.example.com:8443/org/a.git",
            "https://git.example.com/org",
            False,
        ),
        ("http://localhost/org/a.git", "https://localhost/org", False),
        ("ssh://git@git.example.com/org/a", "https://git.example.com/org", False),
        ("/srv/a.git", "https://git.example.com/org", False),
    ],
)
def test_a_credential_goes_only_below_the_place_it_is_bound_to(
    tmp_path, url, prefix, fits
):
    auth = BasicAuth(username="u", password=Secret(CANARY))
    remote = Remote(
        url=url, branch="main", credential=Credential(auth=auth, prefix=prefix)
    )

    if fits:
        GitCliRepository(tmp_path / "clone", remote).close()
    else:
        with pytest.raises(TerminalError) as caught:
            GitCliRepository(tmp_path / "clone", remote)
        assert caught.value.reason == GitReason.URL_REFUSED


def test_an_ssh_key_is_not_taken_for_an_http_url(tmp_path):
    auth = SshAuth(private_key=Secret("k"), known_hosts="")
    url = "https://example.com/a.git"
    remote = Remote(
        url=url, branch="main", credential=Credential(auth=auth, prefix=url)
    )

    with pytest.raises(TerminalError, match="does not fit its kind of credential"):
        GitCliRepository(tmp_path / "clone", remote)


def test_no_secret_is_on_disk_on_a_command_line_or_in_an_error(
    web, tmp_path, monkeypatch
):
    spy = tmp_path / "bin" / "git"
    spy.parent.mkdir()
    spy.write_text(
        f'#!/bin/sh\nprintf "%s\\n" "$*" >> {tmp_path}/commands\nexec /usr/bin/git "$@"\n'
    )
    spy.chmod(0o755)
    monkeypatch.setenv("PATH", f"{spy.parent}:{os.environ['PATH']}")

    with web.open() as repository:
        repository.remote_head()
        head = repository.fetch().new
        repository.ensure_blobs(e.oid for e in repository.tree(head).entries)
        web.http.misbehave = 401
        with pytest.raises(GitOpsError) as caught:
            repository.fetch()

    assert CANARY in web.auth.password.reveal()
    assert "fetch" in (tmp_path / "commands").read_text()
    assert CANARY not in (tmp_path / "commands").read_text()
    assert CANARY not in f"{caught.value!r} {caught.value.__cause__!r} {web.remote()!r}"
    files = [f for f in (web.directory / "daemon").rglob("*") if f.is_file()]
    assert files
    assert not [f for f in files if CANARY.encode() in f.read_bytes()]


def test_key_files_are_gone_when_the_command_has_ended(tmp_path, monkeypatch):
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "tmp"))
    (tmp_path / "tmp").mkdir()
    with served(tmp_path, "ssh") as place:
        place.work.push_commit({"a": "1"})
        with place.open() as repository:
            repository.fetch()
            clone = repository.git_dir

    assert list((tmp_path / "tmp").iterdir()) == []
    assert not list(clone.glob("gitops-wf-git-*"))


def test_key_files_that_a_killed_daemon_left_go_at_the_next_start(tmp_path):
    with served(tmp_path, "ssh") as place:
        place.work.push_commit({"a": "1"})
        with place.open() as repository:
            clone = repository.git_dir
            remote, url = (
                repository.remote,
                parse_url(repository.remote.url, allow_http=False),
            )
        left = remote_environment(clone, remote, url, blobs=None)
        left.__enter__()  # and the process dies
        assert list(clone.glob("*/key"))

        with place.open():
            assert not list(clone.glob("*/key"))


def test_what_git_finds_in_the_environment_and_home_does_not_count(
    web, tmp_path, monkeypatch
):
    home = tmp_path / "home"
    home.mkdir()
    trap = GitHttpServer(tmp_path / "srv")
    with trap:
        (home / ".gitconfig").write_text(
            f'[url "{trap.base}/"]\n\tinsteadOf = {web.http.base}/\n'
            f"[core]\n\thooksPath = {home}\n[credential]\n\thelper = !touch {home}/asked\n"
        )
        (home / ".netrc").write_text("machine 127.0.0.1 login eve password eve\n")
        hook = home / "reference-transaction"
        hook.write_text(f"#!/bin/sh\ntouch {home}/hooked\n")
        hook.chmod(0o755)
        for name, value in {
            "HOME": str(home),
            "XDG_CONFIG_HOME": str(home),
            "GIT_DIR": str(tmp_path / "elsewhere"),
            "GIT_OBJECT_DIRECTORY": str(tmp_path / "elsewhere"),
            "GIT_CONFIG_GLOBAL": str(home / ".gitconfig"),
            "GIT_CONFIG_PARAMETERS": f"'core.hooksPath={home}'",
            "GIT_SSH_COMMAND": f"touch {home}/ssh",
            "GIT_EXTERNAL_DIFF": f"touch {home}/diff",
            "GIT_ASKPASS": f"{home}/askpass",
            "SSH_ASKPASS": f"{home}/askpass",
            "GIT_TRACE": str(home / "trace"),
            "GIT_NAMESPACE": "other",
        }.items():
            monkeypatch.setenv(name, value)

        with web.open() as repository:
            head = repository.fetch().new
            repository.hold({"a": head})
            repository.changes(None, head)
        web.http.credentials = ("basic", "somebody", "else")
        with (
            web.open(credential=None, name="other") as repository,
            pytest.raises(TerminalError),
        ):
            repository.fetch()

        assert trap.requests == []
    assert sorted(p.name for p in home.iterdir()) == [
        ".gitconfig", ".netrc", "reference-transaction",
    ]  # fmt: skip
    assert not (tmp_path / "elsewhere").exists()
    assert not any(
        r.authorization and "ZXZl" in r.authorization for r in web.http.requests
    )


def test_hooks_in_the_clone_are_never_run(web, tmp_path):
    with web.open() as repository:
        hooks = repository.git_dir / "hooks"
        hooks.mkdir()
        for name in ("reference-transaction", "post-checkout", "post-merge"):
            (hooks / name).write_text(f"#!/bin/sh\ntouch {tmp_path}/hooked\n")
            (hooks / name).chmod(0o755)

        repository.hold({"a": repository.fetch().new})

    assert not (tmp_path / "hooked").exists()


def test_a_tree_that_writes_into_dot_git_is_refused_on_arrival(tmp_path):
    with served(tmp_path, "file") as place:
        work = place.work
        blob = work.git("hash-object", "-w", "--stdin", stdin=b"evil")
        inner = work.git("mktree", stdin=f"100644 blob {blob}\tconfig\n".encode())
        raw = b"40000 .git\0" + bytes.fromhex(inner)
        tree = work.git(
            "hash-object", "-t", "tree", "-w", "--stdin", "--literally", stdin=raw
        )
        sha = work.git("commit-tree", tree, "-m", "evil")
        work.git("update-ref", "refs/heads/main", sha)
        work.push(refspec="main:main")

        with place.open() as repository, pytest.raises(TerminalError) as caught:
            repository.fetch()

    assert caught.value.reason == GitReason.CORRUPT_REMOTE
    assert "hasDotgit" in str(caught.value)


def test_a_tree_made_to_explode_is_cut_short(tmp_path):
    with served(tmp_path, "file") as place:
        work = place.work
        blob = work.git("hash-object", "-w", "--stdin", stdin=b"x")
        kind, oid = "100644 blob", blob
        for _ in range(10):
            lines = "".join(f"{kind} {oid}\tf{n}\n" for n in range(10))
            kind, oid = "040000 tree", work.git("mktree", stdin=lines.encode())
        base = work.push_commit({"a": "1"})
        sha = work.git("commit-tree", oid, "-p", base, "-m", "bomb")
        work.git("update-ref", "refs/heads/main", sha)
        work.push(refspec="main:main")

        with place.open() as repository:
            repository.fetch()
            for ask in (
                lambda: repository.tree(sha),
                lambda: repository.changes(base, sha),
            ):
                with pytest.raises(TerminalError) as caught:
                    ask()
                assert caught.value.reason == GitReason.TOO_LARGE


def test_a_replaced_object_is_read_as_it_was_committed(tmp_path):
    with served(tmp_path, "file") as place:
        good = place.work.commit({"a": "good"}, "Good")
        evil = place.work.push_commit({"a": "evil"}, "Evil")
        place.work.git("push", "-q", "origin", f"{evil}:refs/replace/{good}")

        with place.open() as repository:
            repository.fetch()
            assert not (repository.git_dir / "refs" / "replace").exists()
            (repository.git_dir / "refs" / "replace").mkdir()
            (repository.git_dir / "refs" / "replace" / good).write_text(f"{evil}\n")

            assert repository.commit(good).subject == "Good"
            blob = repository.tree_oid(good, "a")
            repository.ensure_blobs([blob])
            assert repository.blob(blob, max_bytes=10) == b"good"
