"""The loop that runs the controllers: one thread, woken by changes and due times.

All state is in the objects. The loop's own memory (index, queue, times) is built from
the storage when it starts, so a sandbox that was killed goes on where it was.
"""

from __future__ import annotations

import logging
import threading
from collections import deque
from dataclasses import dataclass
from datetime import datetime, timedelta

from gitops_wf.sandbox.api import ObjectApi
from gitops_wf.sandbox.controllers import (
    defaults,
    endpoints,
    job,
    namespace,
    quota,
)
from gitops_wf.sandbox.controllers.execution import Execution, Refusal
from gitops_wf.sandbox.controllers.garbage import collect
from gitops_wf.sandbox.controllers.index import Index, Key, Seen, key_of
from gitops_wf.sandbox.controllers.kubelet import NODE
from gitops_wf.sandbox.controllers.queue import WorkQueue
from gitops_wf.sandbox.controllers.reading import controller_of, owner_references
from gitops_wf.sandbox.controllers.registry import Controller, controllers, overseers
from gitops_wf.sandbox.controllers.work import (
    CONTROLLER_MANAGER,
    KUBELET,
    NOTHING,
    SCHEDULER,
    Outcome,
    Pace,
    Situation,
)
from gitops_wf.sandbox.objects import (
    Manifest,
    is_deleting,
    name_of,
    namespace_of,
    uid_of,
)
from gitops_wf.sandbox.resources import Resource
from gitops_wf.sandbox.statuses import ApiError

_LOG = logging.getLogger(__name__)
_LONGEST_RETRY = timedelta(seconds=60)
_SOON = timedelta(milliseconds=10)
# One wait of the thread; longer ones would overflow on some platforms.
_LONGEST_WAIT = 3600.0


@dataclass(frozen=True, slots=True)
class _Task:
    """One controller's look at one object."""

    controller: str
    key: Key


@dataclass(frozen=True, slots=True)
class _Change:
    type: str
    resource: str
    object: Manifest
    old: Manifest | None


