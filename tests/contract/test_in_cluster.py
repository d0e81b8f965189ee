"""The cluster that the daemon runs in, reached as a pod of it would."""

import json
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from gitops_wf.adapters.kube_api import KubeCluster, in_cluster_access
from gitops_wf.core.errors import TerminalError, TransientError
from gitops_wf.core.redaction import Redactor
from tests.gitserver import make_certificate

TOKEN = "service-account-T0ken"
KIND = {"name": "configmaps", "kind": "ConfigMap", "namespaced": True}


class Handler(BaseHTTPRequestHandler):
    def do_GET(self):
        self.server.authorization = self.headers["Authorization"]
        data = json.dumps({"resources": [KIND]}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, *args):
        pass


@pytest.fixture
def pod(tmp_path):
    """What Kubernetes gives a pod: a mounted account, two variables, an API server."""
    account = tmp_path / "serviceaccount"
    account.mkdir()
    pem = make_certificate(tmp_path / "server.pem")
    (account / "ca.crt").write_text((tmp_path / "server.pem.crt").read_text())
    (account / "token").write_text(TOKEN)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(pem)
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    environ = {
        "KUBERNETES_SERVICE_HOST": "127.0.0.1",
        "KUBERNETES_SERVICE_PORT": str(server.server_port),
    }
    yield server, account, environ
    server.shutdown()
    server.server_close()


def test_it_speaks_to_the_api_server_as_the_pod_s_account_and_trusts_its_ca(pod):
    server, account, environ = pod
    redactor = Redactor()
    cluster = KubeCluster(in_cluster_access(account, environ), redactor=redactor)

    assert cluster.resource("v1", "ConfigMap").plural == "configmaps"
    assert server.authorization.lower() == f"bearer {TOKEN}".lower()
    assert redactor.text(f"it said {TOKEN}") == "it said ***"


def test_a_certificate_of_somebody_else_is_refused(pod, tmp_path):
    _, account, environ = pod
    make_certificate(tmp_path / "other.pem")
    (account / "ca.crt").write_text((tmp_path / "other.pem.crt").read_text())
    cluster = KubeCluster(in_cluster_access(account, environ))

    with pytest.raises(TransientError, match=r"TLS failed: .*certificate"):
        cluster.resource("v1", "ConfigMap")


@pytest.mark.parametrize("lacks", ["token", "ca.crt", "KUBERNETES_SERVICE_HOST"])
def test_outside_of_a_pod_the_error_says_so(pod, lacks):
    _, account, environ = pod
    (account / lacks).unlink(missing_ok=True)
    environ.pop(lacks, None)

    with pytest.raises(TerminalError, match="this is no pod with a service") as caught:
        in_cluster_access(account, environ)

    assert caught.value.reason == "TargetNotConfigured"
