"""Wiring: the only place that names implementations of the ports."""

import os
import secrets
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from urllib.parse import urlsplit
from uuid import uuid4

from gitops_wf.adapters.address_guard import AddressGuard
from gitops_wf.adapters.config_secrets import ConfigSecrets
from gitops_wf.adapters.configured_clusters import ConfiguredClusters
from gitops_wf.adapters.dbos_executor import DbosExecutor
from gitops_wf.adapters.directory_target import DirectoryCluster
from gitops_wf.adapters.git_cli import (
    GitCliRepository,
    GitCliWriter,
    current_branch,
    find_work_tree,
)
from gitops_wf.adapters.git_cli.signature import GitSignatureVerifier
from gitops_wf.adapters.http_outbound import HttpOutbound
from gitops_wf.adapters.kube_api import (
    KubeCluster,
    in_cluster_access,
    kubeconfig_access,
)
from gitops_wf.adapters.local_watch import LocalWatch
from gitops_wf.adapters.smtp_mailer import SmtpMailer
from gitops_wf.adapters.sql_store import ReadingStore, open_for_reading, open_store
from gitops_wf.adapters.step_catalogue import EntryPointCatalogue
from gitops_wf.adapters.system_clock import SystemClock
from gitops_wf.core.addresses import AddressPolicy
from gitops_wf.core.config import (
    AuthConfig,
    DaemonConfig,
    RepositoryConfig,
    TargetConfig,
    TargetKind,
)
from gitops_wf.core.errors import DefinitionError, TerminalError, cut
from gitops_wf.core.identifiers import RepositoryName, TargetName
from gitops_wf.core.secret import Secret
from gitops_wf.daemon.polls import Polls
from gitops_wf.daemon.supervisor import Daemon
from gitops_wf.daemon.ticks import Ticks
from gitops_wf.definitions.daemon import known_of, read_daemon_config
from gitops_wf.definitions.reader import DefinitionReader
from gitops_wf.definitions.yaml_text import read_manifests
from gitops_wf.ports.clock import Clock
from gitops_wf.ports.cluster import Cluster
from gitops_wf.ports.git import BasicAuth, BearerAuth, Credential, Remote, SshAuth
from gitops_wf.ports.git_writer import GitWriter
from gitops_wf.ports.runner import Capabilities, StepCatalogue
from gitops_wf.ports.secrets import SecretRef, Secrets
from gitops_wf.sandbox import process as sandbox_process
from gitops_wf.services.advance import Advance
from gitops_wf.services.announce import Announcer
from gitops_wf.services.approvals import Approvals
from gitops_wf.services.attempts import Attempts
from gitops_wf.services.content import RepositoryContent
from gitops_wf.services.decide import Decide
from gitops_wf.services.deliver import ChannelSender
from gitops_wf.services.deliveries import Deliveries
from gitops_wf.services.discover import Discover
from gitops_wf.services.due import Due
from gitops_wf.services.watched import Watched

DIGEST_KEY_FILE = "digest.key"
STORE_FILE = "gitops-wf.db"
SANDBOX_FOLDER = "sandbox"
SANDBOX_TARGET = TargetName("sandbox")


def load_config(path: Path) -> DaemonConfig:
    """Read a daemon config.

    Errors: DefinitionErrors, all problems of the file in one ExceptionGroup.
    """
    absolute = path.expanduser().absolute()
    try:
        data = absolute.read_bytes()
    except OSError as error:
        problem = cut(f"cannot be read: {error}")
        raise DefinitionError(str(path), None, problem) from error
    config = read_daemon_config(data, str(absolute), home=str(Path.home()))
    if isinstance(config, tuple):
        raise ExceptionGroup("the daemon config is not valid", list(config))
    return config


def sandbox_config(
    repository: Path, directory: Path, *, branch: str = "main"
) -> DaemonConfig:
    """Return the config of ``run --sandbox --repo PATH``: no file needed.

    ``directory`` keeps the store, the clone and the sandbox. Every environment
    delivers to the sandbox, each into a namespace that its manifests name.
    """
    name = RepositoryName(
        repository.resolve().name.removesuffix(".git") or "repository"
    )
    return DaemonConfig(
        path="",
        directory=str(directory),
        store=str(directory / STORE_FILE),
        instance="sandbox",
        repositories=(
            RepositoryConfig(
                name=name,
                url=str(repository.resolve()),
                branch=branch,
                targets=(SANDBOX_TARGET,),
            ),
        ),
        targets={
            SANDBOX_TARGET: TargetConfig(
                name=SANDBOX_TARGET,
                kind=TargetKind.SANDBOX,
            )
        },
    )


