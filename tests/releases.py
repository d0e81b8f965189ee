"""A release line for tests: real Git, the real store and services, a test's clock.

Only what would reach a cluster is scripted: a `deploy2env` that does what the commit's
files say, by a file `outcome` in the environment's folder.
"""

import shutil
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from functools import partial
from pathlib import Path
from types import MappingProxyType
from typing import Any

from pydantic import ConfigDict

from gitops_wf.adapters.directory_target import DirectoryCluster
from gitops_wf.adapters.git_cli import PushingRepository
from gitops_wf.adapters.sql_store import open_store
from gitops_wf.core.commit import Person
from gitops_wf.core.config import PushConfig, RepositoryConfig
from gitops_wf.core.decision import Decision
from gitops_wf.core.identifiers import RepositoryName, TargetName, environment_id
from gitops_wf.core.phases import Phase
from gitops_wf.core.policy import Rulebook
from gitops_wf.core.reminding import NEVER, Reminders
from gitops_wf.core.revision import Revision
from gitops_wf.core.run import Run
from gitops_wf.definitions.facts import Known
from gitops_wf.definitions.reader import DefinitionReader
from gitops_wf.delivery import TargetProperties, all_at_once, chosen_targets
from gitops_wf.ports.cluster import AllowList, Cluster
from gitops_wf.ports.executor import AttemptWork, Work
from gitops_wf.ports.git import Remote
from gitops_wf.ports.runner import (
    Capabilities,
    StepCatalogue,
    StepContext,
    StepResult,
    StepType,
)
from gitops_wf.services.advance import Advance
from gitops_wf.services.announce import Announcer
from gitops_wf.services.approvals import Approvals
from gitops_wf.services.attempts import Attempts
from gitops_wf.services.content import RepositoryContent
from gitops_wf.services.decide import Decide
from gitops_wf.services.deliveries import Deliveries, Sender
from gitops_wf.services.discover import Discover
from gitops_wf.services.due import Due
from gitops_wf.services.known_revisions import KnownRevisions
from gitops_wf.services.pushing import Pushing
from gitops_wf.services.reaching import Reaching
from gitops_wf.services.recall import Recall
from gitops_wf.services.step_runners import StepRunners
from gitops_wf.services.target_conditions import TargetConditions
from gitops_wf.services.watched import Watched
from gitops_wf.services.watched_store import Recorder
from gitops_wf.steps.step_group import STEP_TYPE as STEP_GROUP
from gitops_wf.steps.suspend import STEP_TYPE as SUSPEND
from tests.fakes.clock import FakeClock
from tests.fakes.executor import ManualExecutor
from tests.gitworktree import GitWorkTree, bare_repository

REPOSITORY = RepositoryName("shop")
DEPLOYER = Person(name="Deployer", email="deployer@example.com")
"""Who commits for the daemon, where it may."""

APPROVAL_WORKFLOW = """\
apiVersion: gitops-wf.io/v1alpha1
kind: Workflow
steps:
  - {name: staging, type: deploy2env, properties: {target: cluster}}
  - {name: go-live, type: suspend}
  - {name: live, type: deploy2env, properties: {target: cluster}}
"""


def approval(
    revision: str,
    step: str,
    *,
    by: str | None,
    decision: str = "approve",
    comment: str = "",
    run: int | None = None,
) -> str:
    """An approvals file with one entry; ``by`` is a Git identity."""
    fields = [f"revision: '{revision}'", f"decision: {decision}"]
    fields += [f"step: {step}"] if step else []
    fields += [f"by: {by.partition('<')[2].rstrip('>')}"] if by else []
    fields += [f"comment: {comment}"] if comment else []
    fields += [f"run: {run}"] if run is not None else []
    return "approvals:\n  - {" + ", ".join(fields) + "}\n"


class _Properties(TargetProperties):
    model_config = ConfigDict(extra="allow")


