"""The values between a controller and the loop: what it sees and what it wants done."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import Enum

from gitops_wf.sandbox.objects import Manifest

CONTROLLER_MANAGER = "kube-controller-manager"
KUBELET = "kubelet"
SCHEDULER = "kube-scheduler"


class Verb(Enum):
    """How a write reaches the API."""

    CREATE = "create"
    UPDATE = "update"
    DELETE = "delete"


@dataclass(frozen=True, slots=True, kw_only=True)
class Emit:
    """An Event about an object; equal ones are counted on one Event."""

    about: Manifest
    reason: str
    message: str
    component: str
    warning: bool = False
    manager: str = CONTROLLER_MANAGER


@dataclass(frozen=True, slots=True, kw_only=True)
class Write:
    """One request to the API, by resource name as in `deployments.apps`.

    `event` tells of it once it is done; `{name}` in its message is the object's name.
    """

    verb: Verb
    resource: str
    object: Manifest
    manager: str = CONTROLLER_MANAGER
    subresource: str = ""
    grace: int | None = None
    propagation: str = "Background"
    event: Emit | None = None
    exists_ok: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Situation:
    """What a controller sees of one object.

    `owned` are the objects that it controls or may adopt. `since` is when the loop
    first saw this version of the object: stored times have whole seconds only.
    `failure` is the refusal of a create that the last call asked for, `failures` their
    number in a row.
    """

    object: Manifest
    now: datetime
    since: datetime
    owned: tuple[Manifest, ...] = ()
    failure: str = ""
    failures: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """Writes in order, and when to look again without being woken."""

    writes: tuple[Write | Emit, ...] = ()
    due: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Pace:
    """How fast the node works.

    `delay` is the time from a new Pod to Running and Ready, half of it from a delete to
    gone, and the run time of a Pod that completes. With `quiet` the node writes no
    Events and leaves out passing states, like the script behind the transcripts.
    """

    delay: timedelta = timedelta(milliseconds=300)
    quiet: bool = False


NOTHING = Outcome()


def update(
    resource: str, manifest: Manifest, manager: str = CONTROLLER_MANAGER
) -> Write:
    """Replace an object."""
    return Write(verb=Verb.UPDATE, resource=resource, object=manifest, manager=manager)


def update_status(
    resource: str, manifest: Manifest, manager: str = CONTROLLER_MANAGER
) -> Write:
    """Replace the status of an object."""
    return Write(
        verb=Verb.UPDATE,
        resource=resource,
        object=manifest,
        manager=manager,
        subresource="status",
    )


def create(
    resource: str,
    manifest: Manifest,
    event: Emit | None = None,
    *,
    exists_ok: bool = False,
) -> Write:
    """Create an object; with `exists_ok` one of that name may be there already."""
    return Write(
        verb=Verb.CREATE,
        resource=resource,
        object=manifest,
        event=event,
        exists_ok=exists_ok,
    )


def delete(
    resource: str,
    manifest: Manifest,
    *,
    grace: int | None = None,
    manager: str = CONTROLLER_MANAGER,
    propagation: str = "Background",
    event: Emit | None = None,
) -> Write:
    """Delete an object, and its dependents as `propagation` says."""
    return Write(
        verb=Verb.DELETE,
        resource=resource,
        object=manifest,
        manager=manager,
        grace=grace,
        propagation=propagation,
        event=event,
    )