def open_query(config: DaemonConfig) -> ReadingStore:
    """Open the daemon's store to look at it; see `open_for_reading`."""
    return open_for_reading(config.store)


def machine_clock() -> Clock:
    """Return the machine's clock."""
    return SystemClock()


def branch_of(repository: Path) -> str | None:
    """Return the branch that HEAD of a repository on this machine names."""
    return current_branch(repository)


@dataclass(frozen=True, slots=True, kw_only=True)
class WritingPlace:
    """A writer, in whose ``work_tree`` it commits: None is a passing clone.

    ``remote`` is the watched repository there; none where the work tree is itself
    what is watched.
    """

    writer: GitWriter
    work_tree: Path | None
    remote: str | None


@contextmanager
def open_writer(repository: RepositoryConfig, here: Path) -> Iterator[WritingPlace]:
    """Open a person's work tree of a repository, else a passing clone of it."""
    tree = find_work_tree(here, repository.url)
    if tree is None:
        writer = GitCliWriter.in_passing_clone(repository.url, repository.branch)
        with writer:
            yield WritingPlace(writer=writer, work_tree=None, remote="origin")
        return
    writer = GitCliWriter.in_work_tree(
        tree.path, repository.branch, tree.remote or "origin"
    )
    with writer:
        yield WritingPlace(writer=writer, work_tree=tree.path, remote=tree.remote)


def definition_reader(config: DaemonConfig | None) -> DefinitionReader:
    """Return the reader of environments' files, with what the config allows.

    Without a config, names of targets, channels and secrets are not checked.
    """
    known = known_of(config) if config is not None else None
    return DefinitionReader(EntryPointCatalogue(), known)


def step_catalogue() -> StepCatalogue:
    """Return the step types that are installed."""
    return EntryPointCatalogue()


def channel_sender(config: DaemonConfig) -> ChannelSender:
    """Return what sends messages to the channels of a config."""
    guard = AddressGuard(AddressPolicy())
    return ChannelSender(
        outbound=HttpOutbound(guard),
        mailer=SmtpMailer(guard),
        secrets=ConfigSecrets(config.secrets.values()),
        channels=config.channels,
    )


def make_daemon(config: DaemonConfig) -> Daemon:
    """Put a daemon together; nothing runs yet but the sandbox, where one is a target.

    Errors: TerminalError where the store is another process's or unusable, or a
    repository's URL or credential is; TransientError where a database is down.
    """
    Path(config.directory).mkdir(parents=True, exist_ok=True)
    config = replace(config, targets=with_sandbox(config))
    with ExitStack() as undo:
        daemon = _put_together(config, undo)
        close = undo.pop_all().close
        daemon.on_close(close)
    return daemon


def with_sandbox(config: DaemonConfig) -> dict[TargetName, TargetConfig]:
    """Start the sandbox, if it is a target, and name its kubeconfig instead.

    All sandbox targets are on one cluster, each in its namespace, which is made.
    """
    targets = dict(config.targets)
    ours = [t for t in targets.values() if t.kind is TargetKind.SANDBOX]
    if not ours:
        return targets
    try:
        sandbox = sandbox_process.start(Path(config.directory) / SANDBOX_FOLDER)
    except sandbox_process.SandboxError as error:
        raise TerminalError(f"sandbox: {error}", reason="SandboxFailed") from error
    cluster = KubeCluster(kubeconfig_access(sandbox.kubeconfig))
    for target in ours:
        cluster.apply(
            {
                "apiVersion": "v1",
                "kind": "Namespace",
                "metadata": {"name": target.namespace},
            }
        )
        targets[target.name] = replace(
            target, kind=TargetKind.KUBECONFIG, path=str(sandbox.kubeconfig)
        )
    return targets


