"""The launcher of a real API server, on programs that stand in for its binaries."""

import sys
import threading

import pytest
import yaml

from tests.apiserver import real_api_server
from tests.gitserver import make_certificate

ETCD = """\
import sys, time
assert "--unsafe-no-fsync" in sys.argv
time.sleep(60)
"""
API_SERVER = """\
import http.server, pathlib, ssl, sys
flags = dict(a[2:].split("=", 1) for a in sys.argv[1:] if "=" in a)
token = pathlib.Path(flags["token-auth-file"]).read_text().split(",")[0]

class Handler(http.server.BaseHTTPRequestHandler):
    def do_GET(self):
        good = self.headers["Authorization"] == f"Bearer {token}"
        self.send_response(200 if good and self.path == "/readyz" else 401)
        self.end_headers()

server = http.server.HTTPServer(("127.0.0.1", int(flags["secure-port"])), Handler)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(CERTIFICATE)
server.socket = context.wrap_socket(server.socket, server_side=True)
server.serve_forever()
"""
NO_PLUGIN_IS_LEFT_OUT = """\
import sys
assert not any("disable-admission-plugins" in one for one in sys.argv)
"""
CONTROLLERS = """\
import pathlib, sys, time
flags = dict(a[2:].split("=", 1) for a in sys.argv[1:] if "=" in a)
made = pathlib.Path(SEEN + ".part")
made.write_text(flags["kubeconfig"])
made.rename(SEEN)
time.sleep(60)
"""


def program(path, text):
    path.write_text(f"#!{sys.executable}\n{text}")
    path.chmod(0o755)


def test_it_is_ready_when_its_kubeconfig_is_given(tmp_path):
    certificate = make_certificate(tmp_path / "tls.pem")
    program(tmp_path / "etcd", ETCD)
    program(
        tmp_path / "kube-apiserver",
        API_SERVER.replace("CERTIFICATE", repr(str(certificate))),
    )

    with real_api_server(tmp_path) as kubeconfig:
        config = yaml.safe_load(kubeconfig.read_text())

    assert config["clusters"][0]["cluster"]["server"].startswith("https://127.0.0.1:")
    assert config["users"][0]["user"]["token"]


def test_controllers_run_too_where_they_lie_beside_it(tmp_path):
    certificate = make_certificate(tmp_path / "tls.pem")
    program(tmp_path / "etcd", ETCD)
    server = API_SERVER.replace("CERTIFICATE", repr(str(certificate)))
    program(tmp_path / "kube-apiserver", NO_PLUGIN_IS_LEFT_OUT + server)
    program(
        tmp_path / "kube-controller-manager",
        CONTROLLERS.replace("SEEN", repr(str(tmp_path / "seen"))),
    )

    with real_api_server(tmp_path) as kubeconfig:
        while not (tmp_path / "seen").exists():
            threading.Event().wait(0.01)
        assert (tmp_path / "seen").read_text() == str(kubeconfig)


def test_one_that_ends_at_once_is_told_with_the_end_of_its_log(tmp_path):
    program(tmp_path / "etcd", ETCD)
    program(tmp_path / "kube-apiserver", "import sys\nsys.exit('no such flag')")

    with pytest.raises(AssertionError, match="no such flag"), real_api_server(tmp_path):
        pass


def test_a_missing_binary_is_named(tmp_path):
    with pytest.raises(AssertionError, match="has no etcd"), real_api_server(tmp_path):
        pass
