"""Reading the daemon config."""

from posixpath import dirname, isabs, join, normpath

from gitops_wf.core.cloud import CloudRules
from gitops_wf.core.concurrency import Concurrency
from gitops_wf.core.config import (
    AuthConfig,
    DaemonConfig,
    PushConfig,
    RepositoryConfig,
    TargetConfig,
)
from gitops_wf.core.environment import DRIFT
from gitops_wf.core.grants import KubernetesSource, SecretGrant
from gitops_wf.core.identifiers import RepositoryName, TargetName
from gitops_wf.core.policy import Freeze, Gate, OnRollback, PolicyRule, Rulebook
from gitops_wf.core.reminding import Reminders
from gitops_wf.core.render_limits import RenderLimits
from gitops_wf.core.retention import Retention
from gitops_wf.definitions.daemon_file import DaemonFile, PolicyRulePart
from gitops_wf.definitions.documents import empty_file, single_map
from gitops_wf.definitions.facts import Known
from gitops_wf.definitions.problems import Outcome, errors, line_at, plain
from gitops_wf.definitions.repositories_file import AuthPart, RepositoryPart
from gitops_wf.definitions.rules import broken_daemon_rules
from gitops_wf.definitions.shape import shaped
from gitops_wf.definitions.yaml_text import YamlMap


def read_daemon_config(
    data: bytes, path: str, *, home: str = ""
) -> Outcome[DaemonConfig]:
    """Read the daemon config.

    `path` is absolute: relative paths in the file begin at its folder. `home` stands
    for `~/`.
    """
    document, problems = single_map(data, path)
    if document is None:
        mend = "write `repositories` and `targets`"
        return errors(problems or [empty_file(path, mend)])
    file, problems = shaped(DaemonFile, document, path)
    if file is None:
        return errors(problems)
    problems = list(broken_daemon_rules(file, document, path))
    if problems:
        return errors(problems)
    return _Paths(dirname(path), home).config(file, document, path)


def known_of(config: DaemonConfig, cloud: CloudRules) -> Known:
    """What environments may name; ``cloud`` are the rules that hold."""
    return Known(
        repositories=frozenset(each.name for each in config.repositories),
        targets=None if config.is_all_sandbox else frozenset(config.targets),
        channels=frozenset(config.channels),
        secrets=config.secrets,
        groups=config.groups,
        hub=config.hub,
        cloud=cloud,
        values={name: target.substitute for name, target in config.targets.items()},
        push={
            repository.name: repository.push
            for repository in config.repositories
            if repository.push is not None
        },
    )