def _put_together(config: DaemonConfig, undo: ExitStack) -> Daemon:
    clock = SystemClock()
    store = open_store(config.store)
    undo.callback(store.close)
    secrets_ = ConfigSecrets(config.secrets.values())
    catalogue = EntryPointCatalogue()
    definitions = DefinitionReader(catalogue, known_of(config))
    guard = AddressGuard(AddressPolicy())
    outbound = HttpOutbound(guard)
    watched = {
        repository.name: _watched(repository, Path(config.directory), secrets_)
        for repository in config.repositories
    }
    for repository in watched.values():
        undo.callback(repository.git.close)
    content = RepositoryContent(watched)
    executor = DbosExecutor(store.engine)
    announcer = Announcer(
        executor=executor, channels=config.channels, subscriptions=config.notify
    )
    approvals = Approvals(rulebook=config.rulebook)
    advance = Advance(executor=executor, announcer=announcer, approvals=approvals)
    decide = Decide(
        advance=advance,
        approvals=approvals,
        announcer=announcer,
        rulebook=config.rulebook,
    )
    attempts = Attempts(
        store=store,
        clock=clock,
        advance=advance,
        approvals=approvals,
        announcer=announcer,
        catalogue=catalogue,
        capabilities=Capabilities(
            clusters=ConfiguredClusters(config.targets, open_target),
            content=content,
            outbound=outbound,
            secrets=secrets_,
            instance=config.instance,
            channels=config.channels,
            manifests=read_manifests,
            digest_key=_digest_key(Path(config.directory)),
        ),
        new_token=lambda: uuid4().hex,
    )
    deliveries = Deliveries(
        store=store,
        clock=clock,
        executor=executor,
        sender=ChannelSender(
            outbound=outbound,
            mailer=SmtpMailer(guard),
            secrets=secrets_,
            channels=config.channels,
        ),
    )
    discoverers = [
        (
            Discover(
                watched=repository,
                store=store,
                clock=clock,
                definitions=definitions,
                decide=decide,
                advance=advance,
                announcer=announcer,
            ),
            repository.config.interval,
        )
        for repository in watched.values()
    ]
    polls = Polls(clock=clock, repositories=discoverers)
    due = Due(store=store, clock=clock, advance=advance)
    local: dict[str, Path] = {
        repository.name: path
        for repository in config.repositories
        if (path := _local_path(repository.url)) is not None
    }
    return Daemon(
        executor=executor,
        polls=polls,
        ticks=Ticks(clock=clock, act=due.act),
        attempt=attempts.carry_out,
        deliver=deliveries.carry_out,
        parts=(
            [LocalWatch(local, lambda name: polls.wake(RepositoryName(name)))]
            if local
            else []
        ),
    )


def open_target(target: TargetConfig) -> Cluster:
    """Open the cluster, or the folder, that a target names."""
    path = Path(target.path).expanduser()
    match target.kind:
        case TargetKind.KUBECONFIG | TargetKind.SANDBOX:
            return KubeCluster(kubeconfig_access(path, target.context or None))
        case TargetKind.IN_CLUSTER:
            return KubeCluster(in_cluster_access())
        case TargetKind.DIRECTORY:
            return DirectoryCluster(path)


def _watched(
    repository: RepositoryConfig, directory: Path, secrets_: Secrets
) -> Watched:
    git_dir = directory / "clones" / f"{repository.name}.git"
    remote = Remote(
        url=repository.url,
        branch=repository.branch,
        credential=_credential(repository, secrets_),
        allow_http=repository.allow_http,
    )
    verifier = (
        GitSignatureVerifier(git_dir, Path(repository.allowed_signers))
        if repository.allowed_signers
        else None
    )
    return Watched(
        config=repository, git=GitCliRepository(git_dir, remote), verifier=verifier
    )


def _credential(repository: RepositoryConfig, secrets_: Secrets) -> Credential | None:
    """Resolve a repository's credential; it is bound to where it may be sent."""
    auth = repository.auth
    if auth is None:
        return None
    value = secrets_.resolve(SecretRef(name=auth.secret), environment=None)
    prefix = auth.prefix or repository.url
    return Credential(auth=_auth(auth, value), prefix=prefix)


def _auth(auth: AuthConfig, value: Secret) -> BasicAuth | BearerAuth | SshAuth:
    if auth.kind == "basic":
        return BasicAuth(username=auth.username or "git", password=value)
    if auth.kind == "bearer":
        return BearerAuth(token=value)
    known_hosts = Path(auth.known_hosts).read_text(encoding="utf-8")
    return SshAuth(private_key=value, known_hosts=known_hosts)


def _local_path(url: str) -> Path | None:
    """Return the directory of a repository on this machine."""
    if url.startswith("/"):
        return Path(url)
    parts = urlsplit(url)
    return Path(parts.path) if parts.scheme == "file" else None


def _digest_key(directory: Path) -> Secret:
    """Return the key of digests of Secret values, made at the first start."""
    path = directory / DIGEST_KEY_FILE
    if not path.exists():
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(32))
    return Secret(path.read_text(encoding="ascii"))