class ControllerLoop:
    """Runs all controllers of a sandbox on one thread, between `start` and `stop`."""

    def __init__(
        self, api: ObjectApi, *, pace: Pace | None = None, ca: str = ""
    ) -> None:
        self._api = api
        self._ca = ca
        self._index = Index()
        self._execution = Execution(api, self._index)
        self._queue = WorkQueue[_Task]()
        self._controllers = {one.resource: one for one in controllers(pace or Pace())}
        self._overseers = overseers(pace or Pace())
        self._makers: dict[str, list[Controller]] = {}
        for one in self._controllers.values():
            for owned in one.owned:
                self._makers.setdefault(owned, []).append(one)
        self._changes: deque[_Change] = deque()
        self._wake = threading.Condition()
        self._idle = threading.Event()
        self._stopping = False
        self._failures: dict[_Task, int] = {}
        self._thread = threading.Thread(
            target=self._run, name="sandbox-controllers", daemon=True
        )
        self._unsubscribe = self._nothing

    def start(self) -> None:
        """Begin, on a thread of its own."""
        self.begin()
        self._thread.start()

    def begin(self) -> None:
        """Make what a fresh cluster holds, and take up what is stored."""
        self._unsubscribe = self._api.subscribe(self._note)
        with self._api.storage.lock:
            table = self._api.resources
            for collection in dict.fromkeys(one.collection for one in table):
                # Several resources may be views of one collection, as with Events.
                resource = table.of_collection(collection)
                name = resource.qualified if resource else collection
                for manifest in self._api.storage.list(collection):
                    self._changes.append(_Change("ADDED", name, manifest, None))
        self._furnish()

    def stop(self) -> None:
        """End after the write that is under way."""
        self._unsubscribe()
        with self._wake:
            self._stopping = True
            self._wake.notify()
        if self._thread.ident is not None:
            self._thread.join()

    @staticmethod
    def _nothing() -> None:
        return None

    def _furnish(self) -> None:
        storage, named = self._api.storage, self._api.resources.named
        for name in defaults.NAMESPACES:
            if storage.get("namespaces", "", name) is None:
                made = defaults.namespace(name)
                self._api.create(named("namespaces"), made, manager=CONTROLLER_MANAGER)
        for made in defaults.bootstrap():
            resource = self._api.resources.by_kind(made["apiVersion"], made["kind"])
            assert resource is not None
            if storage.get(resource.collection, "", name_of(made)) is None:
                self._api.create(resource, made, manager="kube-apiserver")
        node = defaults.node(self._api.now())
        if storage.get("nodes", "", NODE) is None:
            self._api.create(named("nodes"), node, manager=SCHEDULER)
            self._api.update(
                named("nodes"), node, manager=KUBELET, subresource="status"
            )

    def _note(
        self, change: str, resource: Resource, manifest: Manifest, old: Manifest | None
    ) -> None:
        # Called under the storage's lock by whoever writes: only take it down.
        self._changes.append(_Change(change, resource.qualified, manifest, old))
        if threading.get_ident() != self._thread.ident:
            with self._wake:
                self._idle.clear()
                self._wake.notify()

    def wait_idle(self, timeout: float) -> bool:
        """Wait until everything that was written so far has been looked at."""
        return self._idle.wait(timeout)

    def run_pending(self) -> datetime | None:
        """Do all that is to be done now; returns when there is more, by itself."""
        while not self._stopping:
            self._take_changes()
            task = self._queue.pop(self._api.now())
            if task is None:
                break
            self._work(task)
        return self._queue.next_due()

    def _run(self) -> None:
        while not self._stopping:
            due = self.run_pending()
            wait = _LONGEST_WAIT
            if due is not None:
                left = (due - self._api.now()).total_seconds()
                wait = min(max(left, 0.001), _LONGEST_WAIT)
            with self._wake:
                if not self._changes and not self._stopping:
                    self._idle.set()
                    self._wake.wait(wait)
                    self._idle.clear()

    def _take_changes(self) -> None:
        now = self._api.now()
        while self._changes:
            change = self._changes.popleft()
            key = key_of(change.resource, change.object)
            if change.type == "DELETED":
                self._index.drop(key)
                if change.resource == "events":
                    self._execution.forget(change.object)
            else:
                self._index.put(change.resource, change.object, now)
                if change.resource == "events":
                    self._execution.remember(change.object)
            self._wake_up(change, key)

    def _wake_up(self, change: _Change, key: Key) -> None:
        """Queue whoever has to look because of a change."""
        manifest = change.object
        gone = change.type == "DELETED"
        if not gone:
            if key.resource in self._controllers:
                self._queue.add(_Task(key.resource, key))
            if owner_references(manifest) or is_deleting(manifest):
                self._queue.add(_Task("garbage", key))
            if key.resource == "pods":
                self._queue.add(_Task("tracking", key))
            if key.resource == "namespaces":
                self._queue.add(_Task("namespace", key))
        for overseer in self._overseers:
            for concerned in overseer.wakes(key, manifest, self._index):
                self._queue.add(_Task(overseer.name, concerned))
        if key.namespace:
            for counted in self._index.of_resource("resourcequotas", key.namespace):
                self._queue.add(_Task("quota", counted.key))
        self._wake_services(change, key)
        for state in (manifest, change.old):
            if state is not None:
                self._wake_owners(key, state)
        if (gone or is_deleting(manifest)) and uid_of(manifest):
            for one in self._index.dependents(uid_of(manifest)):
                self._queue.add(_Task("garbage", one.key))
                self._queue.add(_Task("tracking", one.key))
        if key.namespace:
            space = Key("namespaces", "", key.namespace)
            found = self._index.get(space)
            missed = gone and _is_furniture(key)
            if found and (is_deleting(found.object) or missed):
                self._queue.add(_Task("namespace", space))

    def _wake_services(self, change: _Change, key: Key) -> None:
        if key.resource == "pods":
            for service in self._index.of_resource("services", key.namespace):
                if any(
                    endpoints.selects(service.object, pod)
                    for pod in (change.object, change.old)
                    if pod is not None
                ):
                    self._queue.add(_Task("endpoints", service.key))
        elif key.resource in {"endpoints", "services"}:
            for resource, controller in (
                ("endpoints", "outlived"),
                ("services", "endpoints"),
            ):
                beside = Key(resource, key.namespace, key.name)
                self._queue.add(_Task(controller, beside))

    def _wake_owners(self, key: Key, manifest: Manifest) -> None:
        for reference in owner_references(manifest):
            owner = self._index.by_uid(reference["uid"])
            if owner is None:
                continue
            if is_deleting(owner.object):
                self._queue.add(_Task("garbage", owner.key))
            if reference.get("controller") and owner.key.resource in self._controllers:
                self._queue.add(_Task(owner.key.resource, owner.key))
        if controller_of(manifest) is None:
            for maker in self._makers.get(key.resource, ()):
                if maker.adopts:
                    for one in self._index.of_resource(maker.resource, key.namespace):
                        self._queue.add(_Task(maker.resource, one.key))

    def _work(self, task: _Task) -> None:
        self._queue.forget(task)
        seen = self._index.get(task.key)
        if seen is None:
            self._failures.pop(task, None)
            return
        try:
            self._attempt(task, seen)
        except Exception:
            # One object must not stop the cluster; it is looked at again later.
            _LOG.exception("controller %s failed on %s", task.controller, task.key)
            self._retry(task)

    def _attempt(self, task: _Task, seen: Seen) -> None:
        outcome = self._outcome(task, seen)
        try:
            self._execution.carry_out(outcome)
        except Refusal as refusal:
            failures = self._failures.get(task, 0) + 1
            later = self._outcome(task, seen, str(refusal), failures)
            self._retry(task)
            self._execution.carry_out(later)
        except ApiError as error:
            # Somebody else wrote first: that change has queued this object already,
            # or it is gone. Anything else is tried again, ever more slowly.
            if error.code not in {404, 409}:
                _LOG.warning("controller %s: %s", task.controller, error.message)
                self._retry(task)
            else:
                self._queue.add_at(task, self._api.now() + _SOON)
        else:
            if outcome.writes:
                self._failures.pop(task, None)
            if outcome.due is not None:
                # Never at once: a controller may only wait for what is to come.
                self._queue.add_at(task, max(outcome.due, self._api.now() + _SOON))

    def _retry(self, task: _Task) -> None:
        failures = self._failures.get(task, 0) + 1
        self._failures[task] = failures
        pause = min(timedelta(seconds=2 ** min(failures, 10)), _LONGEST_RETRY)
        self._queue.add_at(task, self._api.now() + pause)

    def _outcome(
        self, task: _Task, seen: Seen, failure: str = "", failures: int = 0
    ) -> Outcome:
        if task.controller == "garbage":
            return collect(seen, self._index, self._is_known)
        if task.controller == "tracking":
            reference = controller_of(seen.object)
            owner = self._index.by_uid(reference["uid"]) if reference else None
            return job.release(seen.object, owner.object if owner else None)
        situation = Situation(
            object=seen.object,
            now=self._api.now(),
            since=seen.since,
            owned=self._owned(task, seen),
            failure=failure,
            failures=failures,
        )
        if task.controller == "outlived":
            service = self._index.get(
                Key("services", task.key.namespace, task.key.name)
            )
            return endpoints.outlived(seen.object, service.object if service else None)
        if task.controller == "endpoints":
            return self._endpoints(situation)
        if task.controller == "namespace":
            content = self._index.in_namespace(task.key.name)
            return namespace.reconcile(situation, content, self._ca)
        for overseer in self._overseers:
            if overseer.name == task.controller:
                return overseer.reconcile(situation, self._index)
        if task.controller == "quota":
            return self._quota(task.key)
        controller = self._controllers.get(task.controller)
        return controller.reconcile(situation) if controller else NOTHING

    def _quota(self, key: Key) -> Outcome:
        """The next step of a quota, by what is stored.

        The server notes a use and stores its object in one go, which the index might
        have seen half of.
        """
        storage, table = self._api.storage, self._api.resources
        with storage.lock:
            live = storage.get(key.resource, key.namespace, key.name)
            content = [
                (resource.qualified, one)
                for collection in dict.fromkeys(each.collection for each in table)
                if (resource := table.of_collection(collection)) is not None
                for one in storage.list(collection, key.namespace)
            ]
        return NOTHING if live is None else quota.reconcile(live, content)

    def _endpoints(self, situation: Situation) -> Outcome:
        service = situation.object
        space = namespace_of(service)
        slices = [one.object for one in self._index.dependents(uid_of(service))]
        beside = self._index.get(Key("endpoints", space, name_of(service)))
        pods = [one.object for one in self._index.of_resource("pods", space)]
        return endpoints.reconcile(
            service, pods, slices, beside.object if beside else None, situation.now
        )

    def _owned(self, task: _Task, seen: Seen) -> tuple[Manifest, ...]:
        controller = self._controllers.get(task.controller)
        if controller is None or not controller.owned:
            return ()
        found = [
            one.object
            for one in self._index.dependents(uid_of(seen.object))
            if one.key.resource in controller.owned
        ]
        if controller.adopts:
            for owned in controller.owned:
                free = self._index.without_controller(owned, task.key.namespace)
                found += [one.object for one in free if one.object not in found]
        return tuple(found)

    def _is_known(self, api_version: str, kind: str) -> bool:
        return self._api.resources.by_kind(api_version, kind) is not None


def _is_furniture(key: Key) -> bool:
    return (key.resource, key.name) in {
        ("serviceaccounts", "default"),
        ("configmaps", "kube-root-ca.crt"),
    }
