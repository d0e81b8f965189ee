"""Putting a daemon together."""

import os
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import replace
from functools import partial
from pathlib import Path
from queue import SimpleQueue
from urllib.parse import urlsplit
from uuid import uuid4

from gitops_wf.adapters.address_guard import AddressGuard
from gitops_wf.adapters.cluster_secrets import ClusterSecrets
from gitops_wf.adapters.config_secrets import ConfigSecrets, taken_from
from gitops_wf.adapters.configured_clusters import ConfiguredClusters
from gitops_wf.adapters.dbos_executor import DbosExecutor, Limits
from gitops_wf.adapters.git_cli import (
    PushingRepository,
)
from gitops_wf.adapters.git_cli.folder import CloneFolder, clone_at
from gitops_wf.adapters.git_cli.signature import GitSignatureVerifier
from gitops_wf.adapters.http_outbound import HttpOutbound
from gitops_wf.adapters.kube_api import (
    KubeCluster,
    kubeconfig_access,
)
from gitops_wf.adapters.local_watch import LocalWatch
from gitops_wf.adapters.renderers import Tools
from gitops_wf.adapters.sql_store import open_store, password_of
from gitops_wf.adapters.step_catalogue import EntryPointCatalogue
from gitops_wf.adapters.system_clock import SystemClock
from gitops_wf.bootstrap.cloud import cloud_rules
from gitops_wf.bootstrap.health import health_rules
from gitops_wf.bootstrap.sending import sender
from gitops_wf.bootstrap.serving import Serving
from gitops_wf.bootstrap.targets import (
    SANDBOX_FOLDER,
    open_target,
    sandbox_kubeconfig,
)
from gitops_wf.bootstrap.telling import announcer_for
from gitops_wf.core.commit import Person
from gitops_wf.core.config import (
    AuthConfig,
    DaemonConfig,
    RepositoryConfig,
    TargetConfig,
    TargetKind,
)
from gitops_wf.core.errors import TerminalError, cut
from gitops_wf.core.identifiers import EnvironmentId, RepositoryName, TargetName
from gitops_wf.core.redaction import Redactor
from gitops_wf.core.secret import Secret
from gitops_wf.daemon.chores import Chores, Pacer
from gitops_wf.daemon.clock_watch import ClockWatch
from gitops_wf.daemon.lane import MOST, Lane
from gitops_wf.daemon.polls import Polls
from gitops_wf.daemon.supervisor import Daemon, Ending, Part
from gitops_wf.daemon.ticks import Ticks
from gitops_wf.daemon.workers import Workers
from gitops_wf.definitions.daemon import known_of
from gitops_wf.definitions.reader import DefinitionReader
from gitops_wf.definitions.remembered import RememberedManifests
from gitops_wf.definitions.yaml_text import read_manifests
from gitops_wf.ports.git import BasicAuth, BearerAuth, Credential, Remote, SshAuth
from gitops_wf.ports.observer import Observer
from gitops_wf.ports.runner import Capabilities
from gitops_wf.ports.secrets import SecretRef, Secrets
from gitops_wf.sandbox.private_files import write_private
from gitops_wf.services.advance import Advance
from gitops_wf.services.approvals import Approvals
from gitops_wf.services.attempts import Attempts
from gitops_wf.services.brake import Reminder
from gitops_wf.services.content import RepositoryContent
from gitops_wf.services.decide import Decide
from gitops_wf.services.deliveries import Deliveries
from gitops_wf.services.discover import Discover
from gitops_wf.services.due import Due
from gitops_wf.services.gather import Gather
from gitops_wf.services.heartbeats import Heartbeats
from gitops_wf.services.housekeeping import Housekeeping
from gitops_wf.services.known_revisions import KnownRevisions
from gitops_wf.services.pushing import Pushing
from gitops_wf.services.reaching import Reaching
from gitops_wf.services.recall import Recall
from gitops_wf.services.revert_failed import RevertFailed
from gitops_wf.services.set_back import SetBack
from gitops_wf.services.step_runners import StepRunners
from gitops_wf.services.target_conditions import TargetConditions
from gitops_wf.services.upkeep import Upkeep
from gitops_wf.services.upkeep_rounds import UpkeepRounds
from gitops_wf.services.watched import Watched
from gitops_wf.services.watched_store import Recorder, WatchedStore

