"""What an API server that fails looks like: every error is clear, and in its family."""

import contextlib
import json
import socket
import threading
from concurrent.futures import ThreadPoolExecutor, wait
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import yaml
from kubernetes.config import ConfigException

from gitops_wf.adapters.kube_api import KubeCluster, kubeconfig_access
from gitops_wf.core.errors import GitOpsError, TerminalError
from gitops_wf.core.impersonation import Identity
from gitops_wf.ports.cluster import (
    ApiResource,
    ClusterRefusalError,
    ClusterUnavailableError,
    ResourceConflictError,
    UnknownKindError,
)
from tests.sandbox_process import KUBECONFIG

CONFIG_MAPS = ApiResource(
    group="", version="v1", kind="ConfigMap", plural="configmaps", is_namespaced=True
)


class Server(ThreadingHTTPServer):
    """Gives each request the same answer; None hangs up."""

    daemon_threads = True
    answer: tuple[int, dict, dict] | None = (200, {}, {})
    seen = 0
    before = staticmethod(lambda: None)

    def url(self):
        return f"http://127.0.0.1:{self.server_port}"


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.seen += 1
        self.server.before()
        self.server.user_agent = self.headers["User-Agent"]
        self.server.authorization = self.headers["Authorization"]
        self.server.impersonated = (
            self.headers["Impersonate-User"],
            self.headers.get_all("Impersonate-Group"),
        )
        if self.server.answer is None:
            self.close_connection = True
            self.connection.shutdown(socket.SHUT_RDWR)
            return
        status, headers, body = self.server.answer
        data = json.dumps(body).encode()
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


@pytest.fixture
def server():
    with Server(("127.0.0.1", 0), Handler) as http:
        thread = threading.Thread(target=http.serve_forever, args=(0.05,))
        thread.start()
        yield http
        http.shutdown()
        thread.join()


def written(tmp_path, url):
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG.format(server=url, token="t0"))
    return path


def cluster_at(tmp_path, url, **timeouts):
    return KubeCluster(kubeconfig_access(written(tmp_path, url)), **timeouts)


def status(code, reason, message, **details):
    body = {"kind": "Status", "message": message, "reason": reason, "details": details}
    return (code, {}, body)


def test_requests_say_who_we_are(tmp_path, server):
    cluster_at(tmp_path, server.url()).get(CONFIG_MAPS, "ns", "a")

    assert server.user_agent.startswith("gitops-wf/")
    assert server.authorization == "Bearer t0"


def test_a_server_that_is_down_is_worth_another_try(tmp_path):
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{unused.getsockname()[1]}"

        with pytest.raises(ClusterUnavailableError) as caught:
            cluster_at(tmp_path, url).get(CONFIG_MAPS, "ns", "a")

    said = f"API server {url} unreachable: connection failed: "
    assert str(caught.value).startswith(said)
    assert "refused" in str(caught.value)


def test_a_server_that_never_answers_is_given_up_in_time(tmp_path):
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"

        with pytest.raises(ClusterUnavailableError, match="no answer in time"):
            cluster_at(tmp_path, url, read_timeout=0.1).get(CONFIG_MAPS, "ns", "a")


class Watch:
    """Notes what became of each request."""

    def __init__(self):
        self.said = []

    def __call__(self):
        return self

    def answered(self):
        self.said.append("answered")

    def lost(self, error, *, hung):
        self.said.append(("hung" if hung else "failed", error))


@pytest.mark.parametrize("code", [200, 403, 404, 409, 422, 500])
def test_who_watches_a_server_is_told_that_it_answers_whatever_it_says(
    tmp_path, server, code
):
    server.answer = status(code, "", "a text")
    watch = Watch()
    cluster = cluster_at(tmp_path, server.url(), begun=watch)

    with contextlib.suppress(GitOpsError):
        cluster.get(CONFIG_MAPS, "ns", "a")

    assert watch.said == ["answered"]


