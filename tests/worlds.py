"""An environment `shop/prod` and the world that its steps reach, all of real parts.

- Each target of TARGETS is a namespace of its own on one sandbox, whose clock is the
  test's. No operator of custom resources runs there: a world is given the statuses that
  objects get as soon as they are there.
- Every `secretRef` in a file is granted. The value of a key `url` is
  `https://NAME.example/hook`.
- Every URL reaches one receiver, which sees the host asked for as the header `X-Host`.
  It answers 200 `ok`, DingTalk and Lark as their robots do, or as a test says. Every
  mail server is one SMTP server, which asks for no login. Whatever service Apprise is
  to send to, it posts JSON to the receiver.
"""

import json
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import yaml

from gitops_wf.adapters.address_guard import AddressGuard
from gitops_wf.adapters.apprise_relay.relay import AppriseRelay
from gitops_wf.adapters.config_secrets import ConfigSecrets
from gitops_wf.adapters.configured_clusters import ConfiguredClusters
from gitops_wf.adapters.http_outbound import HttpOutbound
from gitops_wf.adapters.renderers import Tools
from gitops_wf.adapters.smtp_mailer import SmtpMailer
from gitops_wf.bootstrap.cloud import cloud_rules
from gitops_wf.bootstrap.health import health_rules
from gitops_wf.bootstrap.targets import open_target
from gitops_wf.core.addresses import AddressPolicy
from gitops_wf.core.config import PushConfig, TargetConfig, TargetKind
from gitops_wf.core.grants import SecretGrant
from gitops_wf.core.identifiers import TargetName
from gitops_wf.core.notifications.verdict import Verdict
from gitops_wf.core.run import Run
from gitops_wf.core.secret import Secret
from gitops_wf.definitions.facts import Known
from gitops_wf.definitions.yaml_text import read_manifests
from gitops_wf.ports.outbound import HttpRequest, HttpResponse, Mail, MailServer
from gitops_wf.sandbox.http.server import SandboxServer
from gitops_wf.services.deliver import ChannelSender
from tests.definitions import CATALOGUE
from tests.gitworktree import ANN
from tests.receivers import (
    DINGTALK_OK,
    LARK_OK,
    OK,
    HttpReceiver,
    Mailbox,
    Received,
    Reply,
    http_receiver,
    smtp_server,
)
from tests.releases import ReleaseLine, approval
from tests.sandbox_process import KUBECONFIG, TOKEN
from tests.sandboxcluster import Cluster

TARGETS = ("prod-eu", "prod-us", "staging", "hub")
CHANNELS = {
    "ops": {"type": "slack", "url": "https://ops.example/hook"},
    "dev": {"type": "webhook", "url": "https://dev.example/hook"},
}
WORKFLOW = "envs/prod/workflow.yaml"
LONGEST = timedelta(days=2)


def workflow(steps: str) -> str:
    """A workflow of these steps, a list in YAML."""
    return f"apiVersion: gitops-wf.io/v1alpha1\nkind: Workflow\nsteps:\n{steps}"


def known_of(files: Mapping[str, str]) -> Known:
    """What the daemon config has for these files: a grant for each secret."""
    keys: dict[str, set[str]] = {}
    for text in (*files.values(), yaml.safe_dump(CHANNELS)):
        for document in documents(text):
            for ref in under(document, "secretRef"):
                if isinstance(ref, dict) and "name" in ref:
                    keys.setdefault(ref["name"], set()).add(ref.get("key", ""))
    return Known(
        targets=frozenset(TARGETS),
        hub=TargetName("hub"),
        cloud=cloud_rules(),
        channels=frozenset(CHANNELS),
        secrets={
            name: SecretGrant(
                name=name,
                env={key: f"{name}/{key}" for key in found},
                environments=("*",),
                hosts=("*",),
                targets=("*",),
            )
            for name, found in keys.items()
        },
    )


