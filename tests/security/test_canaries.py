"""No secret leaves by another way than its own, whatever goes wrong.

Each kind of secret that the daemon takes has a value of its own here, and each is given
back by whoever received it. Then every place that people, programs and other receivers
can look at is searched for each value in each encoding.
"""

import base64
import itertools
import json
import re
import sqlite3
from contextlib import ExitStack
from pathlib import Path

import httpx
import pytest

from tests.daemons import DaemonProcess, cli, eventually
from tests.encodings import encodings, found_in
from tests.gitserver import GitHttpServer, GitWorkTree, bare_repository
from tests.receivers import Received, Reply, http_receiver, smtp_server

_NUMBERS = itertools.count(1)


def canary(kind: str) -> str:
    """A value with what encodings change: a slash, a plus, a quote and a space."""
    return f'{kind}-C4n4ry/{next(_NUMBERS)}+"q" %{"x" * 6}'


def token(kind: str) -> str:
    """A value for where only letters, digits and dashes may stand."""
    return f"{kind}-C4n4ryT0ken{next(_NUMBERS)}"


SECRETS = {
    "git password": token("basic"),
    "git token": token("bearer"),
    "ssh key": token("sshkey") + "AAAA" * 8,
    "kubeconfig token": token("kube"),
    "kubeconfig key": token("clientkey") + "BBBB" * 8,
    "mail password": token("smtp"),
    "Slack URL": token("slack"),
    "DingTalk URL": token("ding"),
    "DingTalk sign": canary("sign"),
    "Lark URL": token("lark"),
    "Lark sign": canary("larksign"),
    "Apprise URL": token("apprise"),
    "header of a step": token("header"),
    "header of a step, rotated": token("rotated"),
    "header of a channel": token("audit"),
    "Secret's stringData": canary("stringdata"),
    "Secret's data": canary("data"),
    "refused Secret": canary("refused"),
}

CONFIG = """\
instance: canaries
server: 127.0.0.1:0
repositories:
  shop:
    url: {shop}
    interval: 1s
    allowHttp: true
    auth: {{type: basic, username: deploy, secretRef: {{name: git}}}}
  echo:
    url: {echo}/echo.git
    interval: 1s
    allowHttp: true
    auth: {{type: bearer, secretRef: {{name: bearer}}}}
  keyed:
    url: ssh://git@127.0.0.1:1/keyed.git
    interval: 1s
    auth: {{type: ssh, secretRef: {{name: key}}, knownHosts: known_hosts}}
targets:
  staging: {{sandbox: true, namespace: staging}}
  far: {{kubeconfig: kubeconfig}}
secrets:
  git: {{env: SHOP_PASSWORD}}
  bearer: {{env: BEARER}}
  key: {{file: key}}
  chat:
    env: {{slack: SLACK_URL, ding: DING_URL, lark: LARK_URL, any: APPRISE_URL}}
    hosts: [127.0.0.1]
  sign: {{file: sign.yaml, hosts: [127.0.0.1]}}
  mail: {{file: mail, hosts: [127.0.0.1]}}
  hook: {{file: hook, environments: [shop/*], hosts: [127.0.0.1]}}
  audit: {{env: AUDIT, hosts: [127.0.0.1]}}
notifications:
  channels:
    slack: {{type: slack, url: {{secretRef: {{name: chat, key: slack}}}}}}
    ding:
      type: dingding
      url: {{secretRef: {{name: chat, key: ding}}}}
      sign: {{secretRef: {{name: sign, key: sign}}}}
    lark:
      type: lark
      url: {{secretRef: {{name: chat, key: lark}}}}
      sign: {{secretRef: {{name: sign, key: lark}}}}
    any: {{type: apprise, url: {{secretRef: {{name: chat, key: any}}}}}}
    mail:
      type: email
      from:
        address: gitops-wf@example.com
        host: 127.0.0.1
        port: {smtp}
        tls: none
        password: {{secretRef: {{name: mail, key: password}}}}
      to: [team@example.com]
    audit:
      type: webhook
      url: {audit}/audit
      headers: {{X-Token: {{secretRef: {{name: audit}}}}}}
    plain: {{type: webhook, url: {plain}/plain}}
  window: 1s
  notify:
    - {{channel: lark, on: [failed, errored, succeeded]}}
    - {{channel: any, on: [failed, errored, succeeded]}}
    - {{channel: slack, on: [failed, errored, succeeded]}}
    - {{channel: ding, on: [failed, errored, succeeded]}}
    - {{channel: mail, on: [failed, errored, succeeded]}}
    - {{channel: audit, on: [created, failed, errored, succeeded]}}
    - {{channel: plain, on: [created, failed, errored, succeeded]}}
"""

