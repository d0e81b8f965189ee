"""Carries out what controllers ask for, through the API."""

from __future__ import annotations

import time
from dataclasses import replace

from gitops_wf.sandbox.api import ObjectApi
from gitops_wf.sandbox.binding import bind
from gitops_wf.sandbox.controllers.events import (
    counted,
    identity,
    identity_of,
    new_event,
)
from gitops_wf.sandbox.controllers.index import Index, Key, key_of
from gitops_wf.sandbox.controllers.work import Emit, Outcome, Verb, Write
from gitops_wf.sandbox.deletion import Preconditions
from gitops_wf.sandbox.objects import Manifest, name_of, namespace_of, uid_of
from gitops_wf.sandbox.statuses import ApiError


class Refusal(Exception):  # noqa: N818 - what happened, not an error of ours
    """A create that the API does not allow; str() is its message."""


class Execution:
    """The hands of the loop; used by its thread alone."""

    def __init__(self, api: ObjectApi, index: Index) -> None:
        self._api = api
        self._index = index
        self._events: dict[tuple[str, str, str, str], Key] = {}

    def remember(self, event: Manifest) -> None:
        """Know a stored Event, so that its like is counted on it."""
        self._events[identity_of(event)] = key_of("events", event)

    def forget(self, event: Manifest) -> None:
        """Stop counting on an Event that is gone."""
        self._events.pop(identity_of(event), None)

    def carry_out(self, outcome: Outcome) -> None:
        """Do the writes in order; the first that fails raises Refusal or ApiError."""
        for one in outcome.writes:
            if isinstance(one, Emit):
                self._emit(one)
                continue
            name = self._write(one)
            if one.event is not None:
                message = one.event.message.replace("{name}", name)
                self._emit(replace(one.event, message=message))

    def _write(self, write: Write) -> str:
        """Do one write; the name of its object."""
        resource = self._api.resources.named(write.resource)
        manifest = write.object
        space, name = namespace_of(manifest), name_of(manifest)
        if write.subresource == "binding":
            bind(self._api, space, name, manifest["target"]["name"])
            return name
        match write.verb:
            case Verb.CREATE:
                try:
                    made = self._api.create(resource, manifest, manager=write.manager)
                except ApiError as error:
                    if write.exists_ok and error.reason == "AlreadyExists":
                        return name
                    raise Refusal(error.message) from error
                return name_of(made)
            case Verb.UPDATE:
                self._api.update(
                    resource,
                    manifest,
                    manager=write.manager,
                    subresource=write.subresource,
                )
            case Verb.DELETE:
                self._api.delete(
                    resource,
                    space,
                    name,
                    propagation=write.propagation,
                    preconditions=Preconditions(uid=uid_of(manifest)),
                    grace_seconds=write.grace,
                )
        return name

    def _emit(self, emit: Emit) -> None:
        """Tell of something; an Event is never worth failing for."""
        resource = self._api.resources.named("events")
        now = self._api.now()
        known = self._events.get(identity(emit))
        seen = self._index.get(known) if known else None
        try:
            if seen is not None:
                again = counted(seen.object, now)
                self._api.update(resource, again, manager=emit.manager)
            else:
                made = new_event(emit, time.time_ns(), now)
                self._api.create(resource, made, manager=emit.manager)
        except ApiError as error:
            if error.code not in {403, 404, 409}:
                raise