DIGEST_KEY_FILE = "digest.key"

LOOKS_AT_ONCE = 4
"""Environments that are compared at once, less those that wait for their targets."""


def make_daemon(config: DaemonConfig, redactor: Redactor | None = None) -> Daemon:
    """Put a daemon together; nothing runs yet but the sandbox, where one is a target.

    ``redactor`` is who masks the process's logs: it learns every secret that is used.
    The variables that hold secrets are taken out of this process's environment.

    Errors: TerminalError where the directory cannot be written to, the store is
    another process's or unusable, or a repository's URL or credential is;
    TransientError where a database is down.
    """
    redactor = redactor or Redactor()
    environ = taken_from(os.environ, config.secrets.values())
    _make_directory(Path(config.directory))
    config = replace(config, targets=with_sandbox(config))
    with ExitStack() as undo:
        daemon = _put_together(config, environ, redactor, undo)
        close = undo.pop_all().close
        daemon.on_close(close)
    return daemon


def _make_directory(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
        why = "" if os.access(path, os.W_OK | os.X_OK) else "it is not ours to write to"
    except OSError as exc:
        why = exc.strerror or str(exc)
    if why:
        raise TerminalError(
            f"directory {path}: {why}; make it writable for the daemon, or name another"
            " as `directory` in the daemon config",
            reason="DirectoryUnusable",
        )


def with_sandbox(config: DaemonConfig) -> dict[TargetName, TargetConfig]:
    """Start the sandbox, if it is a target, and name its kubeconfig instead.

    All sandbox targets are on one cluster, each in its namespace, which is made.
    """
    targets = dict(config.targets)
    ours = [t for t in targets.values() if t.kind is TargetKind.SANDBOX]
    if not ours:
        return targets
    kubeconfig = sandbox_kubeconfig(config)
    for target in ours:
        targets[target.name] = _sandboxed(target, kubeconfig)
    return targets


def _sandboxed(target: TargetConfig, kubeconfig: Path) -> TargetConfig:
    """Make a target's namespace on the sandbox; return the target as any other."""
    KubeCluster(kubeconfig_access(kubeconfig)).apply(
        {
            "apiVersion": "v1",
            "kind": "Namespace",
            "metadata": {"name": target.namespace},
        }
    )
    return replace(target, kind=TargetKind.KUBECONFIG, path=str(kubeconfig))


def _namespace_of_the_sandbox(directory: str, name: TargetName) -> TargetConfig:
    """Make a target that no config names a namespace of the sandbox."""
    kubeconfig = Path(directory) / SANDBOX_FOLDER / "kubeconfig"
    target = TargetConfig(name=name, kind=TargetKind.SANDBOX, namespace=name)
    return _sandboxed(target, kubeconfig)


def _put_together(
    config: DaemonConfig,
    environ: Mapping[str, str],
    redactor: Redactor,
    undo: ExitStack,
) -> Daemon:
    clock = SystemClock()
    heartbeats = Heartbeats(time.monotonic)
    serving = Serving(heartbeats, redactor)
    counters = serving.counters
    redactor.learn(Secret(password_of(config.store)))
    opened = open_store(config.store, observer=counters, redactor=redactor)
    undo.callback(opened.close)
    ending = Ending()
    store = WatchedStore(store=opened, monotonic=time.monotonic, give_up=ending.give_up)
    recorder = Recorder(wait=threading.Event().wait)
    parts: list[Part] = []
    if config.server:
        server = serving.server(config, store)
        undo.callback(server.close)
        parts.append(server)

    def server_of(target: TargetName) -> str:
        return clusters.server_of(target)  # made below, for it tells what came of it

    reaching = Reaching(clock=clock, server_of=server_of)
    clusters = ConfiguredClusters(
        config.targets,
        partial(open_target, redactor=redactor, begun=reaching.begun),
        partial(_namespace_of_the_sandbox, config.directory)
        if config.is_all_sandbox
        else None,
    )
    secrets_ = ConfigSecrets(
        config.secrets.values(),
        environ=environ,
        redactor=redactor,
        objects=ClusterSecrets(clusters),
    )
    catalogue = EntryPointCatalogue()
    cloud = cloud_rules(config)
    definitions = DefinitionReader(catalogue, known_of(config, cloud))
    guard = AddressGuard(config.outbound)
    outbound = HttpOutbound(guard)

    def wake(name: RepositoryName) -> None:
        """Poll where the daemon has pushed: else it would wait for the interval."""
        polls.wake(name)

    watched = {
        repository.name: _watched(
            repository,
            Path(config.directory),
            secrets_,
            counters,
            pushed=partial(wake, repository.name),
        )
        for repository in config.repositories
    }
    for repository in watched.values():
        undo.callback(repository.git.close)
    content = RepositoryContent(watched)
    executor = DbosExecutor(
        opened.engine,
        limits=Limits(
            at_once=config.concurrency.at_once,
            per_target=config.concurrency.per_target,
        ),
    )
    announcer = announcer_for(config, executor=executor)
    approvals = Approvals(rulebook=config.rulebook)
    advance = Advance(
        executor=executor,
        announcer=announcer,
        approvals=approvals,
        reminders=config.reminders,
    )
    decide = Decide(
        advance=advance,
        approvals=approvals,
        announcer=announcer,
        rulebook=config.rulebook,
    )
    runners = StepRunners(
        catalogue=catalogue,
        capabilities=Capabilities(
            clusters=clusters,
            content=content,
            outbound=outbound,
            secrets=secrets_,
            instance=config.instance,
            adopt=config.adopt,
            channels=config.channels,
            manifests=RememberedManifests(read_manifests),
            digest_key=_digest_key(Path(config.directory), redactor),
            health=health_rules(config),
            cloud=cloud,
            renderer=Tools(Path(config.directory) / "render", config.rendering),
            writers=Pushing(watched, definitions.is_environment_folder),
            revisions=KnownRevisions(
                store, frozenset(each.name for each in config.repositories)
            ),
        ),
    )
    attempts = Attempts(
        store=store,
        clock=clock,
        advance=advance,
        approvals=approvals,
        announcer=announcer,
        runners=runners,
        new_token=lambda: uuid4().hex,
        recorder=recorder,
        reaching=reaching,
    )
    deliveries = Deliveries(
        store=store,
        clock=clock,
        executor=executor,
        sender=sender(config, secrets_, guard),
        recorder=recorder,
    )
    recall = Recall(clusters=clusters, instance=config.instance, adopt=config.adopt)
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
                recall=recall,
            ),
            repository.config.interval,
        )
        for repository in watched.values()
    ]
    polls = Polls(
        clock=clock,
        repositories=discoverers,
        observer=counters,
        beat=heartbeats.of("polls"),
    )
    due = Due(store=store, clock=clock, advance=advance)
    local: dict[str, Path] = {
        repository.name: path
        for repository in config.repositories
        if (path := _local_path(repository.url)) is not None
    }
    pacer = Pacer(config.retention.interval)
    housekeeping = Housekeeping(
        retention=config.retention,
        store=store,
        clock=clock,
        executor=executor,
        repositories=tuple(watched.values()),
        clones=CloneFolder(_clones(Path(config.directory))),
        observer=counters,
        rest=pacer.rest,
    )
    parts.append(Chores(pacer, housekeeping.act, housekeeping.interrupt))
    conditions = TargetConditions(
        store=store,
        clock=clock,
        announcer=announcer,
        reaching=reaching,
        targets=clusters.targets,
    )
    parts.append(Ticks(clock=clock, act=conditions.act, beat=heartbeats.of("targets")))
    upkeep = Upkeep(
        store=store,
        clock=clock,
        runners=runners,
        approvals=approvals,
        announcer=announcer,
        recorder=recorder,
        observer=counters,
        reaching=reaching,
        conditions=conditions,
        drift=config.drift,
    )
    turns: SimpleQueue[EnvironmentId | None] = SimpleQueue()
    rounds = UpkeepRounds(
        store=store,
        clock=clock,
        interval=upkeep.interval,
        prepare=upkeep.end_leases,
        look=upkeep.look,
        begin=turns.put,
    )
    workers = Workers(
        turns,
        rounds.carry_out,
        lane=Lane(places=LOOKS_AT_ONCE),
        count=MOST,
        name="upkeep",
    )
    parts.append(workers)
    parts.append(Ticks(clock=clock, act=rounds.act, beat=heartbeats.of("upkeep")))
    gather = Gather(
        store=store,
        clock=clock,
        executor=executor,
        channels=config.channels,
        window=config.window,
    )
    parts.append(Ticks(clock=clock, act=gather.act, beat=heartbeats.of("messages")))
    reminder = Reminder(store=store, clock=clock, announcer=announcer)
    parts.append(Ticks(clock=clock, act=reminder.act, beat=heartbeats.of("reminder")))
    if any(repository.push for repository in config.repositories):
        reverts = RevertFailed(
            store=store,
            clock=clock,
            announcer=announcer,
            writers=Pushing(watched, definitions.is_environment_folder),
        )
        beat = heartbeats.of("reverts")
        parts.append(Ticks(clock=clock, act=reverts.act, beat=beat))
    set_back = SetBack(store=store, clock=clock, executor=executor, advance=advance)
    clock_watch = ClockWatch(
        clock=clock,
        monotonic=time.monotonic,
        mend=set_back.mend,
        begin_anew=polls.begin_anew,
    )
    parts.append(Ticks(clock=clock, act=clock_watch.look, beat=heartbeats.of("clock")))
    if local:
        watch = LocalWatch(local, lambda name: polls.wake(RepositoryName(name)))
        parts.append(watch)
    return Daemon(
        executor=executor,
        polls=polls,
        ticks=Ticks(clock=clock, act=due.act, beat=heartbeats.of("ticks")),
        attempt=counters.in_flight("attempt", attempts.carry_out),
        deliver=counters.in_flight("delivery", deliveries.carry_out),
        parts=parts,
        ending=ending,
    )


