"""What the clusters remember: the inventories of many environments at once."""

from collections.abc import Collection, Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import datetime

from gitops_wf.core.errors import GitOpsError, TerminalError, TransientError
from gitops_wf.core.identifiers import EnvironmentId, TargetName
from gitops_wf.core.inventory import Inventory
from gitops_wf.core.phases import Reason
from gitops_wf.delivery import Writer, check_owner, list_inventories
from gitops_wf.ports.cluster import Cluster, Clusters

_AT_ONCE = 16
"""Targets that are asked at once: one that is away must not hold up the others."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Recalled:
    """What is recorded of an environment.

    ``problems`` say, by target, why what is there is not known.
    """

    inventories: Mapping[TargetName, Inventory] = field(default_factory=dict)
    problems: Mapping[TargetName, str] = field(default_factory=dict)

    @property
    def newest(self) -> Inventory:
        """The inventory of the newest revision; an empty one where there is none."""
        found = self.inventories.values()
        return max(found, key=lambda each: each.number, default=Inventory())


@dataclass(frozen=True, slots=True, kw_only=True)
class Recall:
    """Reads inventories; ``instance`` and ``adopt`` as the daemon writes them."""

    clusters: Clusters
    instance: str
    adopt: bool = False

    def read(
        self, wanted: Mapping[EnvironmentId, Collection[TargetName]]
    ) -> dict[EnvironmentId, Recalled]:
        """Return what is recorded of each environment on its targets.

        A target is asked once for all of them that are delivered there as the same
        identity. Errors: none, they are problems.
        """
        by_target: dict[TargetName, list[EnvironmentId]] = {}
        for environment, targets in wanted.items():
            for target in targets:
                by_target.setdefault(target, []).append(environment)
        if not by_target:
            return dict.fromkeys(wanted, Recalled())
        with ThreadPoolExecutor(min(_AT_ONCE, len(by_target))) as threads:
            answers = dict(
                zip(
                    by_target,
                    threads.map(self._on, by_target, by_target.values()),
                    strict=True,
                )
            )
        return {
            environment: _recalled(
                {target: answers[target][environment] for target in targets}
            )
            for environment, targets in wanted.items()
        }

    def owner_problem(
        self, environment: EnvironmentId, recalled: Recalled, now: datetime
    ) -> str:
        """Say which other live daemon delivers the environment; nothing if none."""
        writer = Writer(instance=self.instance, now=now, adopt=self.adopt)
        for target, inventory in recalled.inventories.items():
            try:
                check_owner(
                    inventory, writer, environment, f"its inventory on {target}"
                )
            except TerminalError as error:
                return str(error)
        return ""

    def _on(
        self, target: TargetName, environments: Collection[EnvironmentId]
    ) -> dict[EnvironmentId, Inventory | str]:
        """Return each one's inventory on a target, or why it is not known."""
        found: dict[EnvironmentId, Inventory | GitOpsError] = {}
        seen: dict[Cluster, list[EnvironmentId]] = {}
        for environment in environments:
            try:
                cluster = self.clusters.cluster(target, environment)
            except GitOpsError as error:
                found[environment] = error
            else:
                seen.setdefault(cluster, []).append(environment)
        away: TransientError | None = None
        for cluster, group in seen.items():
            if away is not None:  # for every identity: it is one server
                found |= dict.fromkeys(group, away)
                continue
            try:
                listed = list_inventories(
                    cluster, self.clusters.namespace(target), group
                )
                found |= {each: listed.get(each, Inventory()) for each in group}
            except TransientError as error:
                away = error
                found |= dict.fromkeys(group, error)
            except GitOpsError as error:
                found |= dict.fromkeys(group, error)
        return {each: _told(target, answer) for each, answer in found.items()}


def _told(target: TargetName, answer: Inventory | GitOpsError) -> Inventory | str:
    if not isinstance(answer, GitOpsError):
        return answer
    if getattr(answer, "reason", "") == Reason.TARGET_NOT_CONFIGURED:
        # Nothing can be there: the step that writes to it will say so.
        return Inventory()
    return f"target {target}: {answer}"


def _recalled(answers: Mapping[TargetName, Inventory | str]) -> Recalled:
    return Recalled(
        inventories={t: a for t, a in answers.items() if isinstance(a, Inventory)},
        problems={t: a for t, a in answers.items() if isinstance(a, str)},
    )
