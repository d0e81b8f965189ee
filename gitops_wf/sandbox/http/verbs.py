"""The verbs of a resource as HTTP has them: reads, writes, patches, deletes."""

from __future__ import annotations

from typing import Any, cast

from gitops_wf.sandbox import deletion
from gitops_wf.sandbox.api import ObjectApi
from gitops_wf.sandbox.deletion import Preconditions
from gitops_wf.sandbox.http import podcalls
from gitops_wf.sandbox.http.answers import (
    Answer,
    list_form,
    object_form,
    structured,
)
from gitops_wf.sandbox.http.bodies import (
    decode_apply,
    decode_delete,
    decode_object,
    decode_patch,
    media_type,
)
from gitops_wf.sandbox.http.lists import Page, as_list, page, selection
from gitops_wf.sandbox.http.negotiation import PLAIN, Representation, negotiate
from gitops_wf.sandbox.http.options import (
    ListOptions,
    WriteOptions,
    delete_options,
    flag,
    list_options,
    write_options,
)
from gitops_wf.sandbox.http.paths import Target
from gitops_wf.sandbox.http.request import Request
from gitops_wf.sandbox.http.reviews import REVIEWS, User, review
from gitops_wf.sandbox.mutation import Level, PatchKind
from gitops_wf.sandbox.objects import Manifest, metadata, name_of, revision_of
from gitops_wf.sandbox.statuses import (
    ApiError,
    bad_request,
    method_not_allowed,
    resource_not_found,
    too_large_revision,
)

_PATCHES: dict[str, PatchKind] = {
    "application/json-patch+json": "json",
    "application/merge-patch+json": "merge",
    "application/strategic-merge-patch+json": "strategic",
}
_APPLY = "application/apply-patch+yaml"
_CUSTOM_PATCHES = (
    "the body of the request was in an unknown format - accepted media types include: "
    "application/json-patch+json, application/merge-patch+json, "
    "application/apply-patch+yaml"
)
_WRITTEN_SUBRESOURCES = frozenset({"", "status", "scale", "finalize", "approval"})
_NAMESPACE_DIFFERS = (
    "the namespace of the provided object does not match the namespace sent on the "
    "request"
)