def _clones(directory: Path) -> Path:
    return directory / "clones"


def _watched(
    repository: RepositoryConfig,
    directory: Path,
    secrets_: Secrets,
    observer: Observer,
    *,
    pushed: Callable[[], None],
) -> Watched:
    git_dir = clone_at(_clones(directory), repository.name)
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

    def asked(request: str, succeeded: bool) -> None:  # noqa: FBT001 - a callback's
        observer.asked_remote(repository.name, request, succeeded=succeeded)

    git = PushingRepository(
        git_dir,
        remote,
        asked=asked,
        credential=partial(_credential, repository, secrets_),
    )
    push = repository.push
    return Watched(
        config=repository,
        git=git,
        verifier=verifier,
        open_writer=None
        if push is None
        else partial(
            git.writer, Person(name=push.name, email=push.email), pushed=pushed
        ),
    )


def _credential(repository: RepositoryConfig, secrets_: Secrets) -> Credential | None:
    """Resolve a repository's credential; it is bound to where it may be sent."""
    auth = repository.auth
    if auth is None:
        return None
    try:
        value = secrets_.resolve(SecretRef(name=auth.secret), environment=None)
        resolved = _auth(auth, value)
    except TerminalError as error:
        raise TerminalError(
            f"repository {repository.name}: auth: {error}", reason=error.reason
        ) from error
    return Credential(auth=resolved, prefix=auth.prefix or repository.url)


