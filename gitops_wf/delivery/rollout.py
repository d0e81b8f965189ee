"""Applying a render: stage after stage, the objects of one stage at once."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from datetime import timedelta
from functools import partial

from gitops_wf.core.changeset import Change, ChangeEntry, ChangeSet
from gitops_wf.core.errors import GitOpsError, TerminalError, TransientError
from gitops_wf.core.health import Health, health_of
from gitops_wf.core.identifiers import EnvironmentId, TargetName
from gitops_wf.core.inventory import Manifest, ObjectRef
from gitops_wf.core.phases import Reason
from gitops_wf.delivery.applying import Applier
from gitops_wf.delivery.claims import Claims
from gitops_wf.delivery.names import ENVIRONMENT_LABEL, label_value
from gitops_wf.delivery.ordering import DEFINITIONS, stage
from gitops_wf.delivery.rendering import Desired
from gitops_wf.delivery.snapshot import Snapshots
from gitops_wf.ports.cluster import Cluster, ClusterUnavailableError, UnknownKindError

SHARED_AGE = timedelta(seconds=5)
"""How old the list may be that tells of another environment's claim."""

SHOWN_ERRORS = 3
CRD_WITHIN = 20.0
_PAUSE = 0.2
_NOTHING = f"{ENVIRONMENT_LABEL}=none"
"""A selector of nothing: the label of an environment has more than one word. That a
kind can be listed is all that is asked."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Rollout:
    """Applies one environment's objects to one target.

    ``told`` hears what became of each, also where the whole then fails.
    """

    cluster: Cluster
    target: TargetName
    environment: EnvironmentId
    claims: Claims
    applier: Applier
    snapshots: Snapshots
    threads: ThreadPoolExecutor
    told: Callable[[ObjectRef, ChangeEntry | GitOpsError], None]

    def apply(self, ordered: Sequence[Sequence[Desired]]) -> list[ChangeEntry]:
        """Apply stage after stage; return what happened to each object.

        Errors: those of a stage's objects together, once all of it was tried.
        """
        changes: list[ChangeEntry] = []
        for group in ordered:
            live = self._live(group)
            errors: list[GitOpsError] = []
            begun = self._begun(group, live)
            for item, change in begun:
                if isinstance(change, ChangeEntry):
                    changes.append(change)
                    self.told(item.ref, change)
                    continue
                try:
                    done = change.result()
                except (TerminalError, TransientError) as exc:
                    errors.append(exc)
                    self.told(item.ref, exc)
                else:
                    changes.append(done)
                    self.told(item.ref, done)
                self.snapshots.written(
                    self.target, item.ref.group, item.ref.kind, item.ref.namespace
                )
            if errors:
                raise _together(errors, ChangeSet(entries=tuple(changes)))
            if stage(group[0].ref.kind) == DEFINITIONS:
                self._await_definitions(
                    item
                    for item, change in begun
                    if _may_be_unserved(change, live.get(item.ref))
                )
        return changes

    def _begun(
        self, group: Sequence[Desired], live: Mapping[ObjectRef, Manifest]
    ) -> list[tuple[Desired, ChangeEntry | Future[ChangeEntry]]]:
        """Let the threads apply what needs a request, and only that."""
        begun: list[tuple[Desired, ChangeEntry | Future[ChangeEntry]]] = []
        for item in group:
            there = live.get(item.ref)
            change = self.applier.settled(item, there)
            begun.append(
                (item, change or self.threads.submit(self.applier.apply, item, there))
            )
        return begun

    def _live(self, group: Iterable[Desired]) -> dict[ObjectRef, Manifest]:
        """Return the live objects of a stage, by one LIST per kind and namespace.

        Errors: ObjectClaimedError where another environment has one of them.
        """
        kinds: dict[tuple[str, str, str], list[Desired]] = defaultdict(list)
        for item in group:
            kinds[item.api_version, item.ref.kind, item.ref.namespace].append(item)
        mine = label_value(self.environment)
        live: dict[ObjectRef, Manifest] = {}
        for (api_version, kind, namespace), items in kinds.items():
            resource = self.cluster.resource(api_version, kind)
            wanted = {item.ref for item in items}
            listed = partial(
                self.snapshots.list, self.target, self.cluster, resource, namespace
            )
            own = listed(selector=f"{ENVIRONMENT_LABEL}={mine}", max_age=timedelta())
            found = {ObjectRef.of(manifest): manifest for manifest in own}
            live |= {ref: found[ref] for ref in wanted & found.keys()}
            # Only what we do not have yet can be another's. What this list has of ours
            # beside that is older, and may be gone.
            if wanted - found.keys():
                for manifest in listed(selector=ENVIRONMENT_LABEL, max_age=SHARED_AGE):
                    ref = ObjectRef.of(manifest)
                    label = manifest["metadata"]["labels"][ENVIRONMENT_LABEL]
                    if ref in wanted and label != mine:
                        self.claims.check(ref, label)
                        live[ref] = manifest
        return live

    def _await_definitions(self, written: Iterable[Desired]) -> None:
        """Wait until new kinds are served: the next stage may need them."""
        for item in written:
            if item.ref.kind != "CustomResourceDefinition" or not (
                self.cluster.has_status
            ):
                continue
            for _ in range(int(CRD_WITHIN / _PAUSE)):
                if self._is_served(item):
                    break
                self.applier.pause(_PAUSE)
            else:
                raise TransientError(f"{item.ref}: not Established yet")

    def _is_served(self, definition: Desired) -> bool:
        """Whether objects of a new kind can be listed.

        Established is not enough: until its storage is made, a LIST is answered 429,
        and discovery may come to know of it a moment later.
        """
        resource = self.cluster.resource(definition.api_version, definition.ref.kind)
        live = self.cluster.get(resource, "", definition.ref.name)
        status = health_of(live)
        if status.health is Health.FAILED:
            raise TerminalError(
                f"{definition.ref}: {status.message}",
                reason=Reason.HEALTH_CHECK_FAILED,
            )
        if live is None or status.health is not Health.CURRENT:
            return False
        spec = live["spec"]
        served = [v["name"] for v in spec["versions"] if v["served"]]
        try:
            for version in served[:1]:
                kind = self.cluster.resource(
                    f"{spec['group']}/{version}", spec["names"]["kind"]
                )
                self.cluster.list(kind, label_selector=_NOTHING)
        except (ClusterUnavailableError, UnknownKindError):
            return False
        return True


def _may_be_unserved(
    change: ChangeEntry | Future[ChangeEntry], live: Manifest | None
) -> bool:
    """Whether a definition was written now, or by an attempt that did not wait."""
    if isinstance(change, Future):
        return True
    is_kept = change.change is Change.UNCHANGED
    return is_kept and health_of(live).health is not Health.CURRENT


def _together(errors: Sequence[GitOpsError], done: ChangeSet) -> GitOpsError:
    """Return several objects' errors as one: final where one of them is."""
    texts = [str(error) for error in errors[:SHOWN_ERRORS]]
    if len(errors) > SHOWN_ERRORS:
        texts.append(f"and {len(errors) - SHOWN_ERRORS} more")
    message = "; ".join(texts)
    if done.entries:
        message += f" (applied before: {done})"
    first = next((e for e in errors if isinstance(e, TerminalError)), None)
    if first is not None:
        return TerminalError(message, reason=first.reason)
    waits = [
        error.retry_after
        for error in errors
        if isinstance(error, TransientError) and error.retry_after is not None
    ]
    return TransientError(message, retry_after=max(waits, default=None))
