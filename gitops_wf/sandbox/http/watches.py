"""Watches: the changes of a collection as a stream of events."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from gitops_wf.sandbox.api import ObjectApi
from gitops_wf.sandbox.conversion import from_stored
from gitops_wf.sandbox.http.lists import Selection, selection
from gitops_wf.sandbox.http.options import ListOptions
from gitops_wf.sandbox.objects import Manifest, metadata, namespace_of
from gitops_wf.sandbox.resources import Resource
from gitops_wf.sandbox.statuses import ApiError, expired
from gitops_wf.sandbox.storage import Change, Compacted

Event = tuple[str, Manifest]
INITIAL_EVENTS_END = "k8s.io/initial-events-end"
# How often an idle watch that wants bookmarks gets one, as the real server does.
BOOKMARK_SECONDS = 60.0
# A watch without timeoutSeconds ends after half an hour at the least.
DEFAULT_TIMEOUT = 1800


class WatchHub:
    """Wakes the watches of one event loop when anything is stored."""

    def __init__(self, api: ObjectApi) -> None:
        self._loop = asyncio.get_running_loop()
        self._events: set[asyncio.Event] = set()
        self._unsubscribe = api.storage.subscribe(self._changed)
        self._waking = False
        self.closing = False

    def _changed(self, _change: Change) -> None:
        # Called on any thread; one wake-up serves every change until it runs.
        if not self._waking:
            self._waking = True
            self._loop.call_soon_threadsafe(self._wake)

    def _wake(self) -> None:
        self._waking = False
        for event in self._events:
            event.set()

    def register(self) -> asyncio.Event:
        """An event that is set after changes."""
        event = asyncio.Event()
        self._events.add(event)
        return event

    def forget(self, event: asyncio.Event) -> None:
        """Undo register."""
        self._events.discard(event)

    def close(self) -> None:
        """Stop listening and end every watch."""
        self._unsubscribe()
        self.closing = True
        self._wake()

    async def wait_for(self, revision: int, api: ObjectApi, seconds: float) -> bool:
        """Wait until the storage has reached a revision; False when it does not."""
        event = self.register()
        try:
            async with asyncio.timeout(seconds):
                while api.storage.revision < revision:
                    await event.wait()
                    event.clear()
        except TimeoutError:
            return False
        finally:
            self.forget(event)
        return True


class Watch:
    """One watch: what to start with, and the events from there on."""

    def __init__(
        self,
        api: ObjectApi,
        hub: WatchHub,
        resource: Resource,
        namespace: str | None,
        options: ListOptions,
    ) -> None:
        """ApiError where the selectors are malformed."""
        self._api, self._hub = api, hub
        self._resource, self._namespace, self._options = resource, namespace, options
        self._selection: Selection = selection(options, resource)

    async def events(self) -> AsyncIterator[Event]:
        """The events, until timeoutSeconds, the server's end or too old a past."""
        event = self._hub.register()
        try:
            async for one in self._events(event):
                yield one
        finally:
            self._hub.forget(event)

    async def _events(self, event: asyncio.Event) -> AsyncIterator[Event]:
        loop = asyncio.get_running_loop()
        seconds = self._options.timeout_seconds
        deadline = loop.time() + (seconds or DEFAULT_TIMEOUT)
        initial, position = self._start()
        for one in initial:
            yield one
        bookmark_at = loop.time() + BOOKMARK_SECONDS
        while not self._hub.closing:
            event.clear()
            try:
                changes = self._api.storage.changes_after(position)
            except Compacted:
                yield "ERROR", self._too_old(position).body()
                return
            for change in changes:
                position = change.revision
                found = self._translate(change)
                if found is not None:
                    yield found
            now = loop.time()
            if now >= deadline:
                return
            if self._options.bookmarks and now >= bookmark_at:
                bookmark_at = now + BOOKMARK_SECONDS
                yield "BOOKMARK", self._bookmark(position)
            until = min(deadline, bookmark_at)
            # A second at the longest, so that an idle watch sees the server stop.
            await _wait(event, min(until - now, 1.0))

    def _start(self) -> tuple[list[Event], int]:
        options, storage = self._options, self._api.storage
        with storage.lock:
            revision = int(options.revision or 0)
            if options.initial_events is None:
                listed = revision == 0
            else:
                listed = options.initial_events
            if not listed:
                current = storage.revision
                return [], revision or current
            found: list[Event] = [
                ("ADDED", from_stored(self._resource, one))
                for one in storage.list(self._resource.collection, self._namespace)
                if self._selection.matches(one)
            ]
            if options.bookmarks:
                bookmark = self._bookmark(storage.revision)
                metadata(bookmark)["annotations"] = {INITIAL_EVENTS_END: "true"}
                found.append(("BOOKMARK", bookmark))
            return found, storage.revision

    def _too_old(self, revision: int) -> ApiError:
        compacted = self._api.storage.compacted
        return expired(f"too old resource version: {revision} ({compacted})")

    def _bookmark(self, revision: int) -> Manifest:
        empty = self._api.mutation.empty(self._resource)
        return {**empty, "metadata": {"resourceVersion": str(revision)}}

    def _translate(self, change: Change) -> Event | None:
        if change.collection != self._resource.collection:
            return None
        if (
            self._namespace is not None
            and namespace_of(change.object) != self._namespace
        ):
            return None
        before = change.old is not None and self._selection.matches(change.old)
        after = change.type != "DELETED" and self._selection.matches(change.object)
        if not before and not after:
            return None
        if after:
            kind = "MODIFIED" if before else "ADDED"
            return kind, from_stored(self._resource, change.object)
        last = change.object
        if change.type != "DELETED" and change.old is not None:
            # It left the selection: its last selected state, at the new version.
            last = {
                **change.old,
                "metadata": {
                    **metadata(change.old),
                    "resourceVersion": str(change.revision),
                },
            }
        return "DELETED", from_stored(self._resource, last)


async def _wait(event: asyncio.Event, seconds: float) -> None:
    try:
        async with asyncio.timeout(max(seconds, 0.0)):
            await event.wait()
    except TimeoutError:
        return


Render = Callable[[str, Manifest], dict[str, Any]]
