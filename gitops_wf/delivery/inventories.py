"""The inventory as a ConfigMap on the target: the truth about what is ours there."""

import json
import threading
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from gitops_wf.core.errors import TerminalError, cut
from gitops_wf.core.identifiers import EnvironmentId
from gitops_wf.core.inventory import Inventory, InventoryEntry, Manifest, ObjectRef
from gitops_wf.core.phases import Reason
from gitops_wf.delivery.names import (
    ENVIRONMENT_LABEL,
    inventory_name,
    inventory_of,
    label_value,
)
from gitops_wf.delivery.rendering import Desired
from gitops_wf.ports.cluster import CONFIG_MAP, Cluster, ResourceConflictError

CLAIM_LIFETIME = timedelta(days=1)
"""How long the instance that wrote last is taken for alive. A daemon that was
silent for longer is taken over; should it come back, it is the one that stops."""

_TRIES = 10
"""Writers of one inventory are steps of one run: few, and done in milliseconds."""

_MANAGED_BY = {"app.kubernetes.io/managed-by": "gitops-wf"}
_OURS = ",".join(f"{key}={value}" for key, value in _MANAGED_BY.items())

_SINGLY = 4
"""So few are asked for one by one: a shared namespace may hold those of thousands."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Writer:
    """Who writes inventories: an instance of the daemon, and when."""

    instance: str
    now: datetime
    adopt: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class InventoryStore:
    """Reads and writes one environment's inventory on one target."""

    cluster: Cluster
    namespace: str
    environment: EnvironmentId
    lock: threading.Lock = field(default_factory=threading.Lock)
    """Held while writing: steps of one process then need not try again."""

    @property
    def place(self) -> str:
        """Return where the inventory stands, as messages name it."""
        name = inventory_name(self.environment)
        return f"ConfigMap/{self.namespace}/{name}"

    def read(self) -> Inventory:
        """Return the inventory; an empty one where there is none yet."""
        return self._load()[0]

    def update(
        self, writer: Writer, change: Callable[[Inventory], Inventory]
    ) -> Inventory:
        """Write what `change` makes of the newest inventory; it may be called again.

        Nothing is written where nothing changed. Errors: TerminalError
        (OwnedByAnother) where another live instance owns it.
        """
        with self.lock:
            return self._update(writer, change)

    def _update(
        self, writer: Writer, change: Callable[[Inventory], Inventory]
    ) -> Inventory:
        conflict: ResourceConflictError | None = None
        for _ in range(_TRIES):
            old, manifest = self._load()
            check_owner(old, writer, self.environment, self.place)
            new = change(old)
            if manifest is not None and _same(new, old, writer):
                return old
            body = encode(new, self.environment, writer)
            try:
                if manifest is None:
                    self.cluster.create(self._manifest(body, None))
                else:
                    self.cluster.replace(self._manifest(body, manifest))
            except ResourceConflictError as exc:
                conflict = exc
                continue
            return decode(body, self.environment, self.place)
        raise conflict or ResourceConflictError(f"{self.place}: not written")

    def _load(self) -> tuple[Inventory, Manifest | None]:
        manifest = self.cluster.get(
            CONFIG_MAP, self.namespace, inventory_name(self.environment)
        )
        if manifest is None:
            return Inventory(), None
        return decode(
            manifest.get("data") or {}, self.environment, self.place
        ), manifest

    def _manifest(self, data: dict[str, str], old: Manifest | None) -> Manifest:
        metadata: dict[str, Any] = {
            "name": inventory_name(self.environment),
            "namespace": self.namespace,
            "labels": {
                ENVIRONMENT_LABEL: label_value(self.environment),
                **_MANAGED_BY,
            },
        }
        if old is not None:
            metadata["resourceVersion"] = old["metadata"]["resourceVersion"]
        return {
            "apiVersion": "v1",
            "kind": "ConfigMap",
            "metadata": metadata,
            "data": data,
        }


def list_inventories(
    cluster: Cluster, namespace: str, environments: Collection[EnvironmentId]
) -> dict[EnvironmentId, Inventory | TerminalError]:
    """Return the inventories of these environments in a namespace, by one LIST.

    One that cannot be read stands there as its error. Errors: those of the cluster.
    """
    if len(environments) <= _SINGLY:
        found: dict[EnvironmentId, Inventory | TerminalError] = {}
        for environment in environments:
            manifest = cluster.get(CONFIG_MAP, namespace, inventory_name(environment))
            if manifest is not None:
                found[environment] = _read(manifest, namespace, environment)
        return found
    by_name = {inventory_name(environment): environment for environment in environments}
    return {
        by_name[name]: _read(manifest, namespace, by_name[name])
        for manifest in cluster.list(CONFIG_MAP, namespace, _OURS)
        if (name := str((manifest.get("metadata") or {}).get("name"))) in by_name
    }


def inventory_of_label(
    cluster: Cluster, namespace: str, label: str
) -> tuple[EnvironmentId, Inventory] | None:
    """Return whose label that is, and its inventory; None where there is none here.

    Nor where it cannot be read: then nobody knows what it names.
    """
    manifest = cluster.get(CONFIG_MAP, namespace, inventory_of(label))
    return None if manifest is None else _named(manifest, namespace)


def all_inventories(
    cluster: Cluster, namespace: str
) -> list[tuple[EnvironmentId, Inventory]]:
    """Return every readable inventory of a namespace, by one LIST."""
    listed = cluster.list(CONFIG_MAP, namespace, _OURS)
    found = (_named(manifest, namespace) for manifest in listed)
    return [each for each in found if each is not None]