@pytest.mark.parametrize("code", [401, 429, 502, 503, 504])
def test_who_watches_a_server_is_told_of_an_answer_that_is_none(tmp_path, server, code):
    server.answer = status(code, "", "a text")
    watch = Watch()

    with pytest.raises(ClusterUnavailableError):
        cluster_at(tmp_path, server.url(), begun=watch).get(CONFIG_MAPS, "ns", "a")

    ((how, error),) = watch.said
    assert how == "failed"
    assert error.startswith(f"API server {server.url()} ")
    assert f"({code} " in error


def test_who_watches_a_server_is_told_hangs_from_what_fails_at_once(tmp_path):
    watch = Watch()
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{silent.getsockname()[1]}"
        cluster = cluster_at(tmp_path, url, read_timeout=0.1, begun=watch)
        with pytest.raises(ClusterUnavailableError):
            cluster.get(CONFIG_MAPS, "ns", "a")
        silent.listen()
        with pytest.raises(ClusterUnavailableError):
            cluster.get(CONFIG_MAPS, "ns", "a")

    assert [how for how, _ in watch.said] == ["failed", "hung"]


def test_a_host_that_does_not_exist_is_named(tmp_path):
    url = "http://no-such-host.invalid:1"

    with pytest.raises(ClusterUnavailableError, match=r"no-such-host\.invalid"):
        cluster_at(tmp_path, url).get(CONFIG_MAPS, "ns", "a")


def test_a_server_without_tls_is_told_from_one_that_is_down(tmp_path, server):
    url = server.url().replace("http:", "https:")

    with pytest.raises(ClusterUnavailableError, match="certificate authority"):
        cluster_at(tmp_path, url).get(CONFIG_MAPS, "ns", "a")


def test_a_connection_that_breaks_is_tried_once_more(tmp_path, server):
    server.answer = None

    with pytest.raises(ClusterUnavailableError, match="connection broke"):
        cluster_at(tmp_path, server.url()).get(CONFIG_MAPS, "ns", "a")

    assert server.seen == 2


def test_an_expired_token_is_said_to_be_one(tmp_path, server):
    server.answer = status(401, "Unauthorized", "Unauthorized")

    with pytest.raises(ClusterUnavailableError, match="token may have expired"):
        cluster_at(tmp_path, server.url()).get(CONFIG_MAPS, "ns", "a")


def test_after_a_refused_token_the_next_request_asks_for_another(tmp_path, server):
    plugin, token = tmp_path / "plugin", tmp_path / "token"
    plugin.write_text(
        "#!/bin/sh\n"
        'echo \'{"kind": "ExecCredential", '
        '"apiVersion": "client.authentication.k8s.io/v1", "status": '
        '{"expirationTimestamp": "2020-01-01T00:00:00Z", "token": "\''
        f'"$(cat {token})"'
        "'\"}}'\n"
    )
    plugin.chmod(0o755)
    token.write_text("first")
    path = written(tmp_path, server.url())
    config = yaml.safe_load(path.read_text())
    config["users"][0]["user"] = {
        "exec": {
            "apiVersion": "client.authentication.k8s.io/v1",
            "command": str(plugin),
            "interactiveMode": "Never",
        }
    }
    path.write_text(yaml.safe_dump(config))
    cluster = KubeCluster(kubeconfig_access(path))
    server.answer = status(401, "Unauthorized", "Unauthorized")
    with pytest.raises(ClusterUnavailableError):
        cluster.get(CONFIG_MAPS, "ns", "a")
    token.write_text("second")
    server.answer = (200, {}, {})

    cluster.get(CONFIG_MAPS, "ns", "a")

    assert server.authorization == "Bearer second"


def test_a_refusal_keeps_the_server_s_words(tmp_path, server):
    server.answer = status(403, "Forbidden", 'configmaps "a" is forbidden: User "x"')

    with pytest.raises(ClusterRefusalError) as caught:
        cluster_at(tmp_path, server.url()).get(CONFIG_MAPS, "ns", "a")

    assert str(caught.value) == (
        'ConfigMap/ns/a: get: forbidden (403): configmaps "a" is forbidden: User "x"'
    )
    assert caught.value.reason == "Forbidden"


