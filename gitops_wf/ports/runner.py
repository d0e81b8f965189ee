"""Step types and their runners: look, act idempotently, return; never wait."""

import time
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any, Protocol, TypeVar, runtime_checkable

from pydantic import BaseModel

from gitops_wf.core.changeset import ChangeSet
from gitops_wf.core.cloud import NO_CLOUD_RULES, CloudRules
from gitops_wf.core.environment import Environment
from gitops_wf.core.health import NO_RULES, HealthRules
from gitops_wf.core.identifiers import EnvironmentName, StepName, TargetName
from gitops_wf.core.inventory import Inventory, ObjectRef
from gitops_wf.core.message import Delivery, Message
from gitops_wf.core.phases import Phase
from gitops_wf.core.planned import Planned
from gitops_wf.core.run import Remind, StepObject, Subject
from gitops_wf.core.secret import Secret
from gitops_wf.core.upkeep.findings import Findings
from gitops_wf.core.upkeep.ignoring import IgnoreRule
from gitops_wf.ports.cluster import Clusters
from gitops_wf.ports.content import Content
from gitops_wf.ports.git_writer import DaemonWriters
from gitops_wf.ports.manifests import ManifestReader, reads_no_manifests
from gitops_wf.ports.outbound import Outbound
from gitops_wf.ports.renderer import Renderer
from gitops_wf.ports.revisions import NoRevisions, Revisions
from gitops_wf.ports.secrets import Secrets


@dataclass(frozen=True, slots=True, kw_only=True)
class StepResult:
    """What an attempt or a look found.

    ``phase`` is Running (look again after ``retry_after``), Suspended (until a
    decision, or for ``retry_after`` where given), Succeeded, Failed (the answer is
    no) or Errored (could not find out). ``is_final`` bars a retry that cannot
    cure. ``outputs`` are plain JSON, what the step's ``outputs`` expressions see.
    ``memo`` is given back at the next look. ``messages`` go through the outbox,
    written with this result. ``inventory`` is what the environment owns on the
    step's target now, kept for display, and so are ``objects``: the most telling of
    those that it delivered. ``digest`` is of all that it delivers: an approval that
    comes after it may pin it. ``remind`` is when a wait for a decision is told again,
    None as the daemon config has it. A runner may also raise TransientError (as
    Errored, tried again) or TerminalError (as Failed, final).
    """

    phase: Phase
    message: str = ""
    reason: str = ""
    outputs: Mapping[str, Any] = field(default_factory=dict)
    retry_after: timedelta | None = None
    is_final: bool = False
    memo: Mapping[str, Any] = field(default_factory=dict)
    messages: tuple[Message, ...] = ()
    inventory: Inventory | None = None
    objects: tuple[StepObject, ...] = ()
    digest: str = ""
    remind: Remind | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class StepContext:
    """What a runner is told.

    ``properties`` is the validated model, expressions and inputs filled in.
    ``key`` is the same for every attempt of this step in this run: the idempotency
    key of its effects.
    ``started`` is when the step's first attempt began. ``deliveries`` are the
    outbox rows of this step's messages. ``variables`` is what an expression sees.
    ``run_ordinal`` tells a retry's run from the first. ``step_files`` are the paths
    from the repository's root that steps use themselves (StepType.files) and that are
    therefore never delivered. ``to_hub`` are the names of cloud resources that each
    step of the run brings to the hub (StepType.to_hub), and no other step elsewhere.
    """

    subject: Subject
    environment: Environment
    run: str
    run_ordinal: int
    step: StepName
    attempt: int
    look: int
    target: TargetName | None
    properties: BaseModel
    key: str
    now: datetime
    started: datetime
    memo: Mapping[str, Any]
    deliveries: tuple[Delivery, ...]
    variables: Mapping[str, Any]
    step_files: tuple[str, ...] = ()
    to_hub: tuple[tuple[str, ...], ...] = ()


class StepRunner(Protocol):
    """Carries out one step type. It never sleeps and keeps nothing between calls."""

    def attempt(self, context: StepContext) -> StepResult:
        """Act, idempotently."""

    def look(self, context: StepContext) -> StepResult:
        """See how what the attempt started is doing, and go on with it when it can.

        Where it writes, it does so idempotently: a look may be made twice.
        """


class ObjectKeeper(StepRunner, Protocol):
    """The runner of a step type that owns objects: it keeps them after the release.

    ``context`` is that of the step's last attempt in the run that released the
    revision; ``rules`` say what may differ from Git.
    """

    def compare(
        self, context: StepContext, rules: tuple[IgnoreRule, ...], *, max_age: timedelta
    ) -> Findings:
        """Return what is not as it was released, and how the objects are; only reads.

        ``max_age`` is how old the answer may be. Errors: TransientError where it
        cannot be found out now, TerminalError where it is not ours to judge.
        """

    def heal(
        self,
        context: StepContext,
        rules: tuple[IgnoreRule, ...],
        refs: Collection[ObjectRef],
    ) -> ChangeSet:
        """Apply these objects again as they were released; errors as `attempt`."""


@runtime_checkable
class StepPlanner(Protocol):
    """A runner that can say beforehand what an attempt would do.

    Such a one is made with clusters on which every write is a dry run; whatever else
    it does outside, it leaves, and says in `Planned.effects`.
    """

    def plan(self, context: StepContext) -> Planned:
        """Return it; raises what `attempt` would raise or end with.

        No value of a secret stands in it, and none is needed for it.
        """