@dataclass(kw_only=True)
class World:
    """One environment, its targets, and the witnesses of what it does."""

    line: ReleaseLine
    cluster: Cluster
    http: HttpReceiver
    mailbox: Mailbox
    log: Path
    statuses: list[Any]
    answers: dict[str, Reply] = field(default_factory=dict)
    """By host and path, where it is not 200 `ok`."""

    @property
    def run(self) -> Run:
        """The newest run."""
        return self.line.run("prod")

    def commit(self, files: Mapping[str, str], message: str = "Change") -> str:
        """Commit and push, let the daemon see it and do what is due."""
        sha = self.line.commit(files, message)
        self.line.settle()
        return sha

    def go_on(self, *, is_approved: bool = True) -> None:
        """Let time pass until the newest revision ended, or waits for approval.

        What waits is approved, unless a test says otherwise.
        """
        end = self.line.clock.now() + LONGEST
        while not self.line.revisions("prod")[-1].phase.is_final:
            assert self.line.clock.now() < end, self.where()
            if self.run.is_waiting_for_approval:
                if not is_approved:
                    return
                self.approve()
                continue
            for manifest in self.statuses:
                self._set_status(manifest)
            span = self._until_due()
            self.cluster.settle(span.total_seconds())
            self.line.wait(span)

    def approve(self) -> None:
        """Commit an approval of the first step that waits for one."""
        step = self.run.waiting[0].name
        text = approval(self.line.revisions("prod")[-1].commit, step, by=ANN)
        name = f"envs/prod/approvals/{step}.yaml"
        self.line.commit({name: text}, f"Approve {step}", author=ANN)
        self.line.settle()

    def asked(self, host: str) -> list[Received]:
        """The requests that were for a host."""
        return [r for r in self.http.received if r.headers["x-host"] == host]

    def written(self) -> set[str]:
        """The namespaces in which something was written; each target has its own."""
        lines = [json.loads(line) for line in self.log.read_text().splitlines()]
        writes = [each["path"] for each in lines if each["method"] != "GET"]
        found = (re.search("/namespaces/([^/]+)/", path) for path in writes)
        return {place[1] for place in found if place}

    def where(self) -> str:
        """How far each step of the newest run is."""
        return "\n".join(
            f"{step.name}: {step.phase} {step.reason} {step.message}"
            for step in self.run.steps
        )

    def answer(self, received: Received) -> Reply:
        """Answer a request."""
        host, path = received.headers["x-host"], received.path.partition("?")[0]
        if f"{host}{path}" in self.answers:
            return self.answers[f"{host}{path}"]
        if b'"msg_type"' in received.body:
            return LARK_OK
        return DINGTALK_OK if b'"msgtype"' in received.body else OK

    def make(self, manifest: dict[str, Any]) -> None:
        """Create an object on the sandbox, as somebody else."""
        api = self.cluster.api
        resource = api.resources.by_kind(manifest["apiVersion"], manifest["kind"])
        assert resource, f"the sandbox serves no {manifest['kind']}"
        api.create(resource, manifest, manager="test")
        self.cluster.settle(1)

    def _until_due(self) -> timedelta:
        with self.line.store.read() as reader:
            moments = [reader.next_due(), self.line.executor.next_due()]
        due = min((moment for moment in moments if moment), default=None)
        assert due is not None, self.where()
        return max(due - self.line.clock.now(), timedelta())

    def _set_status(self, manifest: dict[str, Any]) -> None:
        api, meta = self.cluster.api, manifest["metadata"]
        resource = api.resources.by_kind(manifest["apiVersion"], manifest["kind"])
        live = resource and self.cluster.find(
            resource.qualified, meta["name"], meta.get("namespace", "")
        )
        if live and live.get("status") != manifest["status"]:
            api.update(
                resource,
                {**live, "status": manifest["status"]},
                manager="operator",
                subresource="status",
            )


