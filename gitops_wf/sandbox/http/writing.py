"""Creates, replacements, patches and applies: a body becomes an object."""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

from gitops_wf.sandbox.api import ObjectApi
from gitops_wf.sandbox.asking import Asker
from gitops_wf.sandbox.authorization import Authorizer
from gitops_wf.sandbox.http import podcalls
from gitops_wf.sandbox.http.answers import (
    Answer,
    object_form,
    structured,
)
from gitops_wf.sandbox.http.attributes import attributes_of
from gitops_wf.sandbox.http.bodies import (
    decode_apply,
    decode_object,
    decode_patch,
    media_type,
)
from gitops_wf.sandbox.http.negotiation import Representation
from gitops_wf.sandbox.http.options import (
    WriteOptions,
    first,
    write_options,
)
from gitops_wf.sandbox.http.paths import Target
from gitops_wf.sandbox.http.request import Request
from gitops_wf.sandbox.mutation import Level, PatchKind
from gitops_wf.sandbox.objects import Manifest, metadata, name_of, revision_of
from gitops_wf.sandbox.statuses import (
    ApiError,
    bad_request,
    method_not_allowed,
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
_NAMESPACE_DIFFERS = (
    "the namespace of the provided object does not match the namespace sent on the "
    "request"
)


class Writing:
    """Answers the requests that carry an object or a patch."""

    def __init__(self, api: ObjectApi, authorizer: Authorizer) -> None:
        self._api, self._authorizer = api, authorizer

    def options(
        self, request: Request, kind: str, *, apply: bool = False
    ) -> WriteOptions:
        """The options of a write; ApiError 422."""
        return write_options(
            request.query, kind, user_agent=request.header("user-agent"), apply=apply
        )

    def asker(self, request: Request) -> Asker:
        """Who asks for a write."""
        manager = first(request.query, "fieldManager")

        def check_create() -> None:
            asked = attributes_of(request.method, request.path, request.query)
            self._authorizer.check(request.user, replace(asked, verb="create"))

        return Asker(
            user=request.user,
            warn=request.warnings.append,
            check_create=check_create,
            options={"fieldManager": manager} if manager else {},
        )

    def create(self, request: Request, target: Target, shape: Representation) -> Answer:
        """POST on a collection."""
        resource = target.resource
        if "create" not in resource.verbs or (
            resource.namespaced and target.namespace is None
        ):
            raise method_not_allowed()
        options = self.options(request, "CreateOptions")
        body = self._body(request, target, options)
        if resource.plural == "bindings":
            return podcalls.bind(
                self._api, target.namespace or "", name_of(body), body, request
            )
        made = self._api.create(
            resource,
            body,
            manager=options.manager,
            dry_run=options.dry_run,
            asker=self.asker(request),
        )
        return object_answer(
            self._api,
            made,
            request,
            target,
            shape,
            code=201,
            written=not options.dry_run,
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

    def replace(
        self, request: Request, target: Target, shape: Representation
    ) -> Answer:
        """PUT on an object or a subresource of it."""
        resource = target.resource
        options = self.options(request, "UpdateOptions")
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
            asker=self.asker(request),
        )
        return object_answer(
            self._api,
            stored,
            request,
            target,
            shape,
            code=200,
            written=not options.dry_run,
        )

    def patch(self, request: Request, target: Target, shape: Representation) -> Answer:
        """PATCH, by the four kinds of patch."""
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
        options = self.options(request, "PatchOptions")
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
            asker=self.asker(request),
        )
        return object_answer(
            self._api,
            stored,
            request,
            target,
            shape,
            code=200,
            written=not options.dry_run,
        )

    def _apply(self, request: Request, target: Target, shape: Representation) -> Answer:
        options = self.options(request, "PatchOptions", apply=True)
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
            asker=self.asker(request),
        )
        return object_answer(
            self._api,
            stored,
            request,
            target,
            shape,
            code=201 if created else 200,
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


def object_answer(
    api: ObjectApi,
    manifest: Manifest,
    request: Request,
    target: Target,
    shape: Representation,
    *,
    code: int,
    written: bool,
) -> Answer:
    """An object in the asked form, with the request's warnings."""
    value: Any = manifest
    if manifest.get("kind") == target.resource.kind:
        include = request.query.get("includeObject")
        value = object_form(
            target.resource,
            manifest,
            shape,
            now=api.now(),
            include=include[0] if include else "",
        )
    answer = structured(code, value, shape)
    answer.warnings = request.warnings
    if written:
        answer.revision = revision_of(manifest)
    return answer