class Verbs:
    """Answers requests on collections, objects and their subresources."""

    def __init__(self, api: ObjectApi) -> None:
        self._api = api

    def is_watch(self, request: Request, target: Target) -> bool:
        """Whether a GET is a watch; on a single object the parameter is ignored."""
        return (
            request.method == "GET"
            and target.is_collection
            and "watch" in target.resource.verbs
            and flag(request.query, "watch")
        )

    def watch_options(self, request: Request, target: Target) -> ListOptions:
        """The options of a watch, fully checked; ApiError."""
        if request.method != "GET" or "watch" not in target.resource.verbs:
            raise method_not_allowed()
        negotiate(request.header("accept"))
        options = list_options(request.query, watch=True)
        selection(options, target.resource)
        if target.name and not options.fields:
            # The old path of one object: /api/v1/watch/namespaces/x/pods/y.
            name = f"metadata.name={target.name}"
            return list_options({**request.query, "fieldSelector": [name]}, watch=True)
        return options

    def answer(self, request: Request, target: Target) -> Answer:
        """The answer to anything but a watch; ApiError for a refusal."""
        resource = target.resource
        shape = negotiate(request.header("accept"))
        if resource.qualified in REVIEWS:
            return self._review(request, target, shape)
        special = podcalls.answer(self._api, request, target)
        if special is not None:
            return special
        if target.subresource and target.subresource not in _WRITTEN_SUBRESOURCES:
            raise resource_not_found()
        match request.method:
            case "GET" if target.is_collection:
                return self._list(request, target, shape)
            case "GET":
                return self._get(request, target, shape)
            case "POST" if target.is_collection:
                return self._create(request, target, shape)
            case "PUT" if not target.is_collection:
                return self._replace(request, target, shape)
            case "PATCH" if not target.is_collection:
                return self._patch(request, target, shape)
            case "DELETE" if target.is_collection:
                return self._delete_collection(request, target, shape)
            case "DELETE" if not target.subresource:
                return self._delete(request, target, shape)
            case _:
                raise method_not_allowed()

    # Reads

    def _get(self, request: Request, target: Target, shape: Representation) -> Answer:
        options = list_options(request.query, watch=False)
        revision = int(options.revision or 0)
        if revision > self._api.storage.revision:
            raise self._too_large(revision)
        space = target.namespace or ""
        if target.subresource == "scale":
            found = self._api.get_scale(target.resource, space, target.name)
            return structured(200, found, shape)
        found = self._api.get(target.resource, space, target.name)
        return self._object(200, found, request, target, shape, written=False)

    def _too_large(self, revision: int) -> ApiError:
        return too_large_revision(revision, self._api.storage.revision)

    def _list(self, request: Request, target: Target, shape: Representation) -> Answer:
        if "list" not in target.resource.verbs:
            raise method_not_allowed()
        options = list_options(request.query, watch=False)
        if int(options.revision or 0) > self._api.storage.revision:
            raise self._too_large(int(options.revision))
        found = page(self._api, target.resource, target.namespace, options)
        return self._listed(found, target, shape, options)

    def _listed(
        self,
        found: Page,
        target: Target,
        shape: Representation,
        options: ListOptions,
    ) -> Answer:
        value = list_form(
            target.resource,
            found.items,
            as_list(target.resource, found),
            shape,
            now=self._api.now(),
            include=options.include_object,
        )
        return structured(200, value, shape)

    # Writes

    def _options(
        self, request: Request, kind: str, *, apply: bool = False
    ) -> WriteOptions:
        return write_options(
            request.query, kind, user_agent=request.header("user-agent"), apply=apply
        )

    def _create(
        self, request: Request, target: Target, shape: Representation
    ) -> Answer:
        resource = target.resource
        if "create" not in resource.verbs or (
            resource.namespaced and target.namespace is None
        ):
            raise method_not_allowed()
        options = self._options(request, "CreateOptions")
        body = self._body(request, target, options)
        if resource.plural == "bindings":
            return podcalls.bind(
                self._api, target.namespace or "", name_of(body), body, request
            )
        made = self._api.create(
            resource, body, manager=options.manager, dry_run=options.dry_run
        )
        return self._object(
            201, made, request, target, shape, written=not options.dry_run
        )

    def _body(
        self, request: Request, target: Target, options: WriteOptions
    ) -> Manifest:
        resource = target.resource
        document = decode_object(
            request.body,
            request.header("content-type"),
            resource,
            self._api.resources,
        )
        body = cast("Manifest", document.value)
        body.setdefault("kind", resource.kind)
        body.setdefault("apiVersion", resource.api_version)
        request.warnings += self._api.mutation.check(
            resource,
            body,
            level=cast("Level", options.field_validation),
            duplicates=document.duplicates,
        )
        self._set_namespace(body, target)
        return body

    def _set_namespace(self, body: Manifest, target: Target) -> None:
        if not isinstance(body.get("metadata"), dict):
            body["metadata"] = {}
        if not target.resource.namespaced:
            return
        given = metadata(body).get("namespace")
        if given and given != target.namespace:
            raise bad_request(_NAMESPACE_DIFFERS)
        metadata(body)["namespace"] = target.namespace

    def _replace(
        self, request: Request, target: Target, shape: Representation
    ) -> Answer:
        resource = target.resource
        options = self._options(request, "UpdateOptions")
        if target.subresource == "scale":
            body = cast("Manifest", decode_patch(request.body))
            metadata(body)["namespace"] = target.namespace
        else:
            body = self._body(request, target, options)
        given = name_of(body)
        if given != target.name:
            if not given:
                metadata(body)["name"] = target.name
            else:
                raise bad_request(
                    f"the name of the object ({given}) does not match the name on the "
                    f"URL ({target.name})"
                )
        stored = self._api.update(
            resource,
            body,
            manager=options.manager,
            subresource=target.subresource,
            dry_run=options.dry_run,
        )
        return self._object(
            200, stored, request, target, shape, written=not options.dry_run
        )

    def _patch(self, request: Request, target: Target, shape: Representation) -> Answer:
        media = media_type(request.header("content-type"))
        if media == _APPLY:
            return self._apply(request, target, shape)
        kind = _PATCHES.get(media)
        if kind == "strategic" and target.resource.custom:
            raise ApiError(415, _CUSTOM_PATCHES, reason="UnsupportedMediaType")
        if kind is None:
            raise ApiError(
                415,
                "415: Unsupported Media Type",
                reason="UnsupportedMediaType",
                details={},
            )
        options = self._options(request, "PatchOptions")
        stored = self._api.patch(
            target.resource,
            target.namespace or "",
            target.name,
            kind,
            decode_patch(request.body),
            manager=options.manager,
            subresource=target.subresource,
            dry_run=options.dry_run,
            level=cast("Level", options.field_validation),
            warn=request.warnings.append,
        )
        return self._object(
            200, stored, request, target, shape, written=not options.dry_run
        )

    def _apply(self, request: Request, target: Target, shape: Representation) -> Answer:
        options = self._options(request, "PatchOptions", apply=True)
        document = decode_apply(request.body)
        applied = cast("Manifest", document.value)
        if document.duplicates:
            if options.field_validation == "Strict":
                lines = "".join(f"\n  {one}" for one in document.duplicates)
                raise bad_request(
                    "error strict decoding YAML: error converting YAML to JSON: yaml: "
                    f"unmarshal errors:{lines}"
                )
            if options.field_validation == "Warn":
                request.warnings += document.duplicates
        self._check_applied(applied, target)
        stored, created = self._api.apply(
            target.resource,
            target.namespace or "",
            target.name,
            applied,
            manager=options.manager,
            force=options.force,
            subresource=target.subresource,
            dry_run=options.dry_run,
        )
        return self._object(
            201 if created else 200,
            stored,
            request,
            target,
            shape,
            written=not options.dry_run,
        )

    def _check_applied(self, applied: Manifest, target: Target) -> None:
        resource = target.resource
        version = str(applied.get("apiVersion") or "")
        kind = str(applied.get("kind") or "")
        wanted = (resource.api_version, resource.kind)
        if target.subresource == "scale":
            wanted = ("autoscaling/v1", "Scale")
        if (version, kind) != wanted:
            group_version = version if "/" in version else f"/{version}"
            raise bad_request(f"invalid object type: {group_version}, Kind={kind}")
        given = name_of(applied)
        if not given:
            raise bad_request(
                f"the name of the object ({target.name} based on URL) was "
                "undeterminable: name must be provided"
            )
        if given != target.name:
            raise bad_request(
                f"the name of the object ({given}) does not match the name on the URL "
                f"({target.name})"
            )
        space = metadata(applied).get("namespace")
        if resource.namespaced and space and space != target.namespace:
            raise bad_request(_NAMESPACE_DIFFERS)

    # Deletes

    def _delete(
        self, request: Request, target: Target, shape: Representation
    ) -> Answer:
        body = decode_delete(request.body, request.header("content-type"))
        options = delete_options(request.query, body)
        wanted = options.preconditions
        resource = target.resource
        if deletion.orphans_by_default(resource) and options.propagation is None:
            request.warnings.append(deletion.JOB_WARNING)
        answer = self._api.delete(
            resource,
            target.namespace or "",
            target.name,
            propagation=options.propagation,
            preconditions=Preconditions(
                uid=wanted.get("uid") or "",
                revision=wanted.get("resourceVersion") or "",
            ),
            grace_seconds=options.grace_seconds,
            dry_run=options.dry_run,
        )
        if answer.get("kind") == "Status":
            done = structured(200, answer, PLAIN)
            done.warnings = request.warnings
            if not options.dry_run:
                done.revision = str(self._api.storage.revision)
            return done
        return self._object(
            200, answer, request, target, shape, written=not options.dry_run
        )

    def _delete_collection(
        self, request: Request, target: Target, shape: Representation
    ) -> Answer:
        resource = target.resource
        if "deletecollection" not in resource.verbs or (
            resource.namespaced and target.namespace is None
        ):
            raise method_not_allowed()
        body = decode_delete(request.body, request.header("content-type"))
        options = delete_options(request.query, body)
        listing = list_options(request.query, watch=False)
        with self._api.storage.lock:
            found = page(self._api, resource, target.namespace, listing)
            for one in found.items:
                self._api.delete(
                    resource,
                    target.namespace or "",
                    name_of(one),
                    propagation=options.propagation,
                    grace_seconds=options.grace_seconds,
                    dry_run=options.dry_run,
                )
        answer = self._listed(found, target, shape, listing)
        if found.items and not options.dry_run:
            answer.revision = str(self._api.storage.revision)
        return answer

    # Answers

    def _object(
        self,
        code: int,
        manifest: Manifest,
        request: Request,
        target: Target,
        shape: Representation,
        *,
        written: bool,
    ) -> Answer:
        value: Any = manifest
        if manifest.get("kind") == target.resource.kind:
            include = request.query.get("includeObject")
            value = object_form(
                target.resource,
                manifest,
                shape,
                now=self._api.now(),
                include=include[0] if include else "",
            )
        answer = structured(code, value, shape)
        answer.warnings = request.warnings
        if written:
            answer.revision = revision_of(manifest)
        return answer

    def _review(
        self, request: Request, target: Target, shape: Representation
    ) -> Answer:
        if request.method != "POST":
            raise method_not_allowed()
        document = decode_object(
            request.body,
            request.header("content-type"),
            target.resource,
            self._api.resources,
        )
        tracked = self._api.review_form(
            target.resource,
            document.value,
            manager=self._options(request, "CreateOptions").manager,
        )
        answer = review(
            target.resource, tracked, request.user or User(), now=self._api.now()
        )
        return structured(201, answer, shape)
