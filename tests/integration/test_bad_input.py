"""What is wrong outside is a clear error, there, and disturbs nothing else."""

import json
import socket
import threading
from collections.abc import Iterator
from datetime import timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from gitops_wf.adapters.configured_clusters import ConfiguredClusters
from gitops_wf.adapters.step_catalogue import EntryPointCatalogue
from gitops_wf.bootstrap.targets import open_target
from gitops_wf.core.config import TargetConfig, TargetKind
from gitops_wf.core.identifiers import TargetName
from gitops_wf.core.secret import Secret
from gitops_wf.definitions.facts import Known
from gitops_wf.definitions.yaml_text import read_manifests
from gitops_wf.ports.git import BasicAuth, Credential, Remote
from tests.gitserver import GitHttpServer
from tests.gitworktree import unreadable
from tests.releases import ReleaseLine

HEAD = "apiVersion: gitops-wf.io/v1alpha1\nkind: Workflow\nsteps:\n"
PLAIN = HEAD + "  - {name: out, type: deploy2env}\n"
CONFIG_MAP = "apiVersion: v1\nkind: ConfigMap\nmetadata: {name: web}\ndata: {a: '1'}\n"
BOMB = "a: &a [x, x, x, x, x, x, x, x, x, x]\n" + "".join(
    f"{new}: &{new} [{', '.join([f'*{old}'] * 10)}]\n"
    for old, new in zip("abcdefghi", "bcdefghij", strict=True)
)
FIFTY_MEGABYTES = b"# " + b"x" * (50 * 1024 * 1024)


# --- the remote ---


def conditions(line):
    """What was told of the repository, as (kind, reason)."""
    return [(e.kind, e.reason) for e in line.events() if e.repository == "shop"]


def test_an_unreachable_remote_is_told_once_shown_and_tried_again(line):
    line.commit({"envs/prod/workflow.yaml": PLAIN})
    line.settle()
    with unreadable(line.remote):
        for _ in range(3):
            line.settle()
        record = line.repository()
    assert record.failures == 3
    assert str(line.remote) in record.condition
    assert len(conditions(line)) == 1

    line.commit({"envs/prod/cm.yaml": "a: 2\n"})
    line.settle()

    record = line.repository()
    assert (record.condition, record.failures) == ("", 0)
    assert conditions(line)[1:] == [("repositoryRecovered", "Recovered")]
    assert line.phases("prod") == ["Succeeded", "Succeeded"]


def test_wrong_credentials_are_told_without_telling_them(tmp_path):
    with GitHttpServer(tmp_path) as server:
        server.credentials = ("basic", "git", "right")
        auth = BasicAuth(username="git", password=Secret("hunter2-wrong"))

        def remote(bare):
            credential = Credential(auth=auth, prefix=server.base)
            return Remote(url=server.url(bare), branch="main", credential=credential)

        line = ReleaseLine(tmp_path, remote=remote)
        line.commit({"envs/prod/workflow.yaml": PLAIN})
        line.settle()
        line.settle()
        record = line.repository()
        told = conditions(line)
        line.close()

    assert record.failures == 2
    assert "127.0.0.1" in record.condition
    assert "hunter2" not in record.condition
    assert told == [("repositoryFailed", "AuthenticationFailed")]


def test_an_empty_repository_waits_for_its_first_commit(line):
    line.settle()

    assert line.repository().condition == (
        "refs/heads/main: the repository holds no commit yet; the first is seen when it"
        " comes"
    )


def test_a_branch_that_does_not_exist_is_named(line):
    line.work.commit({"README.md": "words\n"})
    line.work.push(refspec="HEAD:refs/heads/other")

    line.settle()

    condition = line.repository().condition
    assert condition == (
        "refs/heads/main: the repository has no such branch; push it, or write another"
        " as `branch` in the daemon config"
    )
    assert conditions(line) == [("repositoryFailed", "BranchNotFound")]


def test_two_environments_of_one_name_are_told_until_one_has_another(line):
    named = "apiVersion: gitops-wf.io/v1alpha1\nkind: Environment\nname: {}\n"
    for folder in ("a", "b"):
        line.work.write(
            {
                f"envs/{folder}/environment.yaml": named.format("web"),
                f"envs/{folder}/workflow.yaml": PLAIN,
            }
        )
    line.work.commit(None, "Two")
    line.work.push()
    line.settle()
    line.settle()
    assert "an environment named web stands in envs/a" in line.repository().condition
    assert line.phases("web") == ["Succeeded"]

    line.commit({"envs/a/environment.yaml": named.format("shop")})
    line.settle()

    assert line.repository().condition == ""
    assert line.phases("shop") == ["Succeeded"]
    assert line.record("web").folder == "envs/b"


# --- definitions ---

