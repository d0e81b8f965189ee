"""A watch as a chunked answer: one JSON event a line."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Mapping
from typing import Any

from starlette.types import Receive, Send

from gitops_wf.sandbox.api import ObjectApi
from gitops_wf.sandbox.http.answers import encode, include_object
from gitops_wf.sandbox.http.negotiation import Representation, negotiate
from gitops_wf.sandbox.http.options import ListOptions
from gitops_wf.sandbox.http.paths import Target
from gitops_wf.sandbox.http.request import Request
from gitops_wf.sandbox.http.watches import Event, Watch, WatchHub
from gitops_wf.sandbox.tables.render import bookmark_table, partial, table


class _Renderer:
    """Events in the asked form; only the first Table has columns."""

    def __init__(
        self,
        api: ObjectApi,
        target: Target,
        shape: Representation,
        options: ListOptions,
    ) -> None:
        self._api, self._target, self._shape = api, target, shape
        self._include = include_object(options.include_object)
        self._columns = True

    def __call__(self, event: Event) -> Mapping[str, Any]:
        kind, manifest = event
        if kind == "ERROR":
            return {"type": kind, "object": manifest}
        resource = self._target.resource
        match self._shape.form:
            case "Table":
                columns, self._columns = self._columns, False
                if kind == "BOOKMARK":
                    shown: Mapping[str, Any] = bookmark_table(
                        resource, manifest, columns=columns, include=self._include
                    )
                else:
                    revision = manifest["metadata"].get("resourceVersion", "")
                    shown = table(
                        resource,
                        [manifest],
                        now=self._api.now(),
                        list_metadata={"resourceVersion": revision},
                        include=self._include,
                        columns=columns,
                    )
            case "PartialObjectMetadata" | "PartialObjectMetadataList":
                shown = partial(manifest)
            case "object":
                shown = manifest
        return {"type": kind, "object": shown}


async def stream_watch(
    api: ObjectApi,
    hub: WatchHub,
    request: Request,
    *,
    target: Target,
    options: ListOptions,
    receive: Receive,
    send: Send,
) -> None:
    """Send the events until the watch ends or the client goes."""
    render = _Renderer(api, target, negotiate(request.header("accept")), options)
    watch = Watch(api, hub, target.resource, target.namespace, options)
    await send(
        {
            "type": "http.response.start",
            "status": 200,
            "headers": [(b"content-type", b"application/json")],
        }
    )
    await send({"type": "http.response.body", "body": b"", "more_body": True})

    async def pump() -> None:
        async for event in watch.events():
            await send(
                {
                    "type": "http.response.body",
                    "body": encode(render(event)),
                    "more_body": True,
                }
            )
        await send({"type": "http.response.body", "body": b""})

    async def gone() -> None:
        while (await receive())["type"] != "http.disconnect":
            pass

    tasks = {asyncio.create_task(pump()), asyncio.create_task(gone())}
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        for task in tasks:
            with contextlib.suppress(asyncio.CancelledError, OSError):
                await task
