"""What the Git port says when a remote is away, refuses, or is no repository."""

import os
import socket
import subprocess
import threading
import tracemalloc
from datetime import timedelta

import pytest

from gitops_wf.adapters.git_cli import GitCliRepository
from gitops_wf.core.errors import TerminalError, TransientError
from gitops_wf.core.secret import Secret
from gitops_wf.ports.git import (
    BasicAuth,
    BearerAuth,
    Credential,
    FetchResult,
    GitReason,
    SshAuth,
)
from tests.contract.git_remotes import served
from tests.gitserver import (
    GitHttpServer,
    bare_repository,
    make_certificate,
    make_key,
)
from tests.gitworktree import unreadable


@pytest.fixture
def web(tmp_path):
    with served(tmp_path, "http") as place:
        place.work.push_commit({"a": "1"})
        yield place


@pytest.fixture
def ssh(tmp_path):
    with served(tmp_path, "ssh") as place:
        place.work.push_commit({"a": "1"})
        yield place


@pytest.fixture
def local(tmp_path):
    with served(tmp_path, "file") as place:
        place.work.push_commit({"a": "1"})
        yield place


def failure(place, **remote):
    """The error of a poll, told in one line that names the repository."""
    with place.open(**remote) as repository:
        with pytest.raises((TerminalError, TransientError)) as caught:
            repository.remote_head()
        with pytest.raises(type(caught.value)):
            repository.fetch()
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith("repository ")
    return caught.value


@pytest.mark.parametrize("status", [500, 502, 503, 429])
def test_a_server_in_trouble_is_worth_another_try(web, status):
    web.http.misbehave = status

    error = failure(web)

    assert isinstance(error, TransientError)
    assert f"the server answered {status}" in str(error)


@pytest.mark.parametrize(
    ("misbehaviour", "reason", "words"),
    [
        (401, GitReason.AUTHENTICATION_FAILED, "refuses the credentials"),
        (403, GitReason.AUTHENTICATION_FAILED, "not allowed"),
        (404, GitReason.REPOSITORY_NOT_FOUND, "no repository"),
        ("garbage", GitReason.REPOSITORY_NOT_FOUND, "does not speak Git"),
    ],
)
def test_a_server_that_refuses_needs_a_person(web, misbehaviour, reason, words):
    web.http.misbehave = misbehaviour

    error = failure(web)

    assert isinstance(error, TerminalError)
    assert error.reason == reason
    assert words in str(error)


@pytest.mark.parametrize("misbehaviour", ["drop", "truncate"])
def test_a_pack_that_breaks_off_is_worth_another_try(web, misbehaviour):
    web.http.misbehave = misbehaviour
    # Large enough that half of it is a broken one.
    web.work.push_commit({"file": os.urandom(20_000).hex()}, "Large")
    repository = web.open(name=misbehaviour)

    with repository, pytest.raises(TransientError) as caught:
        repository.fetch()

    assert "the connection broke before all was sent" in str(caught.value)


def test_a_credential_that_was_rotated_is_sent_without_a_new_start(web):
    now = [BasicAuth(username="deploy", password=Secret("0ld"))]
    repository = GitCliRepository(
        web.directory / "daemon" / "rotated",
        web.remote(),
        credential=lambda: Credential(auth=now[0], prefix=web.url),
    )

    with repository:
        with pytest.raises(TerminalError):
            repository.fetch()
        now[0] = web.auth
        repository.fetch()


def test_asking_can_be_ended_from_outside_and_is_refused_from_then_on(web):
    web.work.push_commit({"file": "1"}, "First")
    repository = web.open(name="stopped")
    with repository:
        head = repository.fetch().new
        web.http.misbehave = "hang"
        asked = threading.Thread(target=repository.stop_asking)
        asked.start()

        with pytest.raises(TransientError, match="interrupted"):
            repository.remote_head()
        asked.join()

        with pytest.raises(TransientError, match="interrupted"):
            repository.fetch()
        assert repository.commit(head).sha == head


def test_wrong_and_missing_credentials_are_told_without_the_password(web):
    wrong = BasicAuth(username="deploy", password=Secret("wr0ng-c4n4ry"))

    error = failure(web, credential=Credential(auth=wrong, prefix=web.url))
    assert error.reason == GitReason.AUTHENTICATION_FAILED
    assert "c4n4ry" not in str(error)

    assert failure(web, credential=None).reason == GitReason.AUTHENTICATION_FAILED


def test_a_bearer_token_is_sent_as_one(web):
    web.http.credentials = ("bearer", "t0k3n")
    token = Credential(auth=BearerAuth(token=Secret("t0k3n")), prefix=web.url)

    with web.open(credential=token) as repository:
        assert repository.remote_head().sha == web.work.head()

    assert {r.authorization for r in web.http.requests} == {"Bearer t0k3n"}