@dataclass
class ScriptedDeploy:
    """Deploys by noting it down, and ends as the folder's file ``outcome`` says.

    ``hold`` in that file never gets healthy. Steps named in ``fail`` fail, those in
    ``results`` end so; ``meanwhile`` is called while an attempt is in flight.
    """

    content: RepositoryContent
    done: list[tuple[str, str, str]] = field(default_factory=list)
    reached: list[str] = field(default_factory=list)
    fail: set[str] = field(default_factory=set)
    results: dict[str, StepResult] = field(default_factory=dict)
    meanwhile: Callable[[StepContext], None] = lambda _: None

    def attempt(self, context: StepContext) -> StepResult:
        path = f"{context.environment.folder}/outcome"
        file = self.content.file(
            context.subject.environment, context.subject.commit, path
        )
        outcome = file.data.decode().strip() if file else "ok"
        self.done.append(
            (context.environment.name, context.target or "", context.subject.commit)
        )
        self.reached.append(f"{context.step} on {context.target}")
        self.meanwhile(context)
        if context.step in self.results:
            return self.results[context.step]
        if outcome == "fail" or context.step in self.fail:
            return StepResult(phase=Phase.FAILED, message="the image is broken")
        if outcome == "hold":
            return StepResult(
                phase=Phase.RUNNING,
                message="1 of 3 replicas available",
                retry_after=timedelta(seconds=5),
            )
        return StepResult(phase=Phase.SUCCEEDED, message="deployed")

    def look(self, context: StepContext) -> StepResult:
        return StepResult(
            phase=Phase.RUNNING,
            message="1 of 3 replicas available",
            retry_after=timedelta(seconds=5),
        )


class Folders:
    """Targets that are folders, each of its own."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.opened: dict[str, Cluster] = {}

    def cluster(self, target: str, environment: str) -> Cluster:
        return self.opened.setdefault(target, DirectoryCluster(self.root / target))

    def namespace(self, target: str) -> str:
        return "default"

    def allowed(self, target: str) -> AllowList:
        return AllowList()


class FewStepTypes:
    """A catalogue of what release lines use."""

    def __init__(
        self, deploy: ScriptedDeploy | None = None, more: tuple[StepType, ...] = ()
    ) -> None:
        scripted = [
            StepType(
                name=name,
                properties=_Properties,
                make=lambda _: deploy,
                default_timeout=timedelta(minutes=10),
                targets=chosen_targets,
                at_once=all_at_once,
            )
            for name in ("deploy2env", "run-job")
        ]
        self._types = {t.name: t for t in (*scripted, SUSPEND, STEP_GROUP, *more)}

    def get(self, name: str) -> StepType | None:
        return self._types.get(name)

    def names(self) -> tuple[str, ...]:
        return tuple(sorted(self._types))


def _never(seconds: float) -> None:
    raise AssertionError("the store of these tests is never away")


@dataclass(frozen=True, kw_only=True)
class Beside:
    """Another repository of the same daemon, and a person's work tree of it."""

    work: GitWorkTree
    git: PushingRepository
    watched: Watched

    @classmethod
    def of(cls, path: Path, name: str, targets: tuple[str, ...]) -> "Beside":
        remote = bare_repository(path / f"{name}.git")
        git = PushingRepository(
            path / f"{name}-clone.git", Remote(url=str(remote), branch="main")
        )
        config = RepositoryConfig(
            name=RepositoryName(name),
            url=str(remote),
            environments=("envs/*",),
            targets=tuple(TargetName(each) for each in targets),
        )
        return cls(
            work=GitWorkTree.init(path / name, remote=str(remote)),
            git=git,
            watched=Watched(config=config, git=git),
        )

    def commit(self, files: Mapping[str, str | bytes | None]) -> str:
        """Commit and push; return the commit's id."""
        sha = self.work.commit(files, "Change")
        self.work.push()
        return sha


