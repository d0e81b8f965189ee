"""A delivery over a folder of files and a running sandbox, for tests."""

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import yaml

from gitops_wf.adapters.kube_api import KubeCluster, kubeconfig_access
from gitops_wf.bootstrap.cloud import cloud_rules
from gitops_wf.bootstrap.health import health_rules
from gitops_wf.core.cloud import CloudRules
from gitops_wf.core.environment import Environment
from gitops_wf.core.identifiers import (
    EnvironmentId,
    EnvironmentName,
    Sha,
    StepName,
    TargetName,
)
from gitops_wf.core.run import Subject
from gitops_wf.core.secret import Secret
from gitops_wf.definitions.remembered import RememberedManifests
from gitops_wf.definitions.yaml_text import read_manifests
from gitops_wf.delivery import RehearsedClusters
from gitops_wf.ports.cluster import AllowList
from gitops_wf.ports.content import File
from gitops_wf.ports.runner import Capabilities, StepContext

COMMIT = Sha("4f1c2d9e" * 5)
NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)


@dataclass(kw_only=True)
class FolderContent:
    """Files in memory: what a commit would hold."""

    files: dict[str, bytes] = field(default_factory=dict)

    def folder(self, environment: Any, commit: Any, folder: str) -> list[File]:
        return [
            File(path=path, data=data)
            for path, data in sorted(self.files.items())
            if path.startswith(folder + "/")
        ]

    def file(self, environment: Any, commit: Any, path: str) -> File | None:
        data = self.files.get(path)
        return None if data is None else File(path=path, data=data)


@dataclass(kw_only=True)
class OneCluster:
    """A single target."""

    one: Any
    place: str
    allow: AllowList = field(default_factory=AllowList)

    def cluster(self, target: TargetName, environment: Any) -> Any:
        return self.one

    def namespace(self, target: TargetName) -> str:
        return self.place

    def allowed(self, target: TargetName) -> AllowList:
        return self.allow


@dataclass(kw_only=True)
class Places:
    """Several targets, each a namespace of one cluster, or of its own."""

    places: dict[str, tuple[Any, str]]
    allow: dict[str, AllowList] = field(default_factory=dict)

    def cluster(self, target: TargetName, environment: Any) -> Any:
        return self.places[target][0]

    def namespace(self, target: TargetName) -> str:
        return self.places[target][1]

    def allowed(self, target: TargetName) -> AllowList:
        return self.allow.get(target, AllowList())


@dataclass(kw_only=True)
class World:
    """One environment on one namespace of a cluster, run step by step."""

    kubeconfig: Path
    namespace: str
    name: str = "prod"
    instance: str = "one"
    adopt: bool = False
    environment: dict[str, Any] = field(default_factory=dict)
    content: FolderContent = field(default_factory=FolderContent)
    now: datetime = NOW
    number: int = 1
    cloud: CloudRules = field(default_factory=cloud_rules)
    step: str = "deploy"
    secrets: Any = None

    def __post_init__(self) -> None:
        self.cluster = KubeCluster(kubeconfig_access(self.kubeconfig))
        self.clusters = OneCluster(one=self.cluster, place=self.namespace)
        self.runners: dict[str, Any] = {}

    @property
    def capabilities(self) -> Capabilities:
        unused: Any = None
        return Capabilities(
            clusters=self.clusters,
            content=self.content,
            outbound=unused,
            secrets=self.secrets,
            renderer=unused,
            instance=self.instance,
            channels={},
            manifests=RememberedManifests(read_manifests),
            adopt=self.adopt,
            digest_key=Secret("key"),
            health=health_rules(),
            cloud=self.cloud,
        )

    def write(self, *manifests: Any, path: str = "all.yaml") -> None:
        """Commit these manifests, and nothing else."""
        self.content.files.clear()
        self.add(*manifests, path=path)

    def add(self, *manifests: Any, path: str) -> None:
        text = "---\n".join(yaml.safe_dump(each) for each in manifests)
        self.content.files[f"envs/{self.name}/{path}"] = text.encode()

    def runner(self, step_type: Any) -> Any:
        if step_type.name not in self.runners:
            self.runners[step_type.name] = step_type.make(self.capabilities)
        return self.runners[step_type.name]

    def context(
        self, step_type: Any, properties: dict[str, Any], **changes: Any
    ) -> StepContext:
        folder = f"envs/{self.name}"
        targets = (TargetName("here"),)
        fields: dict[str, Any] = {
            "subject": Subject(
                environment=EnvironmentId(f"shop/{self.name}"),
                number=self.number,
                commit=COMMIT,
                inputs=f"inputs-{self.number}",
            ),
            "environment": Environment(
                name=EnvironmentName(self.name),
                folder=folder,
                targets=targets,
                **self.environment,
            ),
            "run": f"shop/{self.name}#{self.number}.1",
            "run_ordinal": 1,
            "step": StepName(self.step),
            "attempt": 1,
            "look": 0,
            "target": targets[0],
            "properties": step_type.properties.model_validate(properties),
            "key": "k",
            "now": self.now,
            "started": self.now,
            "memo": {},
            "deliveries": (),
            "variables": {},
        }
        return StepContext(**{**fields, **changes})

    def attempt(self, step_type: Any, **properties: Any) -> Any:
        context = self.context(step_type, properties)
        return self.runner(step_type).attempt(context)

    def plan(self, step_type: Any, **properties: Any) -> Any:
        """What an attempt would do, as a fresh plan finds it."""
        capabilities = replace(
            self.capabilities, clusters=RehearsedClusters(self.clusters)
        )
        runner = step_type.make(capabilities)
        return runner.plan(self.context(step_type, properties))

    def until_done(
        self, step_type: Any, result: Any, look: int = 1, **properties: Any
    ) -> Any:
        """Look until the step is done, as often as a test can wait."""
        import threading
        import time

        deadline = time.monotonic() + 30
        while str(result.phase) == "Running":
            assert time.monotonic() < deadline, result
            threading.Event().wait(0.1)
            result = self.look(step_type, result, look, **properties)
            look = 1
        return result

    def look(
        self,
        step_type: Any,
        result: Any,
        look: int = 1,
        *,
        started: datetime | None = None,
        **properties: Any,
    ) -> Any:
        """Look once at what an attempt began, at that time or just now."""
        context = self.context(
            step_type,
            properties,
            look=look,
            memo=result.memo,
            started=started or self.now,
        )
        return self.runner(step_type).look(context)

    def get(
        self, version: str, kind: str, name: str, namespace: str | None = None
    ) -> Any:
        resource = self.cluster.resource(version, kind)
        place = self.namespace if namespace is None else namespace
        return self.cluster.get(resource, place if resource.is_namespaced else "", name)

    def later(self, by: timedelta) -> None:
        self.now += by