@pytest.mark.parametrize("code", [429, 500, 502, 503, 504])
def test_an_overloaded_server_is_asked_again_when_it_says(tmp_path, server, code):
    server.answer = (code, {"Retry-After": "7"}, {"message": "too busy"})

    with pytest.raises(ClusterUnavailableError, match="too busy") as caught:
        cluster_at(tmp_path, server.url()).get(CONFIG_MAPS, "ns", "a")

    assert caught.value.retry_after == timedelta(seconds=7)


def test_a_namespace_that_is_going_away_is_worth_another_try(tmp_path, server):
    server.answer = status(
        403,
        "Forbidden",
        "is being terminated",
        causes=[{"reason": "NamespaceTerminating"}],
    )

    with pytest.raises(ResourceConflictError, match="namespace is being deleted"):
        cluster_at(tmp_path, server.url()).get(CONFIG_MAPS, "ns", "a")


def test_a_redirect_is_not_followed(tmp_path, server):
    server.answer = (302, {"Location": "http://169.254.169.254/"}, {})

    with pytest.raises(ClusterRefusalError, match="refused"):
        cluster_at(tmp_path, server.url()).get(CONFIG_MAPS, "ns", "a")


def test_a_page_that_expired_starts_the_list_again(tmp_path, server):
    pages = iter(
        [
            (
                200,
                {},
                {"items": [{"metadata": {"name": "a"}}], "metadata": {"continue": "x"}},
            ),
            status(410, "Expired", "too old"),
            (
                200,
                {},
                {"items": [{"metadata": {"name": "a"}}, {"metadata": {"name": "b"}}]},
            ),
        ]
    )
    original = Handler.do_GET

    class Paged(Handler):
        def do_GET(self):
            self.server.answer = next(pages)
            original(self)

    server.RequestHandlerClass = Paged

    found = cluster_at(tmp_path, server.url()).list(CONFIG_MAPS, "ns")

    assert [each["metadata"]["name"] for each in found] == ["a", "b"]


@pytest.mark.parametrize("text", ["{", "[]", "clusters: 1", ""])
def test_a_broken_kubeconfig_is_named(tmp_path, text):
    path = tmp_path / "kubeconfig"
    path.write_text(text)

    with pytest.raises(TerminalError, match="kubeconfig ") as caught:
        kubeconfig_access(path)

    assert caught.value.reason == "TargetNotConfigured"


def test_a_context_that_is_not_there_is_named(tmp_path):
    path = tmp_path / "kubeconfig"
    path.write_text(KUBECONFIG.format(server="http://127.0.0.1:1", token="t"))

    with pytest.raises(TerminalError, match="prod"):
        kubeconfig_access(path, "prod")
    with pytest.raises(TerminalError, match="kubeconfig "):
        kubeconfig_access(tmp_path / "none")


@pytest.mark.parametrize("name", [".", ".."])
def test_a_name_never_becomes_another_object_s_path(tmp_path, server, name):
    cluster = cluster_at(tmp_path, server.url())

    with pytest.raises(ClusterRefusalError, match="is no name"):
        cluster.get(CONFIG_MAPS, "ns", name)
    with pytest.raises(ClusterRefusalError, match="is no name"):
        cluster.get(CONFIG_MAPS, name, "a")

    assert server.seen == 0


@pytest.mark.parametrize("version", ["../v1", "v1?x=1", "a/../../v1", "apps/v1/x", ""])
def test_an_api_version_never_becomes_another_path(tmp_path, server, version):
    with pytest.raises(UnknownKindError):
        cluster_at(tmp_path, server.url()).resource(version, "Pod")

    assert server.seen == 0


@pytest.mark.parametrize("code", [400, 422, 500, 503])
def test_no_error_of_a_secret_repeats_what_the_server_said(tmp_path, server, code):
    server.answer = status(code, "Invalid", "canary", causes=[{"message": "canary"}])
    secrets = ApiResource(
        group="", version="v1", kind="Secret", plural="secrets", is_namespaced=True
    )

    with pytest.raises((ClusterRefusalError, ClusterUnavailableError)) as caught:
        cluster_at(tmp_path, server.url()).get(secrets, "ns", "a")

    assert "canary" not in str(caught.value) + str(getattr(caught.value, "causes", ""))