class ReleaseLine:
    """A repository, a daemon without its loops, and a person's work tree."""

    def __init__(
        self,
        path: Path,
        *,
        rulebook: Rulebook | None = None,
        verifier: Any = None,
        environments: tuple[str, ...] = ("envs/*",),
        implicit: bool = False,
        targets: tuple[str, ...] = ("cluster",),
        catalogue: StepCatalogue | None = None,
        more_steps: tuple[StepType, ...] = (),
        known: Known | None = None,
        capabilities: Mapping[str, Any] = MappingProxyType({}),
        remote: Callable[[Path], Remote] | None = None,
        sender: Sender | None = None,
        push: PushConfig | None = None,
        reminders: Reminders = NEVER,
        beside: tuple[str, ...] = (),
    ) -> None:
        self.remote = bare_repository(path / "remote.git")
        self.work = GitWorkTree.init(path / "work", remote=str(self.remote))
        self.clock = FakeClock()
        self.store_file = path / "store.db"
        self.store = open_store(self.store_file)
        self.executor = ManualExecutor(self.clock)
        self.beside = {
            RepositoryName(name): Beside.of(path, name, targets) for name in beside
        }
        where = remote or (lambda bare: Remote(url=str(bare), branch="main"))
        self._watch(
            path / "clone.git",
            where(self.remote),
            environments=environments,
            implicit=implicit,
            targets=tuple(TargetName(name) for name in targets),
            verifier=verifier,
            push=push,
        )
        self.deploy = ScriptedDeploy(self.content)
        self.catalogue = catalogue or FewStepTypes(self.deploy, more_steps)
        self.known = known
        self.capabilities = capabilities
        self.sender = sender
        self.clusters = capabilities.get("clusters") or Folders(path / "targets")
        self._tokens = iter(f"token-{n}" for n in range(10**6))
        self.rulebook = rulebook or Rulebook()
        self.reminders = reminders
        self.reaching = Reaching(clock=self.clock)
        self.restart()

    def _watch(
        self, clone: Path, remote: Remote, *, verifier: Any = None, **config: Any
    ) -> None:
        self.git = PushingRepository(clone, remote)
        self.watched = Watched(
            config=RepositoryConfig(name=REPOSITORY, url=remote.url, **config),
            git=self.git,
            verifier=verifier,
            open_writer=partial(self.git.writer, DEPLOYER, pushed=lambda: None),
        )
        others = {name: each.watched for name, each in self.beside.items()}
        self.content = RepositoryContent({REPOSITORY: self.watched, **others})

    def restart(
        self,
        *,
        rulebook: Rulebook | None = None,
        targets: tuple[str, ...] | None = None,
        instance: str = "test",
        adopt: bool = False,
    ) -> None:
        """Begin anew on the same store and clone, with another daemon config."""
        self.rulebook = rulebook = self.rulebook if rulebook is None else rulebook
        if targets is not None:
            names = tuple(TargetName(name) for name in targets)
            config = replace(self.watched.config, targets=names)
            self.watched = replace(self.watched, config=config)
        announcer = self.announcer = Announcer(executor=self.executor, channels={})
        approvals = Approvals(rulebook=rulebook)
        advance = Advance(
            executor=self.executor,
            announcer=announcer,
            approvals=approvals,
            reminders=self.reminders,
        )
        decide = Decide(
            advance=advance,
            approvals=approvals,
            announcer=announcer,
            rulebook=rulebook,
        )
        self.approvals = approvals
        definitions = DefinitionReader(self.catalogue, self.known)
        self.writers = Pushing(
            {REPOSITORY: self.watched}, definitions.is_environment_folder
        )
        self.runners = StepRunners(
            catalogue=self.catalogue,
            capabilities=Capabilities(
                content=self.content,
                instance=instance,
                adopt=adopt,
                **{
                    "revisions": KnownRevisions(self.store, {REPOSITORY, *self.beside}),
                    "clusters": self.clusters,
                    "renderer": None,
                    "outbound": None,
                    "secrets": None,
                    "channels": {},
                    "writers": self.writers,
                    **self.capabilities,
                },
            ),
        )
        self.attempts = Attempts(
            store=self.store,
            clock=self.clock,
            advance=advance,
            approvals=approvals,
            announcer=announcer,
            runners=self.runners,
            new_token=self._tokens.__next__,
            recorder=Recorder(wait=_never),
            reaching=self.reaching,
        )
        self.discover, *self.discover_beside = (
            Discover(
                watched=watched,
                store=self.store,
                clock=self.clock,
                definitions=definitions,
                decide=decide,
                advance=advance,
                announcer=announcer,
                recall=Recall(clusters=self.clusters, instance=instance, adopt=adopt),
            )
            for watched in (
                self.watched,
                *(each.watched for each in self.beside.values()),
            )
        )
        self.target_conditions = TargetConditions(
            store=self.store,
            clock=self.clock,
            announcer=announcer,
            reaching=self.reaching,
            targets=lambda: self.watched.config.targets,
        )
        self.due = Due(store=self.store, clock=self.clock, advance=advance)
        self.executor.start(self._carry_out)

    def _carry_out(self, work: Work) -> None:
        if isinstance(work, AttemptWork):
            self.attempts.carry_out(work)
            return
        assert self.sender is not None, "this release line tells nobody"
        Deliveries(
            store=self.store,
            clock=self.clock,
            executor=self.executor,
            sender=self.sender,
            recorder=Recorder(wait=_never),
        ).carry_out(work)

    def lose_store(self, backup: Path | None = None, **more: Any) -> None:
        """Begin anew without the store, or with an old one; its queue is in it."""
        self.store.close()
        for file in self.store_file.parent.glob(f"{self.store_file.name}*"):
            file.unlink()
        if backup is not None:
            shutil.copy(backup, self.store_file)
        self.store = open_store(self.store_file)
        self.executor = ManualExecutor(self.clock)
        self.restart(**more)

    def back_up(self, to: Path) -> Path:
        """Copy the store as it is now."""
        self.store.close()
        shutil.copy(self.store_file, to)
        self.store = open_store(self.store_file)
        self.restart()
        return to

    def close(self) -> None:
        """Let go of the clone and the store."""
        for git in (self.git, *(each.git for each in self.beside.values())):
            git.close()
        self.store.close()

    def commit(
        self, files: Mapping[str, str | bytes | None], message: str = "Change", **more
    ) -> str:
        """Commit and push; return the commit's id."""
        sha = self.work.commit(files, message, **more)
        self.work.push()
        return sha

    def poll(self) -> None:
        """Let the daemon see what was pushed, without carrying anything out."""
        for discover in (self.discover, *self.discover_beside):
            discover.poll()

    def settle(self) -> None:
        """Poll, and carry out all that is due now."""
        self.poll()
        self.work_off()

    def work_off(self) -> None:
        """Carry out all that is due now."""
        self.executor.run_due()
        self.due.act()
        self.executor.run_due()

    def wait(self, span: timedelta) -> None:
        """Let time pass and all that is due by then be carried out, in order."""
        end = self.clock.now() + span
        while True:
            with self.store.read() as reader:
                moments = [reader.next_due(), self.executor.next_due()]
            due = min((m for m in moments if m is not None and m <= end), default=None)
            if due is None:
                break
            self.clock.pass_time(max(due - self.clock.now(), timedelta()))
            self.work_off()
        self.clock.pass_time(end - self.clock.now())
        self.work_off()

    def revisions(self, environment: str) -> list[Revision]:
        """All revisions of an environment, oldest first."""
        with self.store.read() as reader:
            found = reader.revisions(environment_id(REPOSITORY, environment))
        return list(reversed(found))

    def phases(self, environment: str) -> list[str]:
        """Phase (and reason) of each revision, oldest first."""
        return [
            f"{r.phase}/{r.reason}" if r.reason else r.phase.value
            for r in self.revisions(environment)
        ]

    def run(self, environment: str, number: int | None = None) -> Run:
        """The newest run (of a revision)."""
        with self.store.read() as reader:
            found = reader.runs(environment_id(REPOSITORY, environment), number=number)
        return found[0]

    def decisions(self, environment: str) -> list[Decision]:
        """All decisions, oldest first."""
        with self.store.read() as reader:
            found = reader.decisions(environment_id(REPOSITORY, environment))
        return list(reversed(found))

    def conditions(self, environment: str) -> Mapping[str, str]:
        """What is wrong with an environment."""
        with self.store.read() as reader:
            record = reader.environment(environment_id(REPOSITORY, environment))
        return record.conditions

    def repository(self):
        """The repository's record."""
        with self.store.read() as reader:
            return reader.repository(REPOSITORY)

    def record(self, environment: str):
        """The environment's record."""
        with self.store.read() as reader:
            return reader.environment(environment_id(REPOSITORY, environment))

    def events(self):
        """All events, oldest first."""
        with self.store.read() as reader:
            return reader.events()