def _named(
    manifest: Manifest, namespace: str
) -> tuple[EnvironmentId, Inventory] | None:
    environment = EnvironmentId(str((manifest.get("data") or {}).get("environment")))
    inventory = _read(manifest, namespace, environment)
    return None if isinstance(inventory, TerminalError) else (environment, inventory)


def _read(
    manifest: Manifest, namespace: str, environment: EnvironmentId
) -> Inventory | TerminalError:
    place = f"ConfigMap/{namespace}/{inventory_name(environment)}"
    try:
        return decode(manifest.get("data") or {}, environment, place)
    except TerminalError as error:
        return error


def check_owner(
    inventory: Inventory, writer: Writer, environment: EnvironmentId, place: str
) -> None:
    """Refuse to write over another instance that is alive."""
    owner = inventory.instance
    if not owner or owner == writer.instance or writer.adopt:
        return
    written = inventory.written
    if written is not None and writer.now - written > CLAIM_LIFETIME:
        return
    raise TerminalError(
        f"environment {environment} is delivered by another daemon: instance "
        f"{cut(owner)} wrote {place} at {written:%Y-%m-%d %H:%M:%S %Z}; stop one of "
        "them, or let this one take over with `adopt: true` in its config (also where "
        "only its `instance` was renamed)"
        if written
        else f"environment {environment} is delivered by instance {cut(owner)}",
        reason=Reason.OWNED_BY_ANOTHER,
    )


def check_number(
    inventory: Inventory, number: int, environment: EnvironmentId, place: str
) -> None:
    """Refuse to deliver an older revision over a newer one.

    Numbers only grow, rollbacks included; one that is behind comes from a store that
    was restored from a backup.
    """
    if number < inventory.number:
        raise TerminalError(
            f"#{number} of environment {environment} is older than what is delivered: "
            f"{place} is of #{inventory.number} ({inventory.commit[:8]}); the daemon's "
            "store is behind, as after the restore of a backup: restart the daemon, "
            "and it catches up",
            reason=Reason.STORE_BEHIND,
        )


def encode(
    inventory: Inventory, environment: EnvironmentId, writer: Writer
) -> dict[str, str]:
    """Return the data of the ConfigMap; objects stand one to a line, by step."""
    by_step: dict[str, list[str]] = defaultdict(list)
    for entry in sorted(inventory.entries, key=lambda entry: entry.ref):
        by_step[entry.step].append(_line(entry))
    return {
        "environment": str(environment),
        "instance": writer.instance,
        "written": writer.now.isoformat(),
        "number": str(inventory.number),
        "commit": inventory.commit,
        "completed": json.dumps(dict(inventory.completed), sort_keys=True),
        "objects": json.dumps(by_step, indent=1, sort_keys=True),
    }


def decode(data: Any, environment: EnvironmentId, place: str) -> Inventory:
    """Return the inventory that the data of a ConfigMap holds.

    Errors: TerminalError, since to guess would orphan or delete objects.
    """
    owner = data.get("environment")
    if owner != environment:
        raise TerminalError(
            f"{place} is of environment {cut(str(owner))}, not {environment}: rename "
            "one of them",
            reason=Reason.OWNED_BY_ANOTHER,
        )
    try:
        return Inventory(
            entries=merged(
                (),
                (
                    _entry(line, step)
                    for step, lines in json.loads(data["objects"]).items()
                    for line in lines
                ),
            ),
            instance=data["instance"],
            written=datetime.fromisoformat(data["written"]),
            number=int(data["number"]),
            commit=data["commit"],
            completed=json.loads(data["completed"]),
        )
    except (KeyError, ValueError, TypeError, AttributeError) as exc:
        raise TerminalError(
            f"{place} cannot be read as an inventory: {cut(repr(exc), 80)}; restore "
            "it, or delete it to start anew (objects that left Git then stay)",
            reason="InventoryUnreadable",
        ) from exc


def entry_of(item: Desired, step: str) -> InventoryEntry:
    """Return how an object that a step applies stands in the inventory."""
    version = item.api_version.rpartition("/")[2]
    return InventoryEntry(ref=item.ref, version=version, step=step)


def merged(
    old: Iterable[InventoryEntry], new: Iterable[InventoryEntry]
) -> tuple[InventoryEntry, ...]:
    """Return the union of both; where both have an object, as new has it."""
    entries = {entry.ref: entry for entry in old}
    entries.update((entry.ref, entry) for entry in new)
    return tuple(sorted(entries.values(), key=lambda entry: entry.ref))


def _same(new: Inventory, old: Inventory, writer: Writer) -> bool:
    """Whether a write would say nothing new; a stale claim is renewed."""
    if old.written is None or writer.now - old.written > CLAIM_LIFETIME / 4:
        return False
    return new == old and old.instance == writer.instance


def _line(entry: InventoryEntry) -> str:
    ref = entry.ref
    api_version = f"{ref.group}/{entry.version}" if ref.group else entry.version
    return f"{api_version} {ref.kind} {ref.namespace}/{ref.name}"


def _entry(line: str, step: str) -> InventoryEntry:
    api_version, kind, place = line.split(" ")
    group, _, version = api_version.rpartition("/")
    namespace, slash, name = place.partition("/")
    if not (slash and name):
        raise ValueError(line)
    ref = ObjectRef(group=group, kind=kind, namespace=namespace, name=name)
    return InventoryEntry(ref=ref, version=version, step=step)