def test_a_credential_helper_that_fails_is_worth_another_try(tmp_path, server):
    access = kubeconfig_access(written(tmp_path, server.url()))

    def refuse(_configuration):
        raise ConfigException("exec: process returned 1")

    access.client.configuration.refresh_api_key_hook = refuse

    with pytest.raises(ClusterUnavailableError, match="cannot be refreshed: exec"):
        KubeCluster(access).get(CONFIG_MAPS, "ns", "a")


def test_those_who_wait_for_one_question_share_its_error(tmp_path, server):
    """Else each of eight attempts on a server that hangs waits for all before it."""
    going, may_go = threading.Semaphore(0), threading.Event()
    server.before = lambda: (going.release(), may_go.wait(20))
    server.answer = status(503, "", "starting")
    cluster = cluster_at(tmp_path, server.url())

    with ThreadPoolExecutor(8) as pool:
        asked = [pool.submit(cluster.resource, "v1", "ConfigMap") for _ in range(8)]
        assert going.acquire(timeout=20)
        # One asks; the others come to its question, or have yet to begin.
        wait(asked, timeout=0.5)
        may_go.set()
        errors = [each.exception() for each in asked]

    assert all(isinstance(error, ClusterUnavailableError) for error in errors)
    assert server.seen < 8


TENANT = Identity(user="system:serviceaccount:shop:deployer")
NO_RIGHT = (
    'configmaps "a" is forbidden: User "{user}" cannot {verb} resource "configmaps" in'
    ' API group "" in the namespace "ns"'
)


def refused_as(tmp_path, server, text, identity=TENANT):
    server.answer = status(403, "Forbidden", text)
    cluster = cluster_at(tmp_path, server.url()).impersonating(identity)
    with pytest.raises(ClusterRefusalError) as caught:
        cluster.get(CONFIG_MAPS, "ns", "a")
    return str(caught.value)


def test_requests_say_as_whom_they_are_made(tmp_path, server):
    own = cluster_at(tmp_path, server.url())
    other = own.impersonating(Identity(user="bob b", groups=("dev", "ops")))

    other.get(CONFIG_MAPS, "ns", "a")
    assert server.impersonated == ("bob b", ["dev", "ops"])
    assert server.authorization == "Bearer t0"

    own.impersonating(TENANT).get(CONFIG_MAPS, "ns", "a")
    assert server.impersonated == (TENANT.user, None)
    own.get(CONFIG_MAPS, "ns", "a")
    assert server.impersonated == (None, None)


def test_a_right_that_an_identity_lacks_is_told_with_the_mend(tmp_path, server):
    text = NO_RIGHT.format(user=TENANT.user, verb="get")

    said = refused_as(tmp_path, server, text)

    assert said.startswith("ConfigMap/ns/a: get: forbidden (403): configmaps")
    assert f'User "{TENANT.user}" cannot get resource "configmaps"' in said
    assert f"asked as {TENANT.user}, whom `impersonate` of the target names" in said
    assert "bind that identity a Role which allows it" in said


@pytest.mark.parametrize(
    "verb", ["impersonate", "impersonate-on:user-info:get"], ids=["old", "1.36"]
)
def test_that_the_daemon_itself_may_not_impersonate_is_told_apart(
    tmp_path, server, verb
):
    said = refused_as(tmp_path, server, NO_RIGHT.format(user="daemon", verb=verb))

    assert f"the daemon itself may not act as {TENANT.user}" in said
    assert "the verb impersonate for that user" in said
    assert "Role" not in said


def test_a_refusal_of_admission_is_none_of_a_right(tmp_path, server):
    said = refused_as(tmp_path, server, 'pods "a" is forbidden: exceeded quota: few')

    assert said.endswith("exceeded quota: few")