DEFINITIONS = {
    "yaml": (b"steps: [}", "envs/yaml/workflow.yaml:1: "),
    "big": (FIFTY_MEGABYTES, "has 52428802 bytes"),
    "bomb": (BOMB.encode(), "envs/bomb/workflow.yaml:"),
    "type": (
        HEAD.encode() + b"  - {name: out, type: deploy2evn}\n",
        "deploy2env",
    ),
    "property": (
        HEAD.encode() + b"  - {name: out, type: deploy2env, properties: {pth: x}}\n",
        "envs/property/workflow.yaml:4: ",
    ),
    "target": (
        HEAD.encode()
        + b"  - {name: out, type: deploy2env, properties: {target: moon}}\n",
        "`moon`",
    ),
    "link": (None, "envs/link/workflow.yaml: is a symlink"),
    "empty": (b"", "envs/empty/workflow.yaml"),
}
"""By folder: its workflow.yaml (None: a link out of the repository), what is told."""


@pytest.fixture(scope="module")
def definitions(tmp_path_factory) -> Iterator[ReleaseLine]:
    """One commit with every bad definition and a good one beside them."""
    known = Known(targets=frozenset({"cluster"}))
    line = ReleaseLine(
        tmp_path_factory.mktemp("bad"), known=known, catalogue=EntryPointCatalogue()
    )
    files = {
        f"envs/{n}/workflow.yaml": d
        for n, (d, _) in DEFINITIONS.items()
        if d is not None
    }
    link = line.work.path / "envs/link/workflow.yaml"
    link.parent.mkdir(parents=True)
    link.symlink_to("/etc/passwd")
    line.work.git("add", "--", "envs/link/workflow.yaml")
    ask = HEAD + "  - {name: ask, type: suspend}\n" + PLAIN.removeprefix(HEAD)
    line.commit({**files, "envs/good/workflow.yaml": ask})
    line.settle()
    yield line
    line.close()


@pytest.mark.parametrize("folder", DEFINITIONS)
def test_a_bad_definition_is_a_failed_revision_that_says_where(definitions, folder):
    (revision,) = definitions.revisions(folder)

    assert definitions.phases(folder) == ["Failed/InvalidDefinition"]
    assert DEFINITIONS[folder][1] in revision.message
    failed = [e for e in definitions.events() if e.environment == revision.environment]
    assert [e.kind for e in failed] == ["added", "created", "failed"]


def test_a_path_that_no_command_line_takes_holds_up_no_repository(line):
    environment = (
        "apiVersion: gitops-wf.io/v1alpha1\nkind: Environment\n"
        f"watch: [../../{'a' * 200_000}]\n"
    )
    line.commit(
        {
            "envs/long/environment.yaml": environment,
            "envs/long/workflow.yaml": PLAIN,
            "envs/prod/workflow.yaml": PLAIN,
        }
    )

    line.settle()

    assert line.repository().condition == ""
    assert line.phases("prod") == ["Succeeded"]


def test_bad_definitions_disturb_no_other_environment(definitions):
    assert definitions.phases("good") == ["Suspended"]
    assert definitions.repository().condition == ""


# --- manifests and targets, with the real step and the real clients ---


class Refusing(BaseHTTPRequestHandler):
    """An API server that answers everything with one Status."""

    code = 403

    def answer(self) -> None:
        length = int(self.headers.get("Content-Length") or 0)
        self.rfile.read(length)
        status = {
            "kind": "Status",
            "apiVersion": "v1",
            "status": "Failure",
            "reason": {403: "Forbidden", 401: "Unauthorized"}.get(self.code, ""),
            "message": f"the server says {self.code}",
            "code": self.code,
        }
        body = json.dumps(status).encode()
        self.send_response(self.code)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    do_GET = do_PATCH = do_POST = do_PUT = do_DELETE = answer  # noqa: N815

    def log_message(self, *args: object) -> None:
        pass


@pytest.fixture
def answering():
    """Start servers that answer everything with a status; return their addresses."""
    servers = []

    def start(code: int) -> str:
        handler = type("Handler", (Refusing,), {"code": code})
        server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        thread = threading.Thread(
            target=server.serve_forever, kwargs={"poll_interval": 0.02}
        )
        thread.start()
        servers.append((server, thread))
        return f"http://127.0.0.1:{server.server_port}"

    yield start
    for server, thread in servers:
        server.shutdown()
        server.server_close()
        thread.join()


def kubeconfig(path, address: str) -> str:
    path.write_text(
        json.dumps(
            {
                "apiVersion": "v1",
                "kind": "Config",
                "current-context": "it",
                "clusters": [{"name": "it", "cluster": {"server": address}}],
                "users": [{"name": "it", "user": {}}],
                "contexts": [
                    {"name": "it", "context": {"cluster": "it", "user": "it"}}
                ],
            }
        )
    )
    return str(path)