@runtime_checkable
class StepClaimer(StepPlanner, Protocol):
    """A planner whose attempt claims objects for its environment before all else.

    Runs of one commit go side by side, so a plan lets each claim before any goes on.
    """

    def plan_claim(self, context: StepContext) -> frozenset[ObjectRef]:
        """Claim them, and return them; raises what `attempt` would raise."""


T = TypeVar("T")

NO_KEY = Secret("")
"""The key of a program that computes no digests of Secret values."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Capabilities:
    """What the daemon offers to step types; each takes what it needs.

    ``instance`` is the daemon's name, as inventories carry it; ``adopt`` lets it
    take over what another instance owns. ``channels`` are the notification
    channels of the daemon config by name. ``digest_key`` keys the digests of
    Secret values. ``health`` are the rules for custom kinds, ``cloud`` those of
    cloud resources. ``renderer`` builds kustomizations. ``monotonic`` counts the
    seconds by which what was just read from a cluster is young enough for the next who
    asks. ``writers`` commit to watched repositories; None where a program never does.
    ``revisions`` says what other environments have come to.
    """

    clusters: Clusters
    content: Content
    outbound: Outbound
    secrets: Secrets
    renderer: Renderer
    instance: str
    channels: Mapping[str, Mapping[str, Any]]
    manifests: ManifestReader = reads_no_manifests
    adopt: bool = False
    digest_key: Secret = NO_KEY
    health: HealthRules = NO_RULES
    cloud: CloudRules = NO_CLOUD_RULES
    monotonic: Callable[[], float] = time.monotonic
    writers: DaemonWriters | None = None
    revisions: Revisions = field(default_factory=NoRevisions)
    _shared: dict[Callable[["Capabilities"], Any], Any] = field(
        default_factory=dict, init=False, repr=False, compare=False
    )

    def shared(self, make: Callable[["Capabilities"], T]) -> T:
        """Return what ``make`` makes of them: once, for all step types that ask."""
        if make not in self._shared:
            self._shared[make] = make(self)
        made: T = self._shared[make]
        return made


def writes_nowhere(
    _properties: BaseModel, _environment: Environment
) -> tuple[TargetName, ...]:
    """Return no target: for step types that write to none."""
    return ()


def reads_nowhere(
    _properties: BaseModel, _environment: Environment
) -> tuple[TargetName, ...]:
    """Return no target: for step types that only read where they write, if at all."""
    return ()


def one_by_one(_properties: BaseModel) -> bool:
    """Return that several targets come one after the other."""
    return False


def uses_no_files(_properties: BaseModel, _environment: Environment) -> tuple[str, ...]:
    """Return no path: for step types that use no files of the environment."""
    return ()


def brings_nothing(_properties: BaseModel) -> tuple[str, ...] | None:
    """Return None: for step types that bring no cloud resources to the hub."""
    return None


def takes_no_time(_properties: BaseModel) -> timedelta:
    """Return no time: for step types that take as long as their work does."""
    return timedelta()


def waits_for_no_environment(_properties: BaseModel) -> tuple[EnvironmentName, ...]:
    """Return no environment: for step types that mind their own."""
    return ()


@dataclass(frozen=True, slots=True, kw_only=True)
class StepType:
    """A kind of step: its properties, its runner and what the engine must know.

    ``targets`` says which targets a step writes to, with gates and queues in mind;
    more than one makes a sub-step run for each, in order unless ``at_once`` says
    otherwise. ``any_target`` says that these need not be targets of the environment.
    ``reads`` says from which target a step reads that it does not write to: no gate
    holds it, but the environment must be let use it. ``output_roots`` are the names
    that the step's ``outputs`` expressions may start from.
    ``takes`` is the time that a step needs by its properties alone: its default timeout
    comes on top of that, and one of its own must be longer. ``environments`` are those
    of its repository that it waits for.
    ``files`` says which files, from the repository's root, a step uses. ``to_hub`` says
    which cloud resources it brings to the hub, by name; an empty tuple is all of them,
    None is no such step.
    ``owns_objects`` says that what it applies stands in the target's inventory under
    the step's name, and that its runner is an ObjectKeeper. ``only_tells`` says that
    it changes nothing: a release whose last delivery was completed counts as done
    without it. ``is_added`` marks what only the daemon adds: no file may name it.
    """

    name: str
    properties: type[BaseModel]
    make: Callable[[Capabilities], StepRunner]
    default_timeout: timedelta
    aliases: tuple[str, ...] = ()
    targets: Callable[[BaseModel, Environment], tuple[TargetName, ...]] = writes_nowhere
    any_target: bool = False
    at_once: Callable[[BaseModel], bool] = one_by_one
    reads: Callable[[BaseModel, Environment], tuple[TargetName, ...]] = reads_nowhere
    files: Callable[[BaseModel, Environment], tuple[str, ...]] = uses_no_files
    to_hub: Callable[[BaseModel], tuple[str, ...] | None] = brings_nothing
    takes: Callable[[BaseModel], timedelta] = takes_no_time
    environments: Callable[[BaseModel], tuple[EnvironmentName, ...]] = (
        waits_for_no_environment
    )
    output_roots: tuple[str, ...] = ()
    owns_objects: bool = False
    only_tells: bool = False
    is_added: bool = False
    summary: str = ""


class StepCatalogue(Protocol):
    """The step types that are installed."""

    def get(self, name: str) -> StepType | None:
        """Return a type by its name or an alias."""

    def names(self) -> tuple[str, ...]:
        """Return the names, sorted; neither aliases nor what no file may name."""