def test_a_token_with_a_line_end_in_it_is_refused_before_it_is_sent(web):
    token = Credential(auth=BearerAuth(token=Secret("t0k3n\r\nX: y")), prefix=web.url)

    with (
        web.open(credential=token) as repository,
        pytest.raises(TerminalError, match="unfit characters"),
    ):
        repository.remote_head()

    assert web.http.requests == []


def test_credentials_do_not_follow_a_redirect_to_another_host(web, tmp_path):
    with GitHttpServer(tmp_path / "srv") as other:
        web.http.misbehave = f"redirect:{other.base}"

        error = failure(web)

        assert error.reason == GitReason.REDIRECTED
        assert other.requests == []


def test_a_redirect_is_followed_when_there_is_nothing_to_lose(web, tmp_path):
    with GitHttpServer(tmp_path / "srv") as other:
        web.http.misbehave = f"redirect:{other.base}"

        with web.open(credential=None) as repository:
            assert repository.fetch() == FetchResult(old=None, new=web.work.head())

        assert {r.authorization for r in other.requests} == {None}


def test_a_server_that_hangs_is_given_up_and_its_child_is_killed(web):
    web.http.misbehave = "hang"
    with web.open(
        ask_timeout=timedelta(seconds=1), fetch_timeout=timedelta(seconds=1)
    ) as repository:
        with pytest.raises(TransientError, match="did not finish within 1s"):
            repository.remote_head()
        with pytest.raises(TransientError, match="did not finish within 1s"):
            repository.fetch()

    running = subprocess.check_output(["ps", "-eo", "args"], text=True)
    assert web.url not in running


def test_a_server_that_recovers_is_read_again_by_the_same_clone(web):
    with web.open() as repository:
        first = repository.fetch().new
        web.http.misbehave = 500
        with pytest.raises(TransientError):
            repository.fetch()
        web.http.misbehave = None

        assert repository.fetch() == FetchResult(old=first, new=first)


def test_a_refused_connection_and_an_unknown_host_are_worth_another_try(web):
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
    refused = failure(web, url=f"http://127.0.0.1:{port}/a.git", credential=None)
    unknown = failure(web, url="https://no-such-host.invalid/a.git", credential=None)

    assert isinstance(refused, TransientError)
    assert "refuses the connection" in str(refused)
    assert isinstance(unknown, TransientError)
    assert "no-such-host.invalid" in str(unknown)


def test_a_certificate_is_trusted_only_when_its_ca_is_named(local, tmp_path):
    certificate = make_certificate(tmp_path / "server.pem")
    with GitHttpServer(tmp_path / "srv", certificate) as server:
        url = server.url(local.bare)
        server.credentials = ("bearer", "t0k3n")
        token = Credential(auth=BearerAuth(token=Secret("t0k3n")), prefix=url)

        untrusted = failure(local, url=url, credential=token)
        assert untrusted.reason == GitReason.CERTIFICATE_INVALID
        assert server.requests == []

        ca_file = f"{certificate}.crt"
        with local.open(url=url, credential=token, ca_file=ca_file) as repository:
            assert repository.fetch().new == local.work.head()


def test_a_directory_that_is_no_repository_is_told(local, tmp_path):
    (tmp_path / "empty").mkdir()

    for url in (f"{tmp_path}/empty", f"file://{tmp_path}/nowhere"):
        assert failure(local, url=url).reason == GitReason.REPOSITORY_NOT_FOUND


def test_a_repository_that_comes_back_is_fetched_again(local):
    with local.open() as repository:
        repository.fetch()
        with unreadable(local.bare), pytest.raises(TerminalError):
            repository.fetch()

        assert repository.fetch().new == local.work.head()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
def test_a_local_repository_of_another_user_is_told_as_such(local):
    for place in (local.bare, *local.bare.rglob("*")):
        os.chown(place, 65534, 65534)

    error = failure(local)

    assert error.reason == GitReason.UNTRUSTED_DIRECTORY
    assert "belongs to another user" in str(error)


def test_a_changed_host_key_is_told_and_nothing_is_sent(ssh, tmp_path):
    make_key(tmp_path / "imposter")
    public = " ".join((tmp_path / "imposter.pub").read_text().split()[:2])
    hosts = f"[127.0.0.1]:{ssh.ssh.port} {public}\n"
    auth = SshAuth(private_key=ssh.auth.private_key, known_hosts=hosts)

    error = failure(ssh, credential=Credential(auth=auth, prefix=ssh.url))

    assert error.reason == GitReason.HOST_KEY_MISMATCH
    assert "differs from known_hosts" in str(error)
    assert "Accepted" not in ssh.ssh.log


