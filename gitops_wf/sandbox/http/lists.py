"""Lists: selection, pages, and lists of the past."""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from typing import Any

from gitops_wf.sandbox.api import ObjectApi
from gitops_wf.sandbox.conversion import from_stored
from gitops_wf.sandbox.http.options import ListOptions
from gitops_wf.sandbox.objects import Manifest, Manifests, name_of, namespace_of
from gitops_wf.sandbox.resources import Resource
from gitops_wf.sandbox.selectors import (
    FieldSelector,
    LabelSelector,
    parse_fields,
    parse_labels,
)
from gitops_wf.sandbox.statuses import GONE_CONTINUE, bad_request, expired
from gitops_wf.sandbox.storage import Compacted


@dataclass(frozen=True, slots=True)
class Selection:
    """Both selectors of a list or watch."""

    labels: LabelSelector
    fields: FieldSelector

    def matches(self, manifest: Manifest) -> bool:
        """Whether a stored object is selected."""
        return self.labels.matches(manifest) and self.fields.matches(manifest)

    @property
    def is_everything(self) -> bool:
        """Whether nothing is filtered out."""
        return not self.labels.requirements and not self.fields.terms


def selection(options: ListOptions, resource: Resource) -> Selection:
    """The selectors of the options; ApiError 400."""
    return Selection(
        parse_labels(options.labels), parse_fields(options.fields, resource)
    )


@dataclass(frozen=True, slots=True)
class _Token:
    """Where a listing goes on: after a key, at a revision (-1: whatever is now)."""

    revision: int
    after: tuple[str, str]

    def text(self, namespace: str | None) -> str:
        """The token; in a namespace its place is the name alone."""
        after = self.after[1] if namespace is not None else "/".join(self.after)
        start = f"{after}\0"
        raw = json.dumps(
            {"v": "meta.k8s.io/v1", "rv": self.revision, "start": start},
            separators=(",", ":"),
        )
        return base64.urlsafe_b64encode(raw.encode()).decode().rstrip("=")

    @classmethod
    def parse(cls, text: str, namespace: str | None) -> _Token:
        try:
            padded = text + "=" * (-len(text) % 4)
            raw = base64.urlsafe_b64decode(padded)
        except ValueError as exc:
            raise bad_request(f"invalid continue token: {_unreadable(exc)}") from None
        try:
            data = json.loads(raw)
            start = str(data["start"]).rstrip("\0").removeprefix("/")
            space, _, name = start.rpartition("/")
            return cls(int(data["rv"]), (namespace or space, name))
        except (ValueError, KeyError, TypeError):
            shown = f"'\\x{raw[0]:02x}'" if raw and raw[0] > 126 else repr(raw[:1])
            raise bad_request(
                "invalid continue token: continue key is not valid: invalid character "
                f"{shown} looking for beginning of value"
            ) from None


def _unreadable(exc: ValueError) -> str:
    return f"continue key is not valid: {exc}"


@dataclass(frozen=True, slots=True)
class Page:
    """Stored objects and the metadata of the list that holds them."""

    items: Manifests
    metadata: dict[str, Any]


def page(
    api: ObjectApi, resource: Resource, namespace: str | None, options: ListOptions
) -> Page:
    """What a list request answers. A future revision must have been awaited."""
    chosen = selection(options, resource)
    storage = api.storage
    with storage.lock:
        after: tuple[str, str] | None = None
        revision = storage.revision
        limit = options.limit
        if options.continue_token:
            token = _Token.parse(options.continue_token, namespace)
            if options.revision not in ("", "0"):
                raise bad_request(
                    "specifying resource version is not allowed when using continue"
                )
            after = token.after
            if token.revision >= 0:
                revision = token.revision
        elif options.match == "Exact":
            revision = int(options.revision)
        elif options.revision == "0":
            # The watch cache answers, and it does not page.
            limit = 0
        try:
            objects = (
                storage.list(resource.collection, namespace)
                if revision >= storage.revision
                else storage.list_at(resource.collection, namespace, revision)
            )
        except Compacted:
            if after is not None:
                raise expired(
                    GONE_CONTINUE, _Token(-1, after).text(namespace)
                ) from None
            raise expired(
                "The resourceVersion for the provided list is too old."
            ) from None
    if after is not None:
        objects = [one for one in objects if _key(one) > after]
    if not chosen.is_everything:
        objects = [one for one in objects if chosen.matches(one)]
    metadata: dict[str, Any] = {"resourceVersion": str(revision)}
    if limit and len(objects) > limit:
        rest = len(objects) - limit
        objects = objects[:limit]
        metadata["continue"] = _Token(revision, _key(objects[-1])).text(namespace)
        if chosen.is_everything:
            metadata["remainingItemCount"] = rest
    return Page([from_stored(resource, one) for one in objects], metadata)


def _key(manifest: Manifest) -> tuple[str, str]:
    return namespace_of(manifest), name_of(manifest)


def as_list(resource: Resource, found: Page) -> dict[str, Any]:
    """The List object; the items of built-in kinds leave out kind and apiVersion."""
    items = found.items
    if not resource.custom:
        items = [
            {
                key: value
                for key, value in one.items()
                if key not in ("kind", "apiVersion")
            }
            for one in items
        ]
    # A list of unstructured objects always has this field.
    also = {"continue": ""} if resource.custom else {}
    return {
        "kind": resource.kind_of_list,
        "apiVersion": resource.api_version,
        "metadata": {**also, **found.metadata},
        "items": items,
    }