def _auth(auth: AuthConfig, value: Secret) -> BasicAuth | BearerAuth | SshAuth:
    if auth.kind == "basic":
        return BasicAuth(username=auth.username or "git", password=value)
    if auth.kind == "bearer":
        return BearerAuth(token=value)
    if not auth.known_hosts:
        raise TerminalError(
            "ssh needs `knownHosts`, a file with the host's keys (ssh-keyscan HOST, "
            "compared with what its operator publishes)",
            reason="NoKnownHosts",
        )
    try:
        known_hosts = Path(auth.known_hosts).read_text(encoding="utf-8")
    except (OSError, ValueError) as exc:
        raise TerminalError(
            cut(f"knownHosts cannot be read: {exc}"), reason="NoKnownHosts"
        ) from exc
    return SshAuth(private_key=value, known_hosts=known_hosts)


def _local_path(url: str) -> Path | None:
    """Return the directory of a repository on this machine."""
    if url.startswith("/"):
        return Path(url)
    parts = urlsplit(url)
    return Path(parts.path) if parts.scheme == "file" else None


def _digest_key(directory: Path, redactor: Redactor) -> Secret:
    """Return the key of digests of Secret values, made at the first start."""
    path = directory / DIGEST_KEY_FILE
    if not path.exists():
        write_private(path, secrets.token_hex(32).encode("ascii"))
    key = Secret(path.read_text(encoding="ascii"))
    redactor.learn(key)
    return key