def test_an_unknown_host_key_is_not_taken_on_trust(ssh):
    auth = SshAuth(private_key=ssh.auth.private_key, known_hosts="")

    error = failure(ssh, credential=Credential(auth=auth, prefix=ssh.url))

    assert error.reason == GitReason.HOST_KEY_MISMATCH
    assert "has no key for the host" in str(error)


def test_a_key_that_the_server_does_not_know_and_one_that_is_none_are_told_apart(
    ssh, tmp_path
):
    other = make_key(tmp_path / "other").read_text()
    for text, words in ((other, "refuses the credentials"), ("junk", "cannot be read")):
        auth = SshAuth(private_key=Secret(text), known_hosts=ssh.auth.known_hosts)

        error = failure(ssh, credential=Credential(auth=auth, prefix=ssh.url))

        assert error.reason == GitReason.AUTHENTICATION_FAILED
        assert words in str(error)


def test_a_path_that_the_ssh_server_does_not_have_is_told(ssh, tmp_path):
    url = ssh.url.replace("shop.git", "none.git")
    credential = Credential(auth=ssh.auth, prefix=url)

    assert (
        failure(ssh, url=url, credential=credential).reason
        == GitReason.REPOSITORY_NOT_FOUND
    )


def test_missing_blobs_are_fetched_in_one_request(web):
    sha = web.work.push_commit({f"f{n}": f"content {n}" for n in range(300)})
    with web.open() as repository:
        repository.fetch()
        oids = [entry.oid for entry in repository.tree(sha).entries]
        before = len(web.http.fetches())

        repository.ensure_blobs(oids)

        (request,) = web.http.fetches()[before:]
        assert set(request.wants) == set(oids)
        assert repository.blobs(oids, max_bytes=100).keys() == set(oids)
        assert len(web.http.fetches()) == before + 1


def test_the_first_fetch_brings_no_blobs_and_reading_asks_nothing(web):
    web.work.push_commit({"big": os.urandom(2_000_000)})
    with web.open() as repository:
        head = repository.fetch().new
        asked = len(web.http.requests)

        (big, _) = sorted(repository.tree(head).entries, key=lambda e: e.path != "big")
        assert repository.missing([big.oid]) == (big.oid,)
        repository.changes(None, head)
        repository.commits_between(None, head, paths=["big"])

        assert len(web.http.requests) == asked
        size = sum(f.stat().st_size for f in (web.directory / "daemon").rglob("*.pack"))
        assert size < 100_000


@pytest.mark.parametrize("setting", ["uploadpack.allowFilter", "protocol v2"])
def test_a_server_that_cannot_filter_or_give_single_objects_is_cloned_in_full(
    web, setting
):
    if setting == "protocol v2":
        web.http.speaks_v2 = False
    else:
        web.work.git("-C", str(web.bare), "config", setting, "false")
    sha = web.work.push_commit({"a": "2", "b": "3"})

    with web.open() as repository:
        repository.fetch()
        oids = [entry.oid for entry in repository.tree(sha).entries]
        repository.ensure_blobs(oids)
        assert sorted(repository.blobs(oids, max_bytes=9).values()) == [b"2", b"3"]

        again = web.work.push_commit({"a": "4"})
        repository.fetch()
        oids = [entry.oid for entry in repository.tree(again).entries]
        assert repository.ensure_blobs(oids) == 0


def test_a_huge_blob_is_told_by_its_size_and_not_read(local, tmp_path):
    huge = 50 * 1024 * 1024
    local.work.write({"huge.yaml": b"a: b\n" * (huge // 5)})
    local.work.git("commit", "-q", "-m", "Huge")
    sha = local.work.push()
    with local.open() as repository:
        repository.fetch()
        oid = repository.tree_oid(sha, "huge.yaml")
        repository.ensure_blobs([oid])

        tracemalloc.start()
        found = repository.blob(oid, max_bytes=1_000_000)
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()

    assert found.size == huge
    assert peak < 5_000_000


def test_a_submodule_and_lfs_pointers_are_never_followed(web, tmp_path):
    trap = bare_repository(tmp_path / "srv" / "trap.git")
    web.work.write(
        {
            ".gitmodules": f'[submodule "m"]\n\tpath = m\n\turl = {web.http.url(trap)}\n',
            ".lfsconfig": f"[lfs]\n\turl = {web.http.url(trap)}\n",
            ".gitattributes": "*.bin filter=lfs diff=lfs merge=lfs\n",
        }
    )
    web.work.git("update-index", "--add", "--cacheinfo", f"160000,{'1' * 40},m")
    web.work.git("commit", "-q", "-m", "Traps")
    sha = web.work.push()

    with web.open() as repository:
        repository.fetch()
        repository.ensure_blobs(
            e.oid for e in repository.tree(sha).entries if e.kind != "submodule"
        )

    assert not [r for r in web.http.requests if "trap" in r.path]