@contextmanager
def world(
    folder: Path,
    known: Known,
    *,
    cluster_has: Iterable[dict[str, Any]] = (),
    statuses: Iterable[dict[str, Any]] = (),
) -> Iterator[World]:
    """A world in which nothing was committed yet."""
    with ExitStack() as ends:
        cluster = Cluster()
        log = folder / "requests.jsonl"
        server = ends.enter_context(
            SandboxServer(cluster.api, token=TOKEN, request_log=log)
        )
        kubeconfig = folder / "kubeconfig"
        kubeconfig.write_text(KUBECONFIG.format(server=server.url, token=TOKEN))
        http = ends.enter_context(http_receiver())
        mailbox = ends.enter_context(smtp_server())
        guard = AddressGuard(AddressPolicy())
        outbound = _Everywhere(HttpOutbound(guard), http.url)
        grants = (known.secrets or {}).values()
        secrets = ConfigSecrets(grants, environ=_values(grants))
        line = ReleaseLine(
            folder,
            targets=("prod-eu",),
            push=PushConfig(),
            catalogue=CATALOGUE,
            known=known,
            capabilities={
                "clusters": ConfiguredClusters(_targets(kubeconfig), open_target),
                "outbound": outbound,
                "secrets": secrets,
                "channels": CHANNELS,
                "manifests": read_manifests,
                "digest_key": Secret("key"),
                "monotonic": cluster.seconds,
                "health": health_rules(),
                "cloud": cloud_rules(),
                "renderer": Tools(folder / "render"),
            },
            sender=ChannelSender(
                outbound=outbound,
                mailer=_Postman(SmtpMailer(guard), mailbox),
                relay=_Courier(AppriseRelay(guard), http.port),
                secrets=secrets,
                channels=CHANNELS,
            ),
        )
        ends.callback(line.close)
        made = World(
            line=line,
            cluster=cluster,
            http=http,
            mailbox=mailbox,
            log=log,
            statuses=list(statuses),
        )
        http.answer = made.answer
        for manifest in (*map(_namespace, TARGETS), *cluster_has):
            made.make(manifest)
        yield made


def documents(text: str) -> Iterator[Any]:
    """The YAML documents of a text, but for empty ones."""
    yield from (each for each in yaml.safe_load_all(text) if each is not None)


def under(value: Any, key: str) -> Iterator[Any]:
    """Every value of a key, at any depth."""
    if isinstance(value, dict):
        if key in value:
            yield value[key]
        for each in value.values():
            yield from under(each, key)
    elif isinstance(value, list):
        for each in value:
            yield from under(each, key)


def _values(grants: Iterable[SecretGrant]) -> dict[str, str]:
    return {
        variable: f"https://{grant.name}.example/hook"
        if key == "url"
        else f"the value of {variable}"
        for grant in grants
        for key, variable in grant.env.items()
    }


def _targets(kubeconfig: Path) -> dict[TargetName, TargetConfig]:
    return {
        TargetName(name): TargetConfig(
            name=TargetName(name),
            kind=TargetKind.KUBECONFIG,
            path=str(kubeconfig),
            namespace=name,
        )
        for name in TARGETS
    }


def _namespace(name: str) -> dict[str, Any]:
    return {"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}}


@dataclass(frozen=True)
class _Everywhere:
    """Real requests to any host, each of which is our receiver."""

    outbound: HttpOutbound
    receiver: str

    def send(self, request: HttpRequest) -> HttpResponse:
        url = request.url.reveal() if isinstance(request.url, Secret) else request.url
        parts = urlsplit(url)
        rest = url.removeprefix(f"{parts.scheme}://{parts.netloc}")
        return self.outbound.send(
            replace(
                request,
                url=f"{self.receiver}{rest}",
                headers={**request.headers, "X-Host": parts.netloc},
            )
        )


@dataclass(frozen=True)
class _Postman:
    """Real mail to any server, each of which is ours."""

    mailer: SmtpMailer
    mailbox: Mailbox

    def send(self, mail: Mail, server: MailServer) -> str:
        here = MailServer(host="127.0.0.1", port=self.mailbox.port, tls="none")
        return self.mailer.send(mail, here)


@dataclass(frozen=True)
class _Courier:
    """Real messages by Apprise, of which each service is our receiver."""

    relay: AppriseRelay
    port: int

    def send(
        self, url: Secret, subject: str, text: str, *, check: Callable[[str], None]
    ) -> Verdict:
        parts = urlsplit(url.reveal())
        check(parts.netloc)
        here = f"json://127.0.0.1:{self.port}{parts.path}?+X-Host={parts.netloc}"
        return self.relay.send(Secret(here), subject, text, check=lambda _: None)
