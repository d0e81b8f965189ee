"""The verbs of a resource as HTTP has them: reads, writes, patches, deletes."""

from __future__ import annotations

import http.client

from gitops_wf.sandbox import deletion
from gitops_wf.sandbox.api import ObjectApi
from gitops_wf.sandbox.authorization import Authorizer
from gitops_wf.sandbox.deletion import Preconditions
from gitops_wf.sandbox.http import podcalls
from gitops_wf.sandbox.http.answers import (
    Answer,
    list_form,
    structured,
)
from gitops_wf.sandbox.http.bodies import (
    decode_delete,
    decode_object,
)
from gitops_wf.sandbox.http.lists import Page, as_list, page, selection
from gitops_wf.sandbox.http.negotiation import PLAIN, Representation, negotiate
from gitops_wf.sandbox.http.options import (
    ListOptions,
    delete_options,
    flag,
    list_options,
)
from gitops_wf.sandbox.http.paths import Target
from gitops_wf.sandbox.http.request import Request
from gitops_wf.sandbox.http.reviews import REVIEWS, review
from gitops_wf.sandbox.http.tokens import AccountTokens
from gitops_wf.sandbox.http.writing import Writing, object_answer
from gitops_wf.sandbox.objects import name_of
from gitops_wf.sandbox.statuses import (
    ApiError,
    method_not_allowed,
    resource_not_found,
    too_large_revision,
)
from gitops_wf.sandbox.validation.warnings import ENDPOINTS

_WRITTEN_SUBRESOURCES = frozenset({"", "status", "scale", "finalize", "approval"})


class Verbs:
    """Answers requests on collections, objects and their subresources."""

    def __init__(
        self, api: ObjectApi, authorizer: Authorizer, tokens: AccountTokens
    ) -> None:
        self._api, self._authorizer, self._tokens = api, authorizer, tokens
        self._writing = Writing(api, authorizer)

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
        if resource.qualified == "endpoints":
            request.warnings.append(ENDPOINTS)
        if resource.qualified in REVIEWS:
            return self._review(request, target, shape)
        special = podcalls.answer(self._api, self._tokens, request, target)
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
                return self._writing.create(request, target, shape)
            case "PUT" if not target.is_collection:
                return self._writing.replace(request, target, shape)
            case "PATCH" if not target.is_collection:
                return self._writing.patch(request, target, shape)
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
        return object_answer(
            self._api, found, request, target, shape, code=200, written=False
        )

    def _too_large(self, revision: int) -> ApiError:
        return too_large_revision(revision, self._api.storage.revision)

    def _list(self, request: Request, target: Target, shape: Representation) -> Answer:
        if "list" not in target.resource.verbs:
            raise method_not_allowed()
        options = list_options(request.query, watch=False)
        if int(options.revision or 0) > self._api.storage.revision:
            raise self._too_large(int(options.revision))
        found = page(self._api, target.resource, target.namespace, options)
        answer = self._listed(found, target, shape, options)
        answer.warnings = request.warnings
        return answer

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
            asker=self._writing.asker(request),
        )
        if answer.get("kind") == "Status":
            done = structured(200, answer, PLAIN)
            done.warnings = request.warnings
            if not options.dry_run:
                done.revision = str(self._api.storage.revision)
            return done
        return object_answer(
            self._api,
            answer,
            request,
            target,
            shape,
            code=200,
            written=not options.dry_run,
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
        found = page(self._api, resource, target.namespace, listing)
        asker = self._writing.asker(request)
        for one in found.items:
            try:
                self._api.delete(
                    resource,
                    target.namespace or "",
                    name_of(one),
                    propagation=options.propagation,
                    grace_seconds=options.grace_seconds,
                    dry_run=options.dry_run,
                    asker=asker,
                )
            except ApiError as error:
                # What is gone by now needs no delete.
                if error.code != http.client.NOT_FOUND:
                    raise
        answer = self._listed(found, target, shape, listing)
        answer.warnings = request.warnings
        if found.items and not options.dry_run:
            answer.revision = str(self._api.storage.revision)
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
            manager=self._writing.options(request, "CreateOptions").manager,
        )
        answer = review(
            target.resource,
            tracked,
            request.user,
            self._authorizer,
            now=self._api.now(),
        )
        return structured(201, answer, shape)
