"""A real API server for the contract suites, from the binaries of `KUBEBUILDER_ASSETS`.

As envtest does it (sigs.k8s.io/controller-runtime/pkg/envtest): etcd and kube-apiserver
on loopback, without a scheduler or a kubelet. Where kube-controller-manager lies beside
them it runs too; without it, no ServiceAccount is ever made, and the plug-in that
insists on one for each Pod is left out.
"""

import contextlib
import secrets
import socket
import ssl
import subprocess
import tempfile
import threading
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import yaml
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa

PATIENCE = 60.0
CONTROLLERS = "kube-controller-manager"


def free_port() -> int:
    """A port that nobody has at this moment."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return listener.getsockname()[1]


@contextlib.contextmanager
def real_api_server(assets: Path) -> Iterator[Path]:
    """Start one; gives the path of an administrator's kubeconfig."""
    for name in ("etcd", "kube-apiserver"):
        if not (assets / name).is_file():
            raise AssertionError(f"KUBEBUILDER_ASSETS={assets} has no {name}")
    with contextlib.ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        etcd = f"http://127.0.0.1:{free_port()}"
        stack.enter_context(_running(_etcd(assets, folder, etcd), folder / "etcd.log"))
        port, token = free_port(), secrets.token_hex(16)
        log = folder / "kube-apiserver.log"
        command = _api_server(assets, folder, etcd, port, token)
        process = stack.enter_context(_running(command, log))
        _wait(f"https://127.0.0.1:{port}/readyz", token, process, log)
        kubeconfig = _kubeconfig(folder, port, token)
        if (assets / CONTROLLERS).is_file():
            controllers = _controller_manager(assets, folder, kubeconfig)
            stack.enter_context(_running(controllers, folder / f"{CONTROLLERS}.log"))
        yield kubeconfig


def _etcd(assets: Path, folder: Path, url: str) -> list[str]:
    return [
        str(assets / "etcd"),
        f"--data-dir={folder / 'etcd'}",
        f"--listen-client-urls={url}",
        f"--advertise-client-urls={url}",
        f"--listen-peer-urls=http://127.0.0.1:{free_port()}",
        "--unsafe-no-fsync",
    ]


def _api_server(
    assets: Path, folder: Path, etcd: str, port: int, token: str
) -> list[str]:
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    (folder / "sa.key").write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    (folder / "tokens.csv").write_text(f"{token},admin,admin-uid,system:masters\n")
    command = [
        str(assets / "kube-apiserver"),
        f"--etcd-servers={etcd}",
        f"--cert-dir={folder / 'certificates'}",
        "--bind-address=127.0.0.1",
        f"--secure-port={port}",
        f"--service-account-key-file={folder / 'sa.key'}",
        f"--service-account-signing-key-file={folder / 'sa.key'}",
        f"--service-account-issuer=https://127.0.0.1:{port}",
        f"--token-auth-file={folder / 'tokens.csv'}",
        "--authorization-mode=RBAC",
        "--service-cluster-ip-range=10.0.0.0/24",
    ]
    if not (assets / CONTROLLERS).is_file():
        command.append("--disable-admission-plugins=ServiceAccount")
    return command


def _controller_manager(assets: Path, folder: Path, kubeconfig: Path) -> list[str]:
    return [
        str(assets / CONTROLLERS),
        f"--kubeconfig={kubeconfig}",
        f"--service-account-private-key-file={folder / 'sa.key'}",
        f"--root-ca-file={folder / 'certificates' / 'apiserver.crt'}",
        f"--secure-port={free_port()}",
        f"--cert-dir={folder / CONTROLLERS}",
        "--bind-address=127.0.0.1",
        "--leader-elect=false",
        # No kubelet tells that the node is alive, and no metrics API what Pods use.
        "--controllers=*,-node-lifecycle-controller",
        "--horizontal-pod-autoscaler-sync-period=5s",
    ]


@contextlib.contextmanager
def _running(command: list[str], log: Path) -> Iterator[subprocess.Popen]:
    with log.open("wb") as out:
        process = subprocess.Popen(command, stdout=out, stderr=out)
    try:
        yield process
    finally:
        process.terminate()
        try:
            process.wait(timeout=15)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait(url: str, token: str, process: subprocess.Popen, log: Path) -> None:
    pause = threading.Event()
    trusting = ssl._create_unverified_context()
    request = urllib.request.Request(url, headers={"Authorization": f"Bearer {token}"})
    for _ in range(int(PATIENCE / 0.2)):
        if process.poll() is not None:
            break
        with contextlib.suppress(urllib.error.URLError, OSError):
            urllib.request.urlopen(request, timeout=5, context=trusting)
            return
        pause.wait(0.2)
    tail = log.read_text(errors="replace")[-3000:]
    raise AssertionError(f"kube-apiserver does not get ready:\n{tail}")


def _kubeconfig(folder: Path, port: int, token: str) -> Path:
    cluster = {
        "server": f"https://127.0.0.1:{port}",
        "certificate-authority": str(folder / "certificates" / "apiserver.crt"),
    }
    path = folder / "kubeconfig"
    path.write_text(
        yaml.safe_dump(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "clusters": [{"name": "real", "cluster": cluster}],
                "users": [{"name": "admin", "user": {"token": token}}],
                "contexts": [
                    {"name": "real", "context": {"cluster": "real", "user": "admin"}}
                ],
                "current-context": "real",
            }
        )
    )
    return path