@pytest.fixture
def real(tmp_path):
    """A release line with the installed step types and clients of targets."""
    made = []

    def make(*targets: TargetConfig) -> ReleaseLine:
        folder = TargetConfig(
            name=TargetName("folder"),
            kind=TargetKind.DIRECTORY,
            path=str(tmp_path / "folder"),
        )
        by_name = {t.name: t for t in (folder, *targets)}
        line = ReleaseLine(
            tmp_path,
            targets=("folder",),
            catalogue=EntryPointCatalogue(),
            capabilities={
                "clusters": ConfiguredClusters(by_name, open_target),
                "manifests": read_manifests,
                "digest_key": Secret("key"),
            },
        )
        made.append(line)
        return line

    yield make
    for line in made:
        line.close()


def on(target: str) -> str:
    head = "apiVersion: gitops-wf.io/v1alpha1\nkind: Environment\n"
    return f"{head}targets: [{target}]\n"


def cluster(name: str, path: str) -> TargetConfig:
    return TargetConfig(name=TargetName(name), kind=TargetKind.KUBECONFIG, path=path)


def test_a_bad_manifest_fails_its_revision_and_writes_nothing(real, tmp_path):
    line = real()
    bad = {
        "kindless": b"apiVersion: v1\nmetadata: {name: web}\n",
        "big": FIFTY_MEGABYTES[: 11 * 1024 * 1024],
        "bomb": BOMB.encode(),
        "yaml": b"a: [}",
    }
    link = line.work.path / "envs/link/web.yaml"
    link.parent.mkdir(parents=True)
    link.symlink_to("/etc/passwd")
    line.work.git("add", "--", "envs/link/web.yaml")
    files = {f"envs/{name}/web.yaml": data for name, data in bad.items()}
    names = [*bad, "link", "good"]
    line.commit(
        {
            **files,
            **{f"envs/{name}/workflow.yaml": PLAIN for name in names},
            "envs/good/web.yaml": CONFIG_MAP,
        }
    )

    line.settle()

    for name in (*bad, "link"):
        (revision,) = line.revisions(name)
        assert line.phases(name) == ["Failed/InvalidDefinition"], revision.message
        assert f"envs/{name}/web.yaml" in revision.message
    assert line.phases("good") == ["Succeeded"]
    written = [p.name for p in (tmp_path / "folder").rglob("*") if "web" in p.name]
    assert len(written) == 1


def test_a_target_that_left_the_config_is_no_fault_of_the_revision(real):
    line = real()
    line.commit(
        {
            "envs/prod/environment.yaml": on("moon"),
            "envs/prod/web.yaml": CONFIG_MAP,
            "envs/good/workflow.yaml": PLAIN,
            "envs/good/web.yaml": CONFIG_MAP,
        }
    )

    line.settle()

    (revision,) = line.revisions("prod")
    assert line.phases("prod") == ["Errored/TargetNotConfigured"]
    assert "target moon is not in the daemon config; there: folder" in revision.message
    assert line.phases("good") == ["Succeeded"]


def test_an_api_server_that_is_down_is_tried_again_and_given_up(real, tmp_path):
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        path = tmp_path / "kubeconfig"
        address = f"http://127.0.0.1:{closed.getsockname()[1]}"
        line = real(cluster("down", kubeconfig(path, address)))
        line.commit(
            {
                "envs/prod/environment.yaml": on("folder"),
                "envs/good/workflow.yaml": PLAIN,
                "envs/good/web.yaml": CONFIG_MAP,
            }
        )
        line.settle()
        line.commit(
            {
                "envs/prod/environment.yaml": on("down"),
                "envs/prod/web.yaml": CONFIG_MAP,
            }
        )
        line.settle()
        (step,) = (s for s in line.run("prod").steps if s.started)
        assert step.reason == "Retrying"
        assert line.phases("good") == ["Succeeded"]

        line.wait(timedelta(minutes=9))

    revision = line.revisions("prod")[-1]
    assert line.phases("prod")[1:] == ["Errored/RetriesExhausted"]
    assert "tried 11 times" in revision.message
    assert address.removeprefix("http://") in revision.message


def test_an_api_server_that_refuses_is_not_asked_again(real, answering, tmp_path):
    path = tmp_path / "kubeconfig"
    line = real(cluster("no", kubeconfig(path, answering(403))))
    line.commit({"envs/prod/environment.yaml": on("folder")})
    line.settle()
    line.commit(
        {"envs/prod/environment.yaml": on("no"), "envs/prod/web.yaml": CONFIG_MAP}
    )

    line.settle()

    revision = line.revisions("prod")[-1]
    assert line.phases("prod")[1:] == ["Failed/Forbidden"]
    assert "the server says 403" in revision.message