class _Paths:
    """Makes core values, with absolute paths."""

    def __init__(self, folder: str, home: str) -> None:
        self._folder = folder
        self._home = home

    def config(self, file: DaemonFile, document: YamlMap, path: str) -> DaemonConfig:
        raw = plain(document)
        directory = self._absolute(file.directory)
        notifications = raw.get("notifications")
        channels = (
            notifications.get("channels") if isinstance(notifications, dict) else None
        )
        return DaemonConfig(
            path=path,
            directory=directory,
            store=self._store(file.store, directory),
            instance=file.instance,
            adopt=file.adopt,
            repositories=tuple(
                self._repository(name, part) for name, part in file.repositories.items()
            ),
            targets={
                TargetName(name): TargetConfig(
                    name=TargetName(name),
                    kind=part.kind,
                    path=self._absolute(part.kubeconfig or part.directory or ""),
                    context=part.context,
                    namespace=part.namespace,
                    namespaces=part.namespaces,
                    kinds=part.kinds,
                    substitute=part.substitute,
                    impersonate=tuple(
                        one.to_core(part.namespace) for one in part.impersonate
                    ),
                )
                for name, part in file.targets.items()
            },
            rulebook=_rulebook(file),
            secrets={
                name: SecretGrant(
                    name=name,
                    env=part.env or {},
                    file=self._absolute(part.file or ""),
                    kubernetes=None
                    if part.kubernetes is None
                    else KubernetesSource(
                        target=TargetName(part.kubernetes.target),
                        name=part.kubernetes.name,
                        namespace=part.kubernetes.namespace or "",
                    ),
                    environments=part.environments,
                    hosts=part.hosts,
                    targets=part.targets,
                )
                for name, part in file.secrets.items()
            },
            channels=channels or {},
            notify=tuple(part.to_core() for part in file.notifications.notify),
            window=file.notifications.window,
            reminders=Reminders(**dict(file.notifications.reminders)),
            hub=None if file.hub is None else TargetName(file.hub),
            server=file.server or "",
            groups=file.groups,
            retention=Retention(**dict(file.retention)),
            rendering=RenderLimits(**dict(file.renderers)),
            outbound=file.outbound.to_core(),
            concurrency=Concurrency(**dict(file.concurrency)),
            drift=file.drift.to_core().over(DRIFT),
            cloud_rules=tuple(
                rule
                for number, cloud in enumerate(file.cloud_resources.rules)
                for rule in cloud.to_core(
                    f"{path}:{line_at(document, ('cloudResources', 'rules', number))}"
                )
            ),
            health_rules=tuple(
                rule
                for number, part in enumerate(file.health.rules)
                for rule in part.to_core(
                    f"{path}:{line_at(document, ('health', 'rules', number))}"
                )
            ),
        )

    def _repository(self, name: str, part: RepositoryPart) -> RepositoryConfig:
        url = part.url
        is_path = "://" not in url and not (
            ":" in url and "/" not in url.split(":", maxsplit=1)[0]
        )
        return RepositoryConfig(
            name=RepositoryName(name),
            url=self._absolute(url) if is_path else url,
            branch=part.branch,
            interval=part.interval,
            environments=part.environments,
            implicit=part.implicit,
            targets=tuple(map(TargetName, part.targets)),
            auth=None if part.auth is None else self._auth(part.auth),
            allowed_signers=self._absolute(
                "" if part.verify is None else part.verify.allowed_signers
            ),
            allow_http=part.allow_http,
            push=None if part.push is None else PushConfig(**dict(part.push)),
            commit_url=part.commit_url,
        )

    def _auth(self, part: AuthPart) -> AuthConfig:
        return AuthConfig(
            kind=part.type,
            username=part.username,
            secret=part.secret_ref.name,
            known_hosts=self._absolute(part.known_hosts),
            prefix=part.prefix,
        )

    def _store(self, store: str | None, directory: str) -> str:
        if store is None:
            return f"sqlite:///{join(directory, 'gitops-wf.db')}"
        if "://" in store:
            return store
        return f"sqlite:///{self._absolute(store)}"

    def _absolute(self, path: str) -> str:
        """A path of the file; empty stays empty."""
        if not path:
            return ""
        if path.startswith("~/") and self._home:
            return normpath(join(self._home, path[2:]))
        return normpath(path if isabs(path) else join(self._folder, path))


def _rulebook(file: DaemonFile) -> Rulebook:
    return Rulebook(
        rules=tuple(
            PolicyRule(
                environments=part.environments,
                policy=part.to_core(file.groups),
                targets=part.targets,
                freeze=_freeze(part, file),
            )
            for part in file.policies
        ),
        gates={
            TargetName(name): Gate(
                target=TargetName(name),
                policy=part.gate.to_core(file.groups),
                rollback=OnRollback(part.gate.rollback),
            )
            for name, part in file.targets.items()
            if part.gate is not None
        },
    )


def _freeze(part: PolicyRulePart, file: DaemonFile) -> Freeze | None:
    if not part.freeze:
        return None
    override = part.freeze_override
    return Freeze(
        name=",".join(part.environments),
        windows=tuple(window.to_core() for window in part.freeze),
        holds_rollbacks=part.rollbacks == "held",
        override=override.to_core(file.groups) if override is not None else None,
    )
