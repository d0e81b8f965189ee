"""config/examples/cloud-database as its README has it, on two clusters.

Its channels reach real receivers; what came of it is asked of the clusters.
"""

import base64

import pytest

from gitops_wf.adapters.kube_api import KubeCluster, kubeconfig_access
from tests import sandbox_process
from tests.daemons import ROOT, DaemonProcess
from tests.gitserver import GitWorkTree, bare_repository
from tests.receivers import DINGTALK_OK, http_receiver, smtp_server
from tests.releases import approval

EXAMPLE = ROOT / "config/examples/cloud-database"


@pytest.fixture
def receivers():
    with http_receiver() as http, smtp_server() as mailbox:
        http.reply("/dingtalk", DINGTALK_OK)
        yield http, mailbox


@pytest.fixture
def prod(tmp_path):
    folder = tmp_path / "prod-cluster"
    folder.mkdir()
    with sandbox_process.running(folder) as running:
        yield running


@pytest.fixture
def daemon(tmp_path, receivers, prod):
    http, mailbox = receivers
    folder = tmp_path / "daemon"
    folder.mkdir()
    text = (EXAMPLE / "gitops-wf.yaml").read_text()
    bare = bare_repository(tmp_path / "store.git")
    for shown, real in (
        ("url: .\n", f"url: {bare}\n"),
        ("port: 8025", f"port: {mailbox.port}"),
        ("prod-cluster/kubeconfig", str(prod.kubeconfig)),
    ):
        assert shown in text
        text = text.replace(shown, real)
    config = folder / "gitops-wf.yaml"
    config.write_text(text)
    daemon = DaemonProcess(
        folder,
        config,
        bare,
        env={
            "SLACK_URL": f"{http.url}/slack",
            "DINGTALK_URL": f"{http.url}/dingtalk?access_token=t",
            "DINGTALK_SIGN": "SECsign",
        },
    )
    yield daemon
    daemon.close()


def in_prod(prod, version, kind, name):
    cluster = KubeCluster(kubeconfig_access(prod.kubeconfig))
    return cluster.get(cluster.resource(version, kind), "default", name)


def values(secret):
    return {
        key: base64.b64decode(value).decode() for key, value in secret["data"].items()
    }


def test_one_commit_goes_from_test_to_prod_with_a_database_for_both_clusters(
    tmp_path, daemon, receivers, prod
):
    http, mailbox = receivers
    work = GitWorkTree.init(tmp_path / "work", remote=str(daemon.repository))
    files = {
        str(path.relative_to(EXAMPLE)): path.read_bytes()
        for path in EXAMPLE.rglob("*")
        if path.is_file()
    }
    one = work.push_commit(files, "Sell things")

    daemon.start()
    daemon.reaches("shop", ["Suspended"])

    database = daemon.kubectl("get", "configuration", "database", "-n", "store-shop")
    assert database["status"]["apply"]["state"] == "Available"
    for namespace in ("test", "staging"):
        copy = daemon.kubectl("get", "secret", "db-conn", "-n", namespace)
        assert values(copy)["DB_USER"] == "shop"
    (job,) = daemon.kubectl("get", "jobs", "-n", "test")["items"]
    assert job["status"]["succeeded"] == 1
    container = job["spec"]["template"]["spec"]["containers"][0]
    assert container["envFrom"] == [{"secretRef": {"name": "db-conn"}}]
    assert in_prod(prod, "v1", "Secret", "db-conn") is None
    assert "waits for approval" in http.at("/slack")[0].json["text"]
    assert "waits for approval" in http.at("/dingtalk")[0].body.decode()
    assert len(mailbox.mails) == 1

    work.push_commit(
        {"envs/shop/approvals.yaml": approval(one, "go-live", by=work.author)},
        "Approve it",
    )
    daemon.reaches("shop", ["Succeeded"])

    shared = values(in_prod(prod, "v1", "Secret", "db-conn"))
    assert shared["DB_USER"] == "shop-reader"
    assert "DB_READER" not in shared
    web = in_prod(prod, "apps/v1", "Deployment", "web")
    assert web["status"]["availableReplicas"] == 2
    # The database is on the hub, and nowhere else.
    assert not any("configurations" in path for _, path in prod.writes())
    assert [len(http.at("/slack")), len(http.at("/dingtalk"))] == [2, 2]
    assert len(mailbox.mails) == 2
    secret = "only-for-the-sandbox"
    told = [*http.at("/slack"), *http.at("/dingtalk"), *mailbox.mails]
    assert secret not in daemon.log
    assert secret not in "".join(
        str(getattr(each, "body", getattr(each, "content", ""))) for each in told
    )