WORKFLOW = """\
apiVersion: gitops-wf.io/v1alpha1
kind: Workflow
steps:
  - {{name: deploy, type: deploy2env, properties: {{target: staging}}}}
  - name: seed
    type: run-job
    properties: {{manifest: jobs/seed.yaml, target: staging}}
    outputs: [{{name: log, valueFrom: log}}]
  - name: tell
    type: notification
    properties: {{channels: [plain], text: 'it said ${{{{ outputs.log }}}}'}}
  - name: hook
    type: webhook
    properties:
      url: {hook}/hook?token=t0k3n-in-a-url
      headers: {{X-Token: {{secretRef: {{name: hook}}}}}}
  - name: breaks
    type: run-job
    if: always
    properties: {{manifest: jobs/breaks.yaml, target: staging}}
"""

DEPLOY = """\
apiVersion: gitops-wf.io/v1alpha1
kind: Workflow
steps: [{{name: deploy, type: deploy2env, properties: {{target: {target}}}}}]
"""


def documents(*manifests: dict) -> str:
    return "\n---\n".join(json.dumps(manifest) for manifest in manifests)


def secret(name: str, **values) -> dict:
    head = {"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}}
    return head | values


def job(says: str, image: str = "busybox:1", **container) -> dict:
    """A Job that prints something."""
    container |= {"name": "main", "image": image}
    return {
        "apiVersion": "batch/v1",
        "kind": "Job",
        "metadata": {"name": "seed"},
        "spec": {
            "backoffLimit": 0,
            "template": {
                "metadata": {"annotations": {"sandbox.gitops-wf.io/log": says}},
                "spec": {"containers": [container]},
            },
        },
    }


def release(hook: str) -> dict[str, str]:
    """The files of two environments that do what they can, and fail."""
    text, data = SECRETS["Secret's stringData"], SECRETS["Secret's data"]
    encoded = base64.b64encode(data.encode()).decode()
    ours = [SECRETS[name] for name in ("git password", "git token", "ssh key")]
    said = " ".join(
        form for value in (text, data, *ours) for form in encodings(value).values()
    )
    given = [{"secretRef": {"name": "app"}}]
    return {
        "envs/web/workflow.yaml": WORKFLOW.format(hook=hook),
        "envs/web/app.yaml": documents(
            secret("app", stringData={"text": text}, data={"more": encoded})
        ),
        "envs/web/jobs/seed.yaml": documents(job(said, envFrom=given)),
        # It is given none: only what the daemon itself knows can be masked.
        "envs/web/jobs/breaks.yaml": documents(job(" ".join(ours), "fail:1")),
        "envs/far/workflow.yaml": DEPLOY.format(target="far"),
        "envs/far/app.yaml": documents(
            secret(
                "other",
                stringData={"text": SECRETS["refused Secret"]},
                data={
                    "more": base64.b64encode(
                        SECRETS["refused Secret"].encode()
                    ).decode()
                },
            )
        ),
    }


def echo(status: int = 500):
    """Give everything back that came, as a page of a proxy in debug mode does."""

    def answer(received: Received) -> Reply:
        said = {"path": received.path, "headers": received.headers}
        return Reply(status=status, body=json.dumps(said).encode())

    return answer


def api_server(received: Received) -> Reply:
    """Serve as little of Kubernetes as an apply takes, and refuse it with all it held."""
    status, body = 200, received.body
    if received.path == "/api/v1":
        kinds = {"configmaps": "ConfigMap", "secrets": "Secret"}
        found = [{"name": n, "kind": k, "namespaced": True} for n, k in kinds.items()]
        body = json.dumps({"resources": found}).encode()
    elif received.method == "GET":
        is_list = received.path.partition("?")[0].endswith(("/secrets", "/configmaps"))
        status, body = 200 if is_list else 404, b'{"items": []}'
    elif received.method == "PATCH":
        said = f"{received.headers} {received.body.decode()}"
        message = f'admission webhook "w" denied the request: {said}'
        status = 403
        body = json.dumps({"message": message, "reason": "Forbidden"}).encode()
    return Reply(status=status, body=body)


def dingtalk(received: Received) -> Reply:
    said = {"errcode": 310000, "errmsg": f"keywords not in content: {received.path}"}
    return Reply(body=json.dumps(said).encode())


def lark(received: Received) -> Reply:
    """Quote the body, which holds a signature of the time by the secret."""
    said = f"sign match fail: {received.path} {received.body.decode()}"
    return Reply(body=json.dumps({"code": 19021, "msg": said}).encode())


def git_error(received: Received) -> Reply:
    """Refuse as Git servers do, in a packet, and quote what came."""
    line = f"ERR no access for {received.headers.get('authorization')}".encode()
    head = b"001e# service=git-upload-pack\n0000"
    return Reply(
        body=head + f"{len(line) + 4:04x}".encode() + line,
        headers={"Content-Type": "application/x-git-upload-pack-advertisement"},
    )


class Place:
    """A daemon with every kind of secret, and everybody whom it speaks to."""

    def __init__(self, tmp_path: Path, stack: ExitStack) -> None:
        enter = stack.enter_context
        root = tmp_path / "srv"
        bare = bare_repository(root / "shop.git")
        self.work = GitWorkTree.init(tmp_path / "work", remote=str(bare))
        self.git = enter(GitHttpServer(root))
        self.git.credentials = ("basic", "deploy", SECRETS["git password"])
        self.slack, self.ding, self.audit, self.plain, self.hook = (
            enter(http_receiver()) for _ in range(5)
        )
        self.lark, self.any = enter(http_receiver()), enter(http_receiver())
        self.lark.answer, self.any.answer = lark, echo(400)
        self.echo, self.far = enter(http_receiver()), enter(http_receiver())
        self.slack.answer, self.ding.answer = echo(400), dingtalk
        self.audit.answer, self.hook.answer = echo(), echo(400)
        self.echo.answer, self.far.answer = git_error, api_server
        self.mail = enter(smtp_server(login=("gitops-wf@example.com", "another")))
        folder = tmp_path / "daemon"
        folder.mkdir()
        self._write_files(folder)
        config = folder / "gitops-wf.yaml"
        config.write_text(
            CONFIG.format(
                shop=self.git.url(bare),
                echo=self.echo.url,
                smtp=self.mail.port,
                audit=self.audit.url,
                plain=self.plain.url,
            )
        )
        self.daemon = DaemonProcess(
            folder,
            config,
            is_forked=False,
            env={
                "SHOP_PASSWORD": SECRETS["git password"],
                "BEARER": SECRETS["git token"],
                "SLACK_URL": f"{self.slack.url}/services/{SECRETS['Slack URL']}",
                "DING_URL": f"{self.ding.url}/send?access_token={SECRETS['DingTalk URL']}",
                "LARK_URL": f"{self.lark.url}/hook/{SECRETS['Lark URL']}",
                "APPRISE_URL": (
                    f"json://bot:{SECRETS['Apprise URL']}@127.0.0.1:{self.any.port}"
                    f"/{SECRETS['Apprise URL']}?+X-Key={SECRETS['Apprise URL']}"
                ),
                "AUDIT": SECRETS["header of a channel"],
            },
            options=("--log-level", "debug"),
        )
        stack.callback(self.daemon.close)

    def _write_files(self, folder: Path) -> None:
        def pem(body: str) -> str:
            return f"-----BEGIN PRIVATE KEY-----\n{body}\n-----END PRIVATE KEY-----\n"

        (folder / "key").write_text(pem(SECRETS["ssh key"]))
        (folder / "known_hosts").write_text("")
        (folder / "sign.yaml").write_text(
            json.dumps({"sign": SECRETS["DingTalk sign"], "lark": SECRETS["Lark sign"]})
        )
        (folder / "mail").mkdir()
        (folder / "mail" / "password").write_text(SECRETS["mail password"] + "\n")
        self.hook_file = folder / "hook"
        self.hook_file.write_text(SECRETS["header of a step"])
        key = base64.b64encode(pem(SECRETS["kubeconfig key"]).encode()).decode()
        user = {"token": SECRETS["kubeconfig token"], "client-key-data": key}
        user["client-certificate-data"] = key
        kubeconfig = {
            "clusters": [{"name": "c", "cluster": {"server": self.far.url}}],
            "users": [{"name": "u", "user": user}],
            "contexts": [{"name": "x", "context": {"cluster": "c", "user": "u"}}],
            "current-context": "x",
        }
        (folder / "kubeconfig").write_text(json.dumps(kubeconfig))

    def run_everything(self) -> None:
        """Two releases that fail, and one of them again after a rotation."""
        daemon = self.daemon
        daemon.start()
        self.work.push_commit(release(self.hook.url), "First")
        daemon.reaches("web", ["Failed/RequestRefused"])
        daemon.reaches("far", ["Failed/Forbidden"])
        assert "denied the request" in json.dumps(daemon.get("revisions"))
        self.hook_file.write_text(SECRETS["header of a step, rotated"])
        self.work.push_commit(
            {
                "envs/web/note.yaml": documents(
                    {
                        "apiVersion": "v1",
                        "kind": "ConfigMap",
                        "metadata": {"name": "note"},
                    }
                )
            },
            "Second",
        )
        daemon.reaches("web", ["Failed/RequestRefused", "Failed/RequestRefused"])
        chats = (self.slack, self.ding, self.lark, self.any)
        for receiver in (*chats, self.audit, self.plain, self.echo):
            eventually(
                lambda r=receiver: r.received, what=f"a request to {receiver.url}"
            )
        eventually(lambda: self.mail.logins, what="a login of the mail channel")
        eventually(
            lambda: daemon.log.count("repository.failed") >= 2,
            what="two repositories that cannot be polled",
        )

    # --- where people, programs and others can look ---

    def texts(self) -> dict[str, str]:
        """Everything that may hold no secret, by what it is."""
        return {
            "the log": self.daemon.log,
            **self._files(),
            **self._answers(),
            **self._messages(),
            "the cluster's ConfigMaps": json.dumps(
                self.daemon.kubectl("get", "configmaps", "-A")
            ),
        }

    def _files(self) -> dict[str, str]:
        """What the daemon keeps, less Git's objects and the cluster of the sandbox.

        Nor the key files of a git command that is under way: nobody else can read
        them, and tests/security/test_git_hardening.py sees that they go.
        """
        kept = self.daemon.folder / ".gitops-wf"
        with sqlite3.connect(kept / "gitops-wf.db") as database:
            dump = "\n".join(database.iterdump())
        files = [
            path
            for path in kept.rglob("*")
            if not {"objects", "sandbox"} & set(path.parts)
            and "/gitops-wf-git-" not in str(path)
            and path.is_file()
        ]
        assert any(path.name == "config" for path in files)
        assert any(path.name.startswith("gitops-wf.db") for path in files)
        return {"the store": dump} | {
            str(path): path.read_bytes().decode("utf-8", "replace") for path in files
        }

    def commands(self, gitops_wf) -> dict[str, str]:
        """What the command line prints about all of it."""
        found = {}
        where = ["--config", str(self.daemon.config)]
        outputs = ("table", "json", "yaml")
        lists = ("environments", "revisions", "runs", "targets", "decisions")
        for arguments in (
            *(("get", *each) for each in itertools.product(lists, ["-o"], outputs)),
            *(("describe", name) for name in ("web", "far")),
            ("history", "web"),
            *(("events", "-o", output) for output in outputs),
        ):
            done = gitops_wf(*arguments, *where)
            assert done.code == 0, done.err
            found[" ".join(arguments)] = done.out + done.err
        for channel in ("slack", "ding", "lark", "any", "mail", "audit"):
            done = gitops_wf("notify-test", channel, *where)
            assert done.code, "its receiver refuses everything"
            found[f"notify-test {channel}"] = done.out + done.err
        return found

    def _answers(self) -> dict[str, str]:
        [url] = re.findall(
            r'"url": "(http[^"]*)", "event": "web.started"', self.daemon.log
        )
        paths = httpx.get(f"{url}/api/v1/openapi.json").json()["paths"]
        whole = [path for path in paths if "{" not in path]
        assert "/api/v1/events" in whole
        whole += ["/api/v1/openapi.json", "/metrics", "/healthz", "/readyz"]
        return {path: httpx.get(f"{url}{path}").text for path in whole}

    def _messages(self) -> dict[str, str]:
        """What receivers got that were given no secret of their own."""
        return {
            f"a message to {received.path}": received.body.decode()
            for receiver in (
                *(self.slack, self.ding, self.lark, self.any),
                *(self.audit, self.plain, self.hook),
            )
            for received in receiver.received
        } | {
            f"the headers of {received.path}": json.dumps(received.headers)
            for received in self.plain.received
        }


def children(pid: int) -> dict[str, str]:
    """Command line and environment of each process below one, as /proc shows them."""
    found = {}
    for task in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in task.read_text().split():
            for name in ("cmdline", "environ"):
                file = Path(f"/proc/{child}/{name}")
                found[str(file)] = file.read_bytes().decode("utf-8", "replace")
            found |= children(int(child))
    return found


def leaks_in(texts: dict[str, str]) -> list[str]:
    return [
        f"{where}: {leak}"
        for where, text in texts.items()
        for leak in found_in(text, SECRETS)
    ]


@pytest.fixture
def place(tmp_path):
    with ExitStack() as stack:
        yield Place(tmp_path, stack)


def test_no_secret_is_found_where_it_does_not_belong(place, gitops_wf, monkeypatch):
    place.run_everything()

    for name, value in place.daemon.env.items():
        monkeypatch.setenv(name, value)
    assert leaks_in(place.texts() | place.commands(gitops_wf)) == []
    log = place.daemon.log
    assert "***" in log
    assert "t0k3n-in-a-url" not in log

    place.git.misbehave = "hang"
    place.work.push_commit({"envs/web/more.md": "more"}, "Third")
    pid = place.daemon.process.pid

    def git_children():
        found = children(pid)
        return (
            found if any("git-remote-http" in text for text in found.values()) else {}
        )

    shown = eventually(git_children, what="a request of git that takes its time")
    assert leaks_in(shown) == []
    place.git.closing.set()
    assert place.daemon.stop() == 0


def test_the_password_of_the_store_s_url_is_not_told(tmp_path):
    password = token("postgres")
    config = tmp_path / "gitops-wf.yaml"
    config.write_text(
        f"store: postgresql://gitops:{password}@127.0.0.1:1/gitops\n"
        "repositories: {shop: {url: /srv/shop.git}}\n"
    )

    done = cli("run", "--config", str(config), "--log-level", "debug", cwd=tmp_path)

    assert done.returncode == 1
    assert "127.0.0.1" in done.stderr
    assert found_in(done.stdout + done.stderr, {"password": password}) == []
