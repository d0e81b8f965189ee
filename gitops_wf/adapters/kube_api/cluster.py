"""One API server as the Cluster port."""

from collections.abc import Callable, Iterable, Sequence
from copy import copy
from typing import Any, Self
from urllib.parse import quote

from gitops_wf.adapters.kube_api.access import ApiAccess
from gitops_wf.adapters.kube_api.discovery import Discovery
from gitops_wf.adapters.kube_api.refusals import error_of
from gitops_wf.adapters.kube_api.transport import (
    CONNECT_TIMEOUT,
    READ_TIMEOUT,
    Answer,
    Transport,
)
from gitops_wf.core.impersonation import Identity
from gitops_wf.core.inventory import Manifest, ObjectRef
from gitops_wf.core.redaction import Redactor, secret_values
from gitops_wf.ports.cluster import (
    ApiResource,
    Applied,
    Asked,
    ClusterRefusalError,
    UnknownKindError,
    Unwatched,
)

FIELD_MANAGER = "gitops-wf"
PAGE = 500
"""Objects a LIST page holds, as kubectl asks for."""

LOG_BYTES = 64 * 1024


class KubeCluster:
    """A Kubernetes API server, seen with one identity.

    ``begun`` is called with each request, and is told what came of it.
    """

    has_status = True

    def __init__(
        self,
        access: ApiAccess,
        *,
        connect_timeout: float = CONNECT_TIMEOUT,
        read_timeout: float = READ_TIMEOUT,
        page: int = PAGE,
        redactor: Redactor | None = None,
        begun: Callable[[], Asked] = Unwatched,
    ) -> None:
        self._page = page
        self._redactor = redactor or Redactor()
        self._transport = Transport(
            access,
            connect_timeout=connect_timeout,
            read_timeout=read_timeout,
            redactor=self._redactor,
            begun=begun,
        )
        self._discovery = Discovery(self._transport)

    def impersonating(self, identity: Identity) -> Self:
        """Return the same server, each request made as somebody else.

        Connections are shared, and so is what was discovered: asking which kinds
        there are is ours to do.
        """
        twin = copy(self)
        shared = self._transport
        twin._transport = shared.impersonating(identity)  # noqa: SLF001 - our own class
        return twin

    def resource(self, api_version: str, kind: str) -> ApiResource:
        """Return how a kind is addressed; UnknownKindError after a fresh discovery."""
        return self._discovery.resource(api_version, kind)

    def get(self, resource: ApiResource, namespace: str, name: str) -> Manifest | None:
        """Return an object, or None."""
        answer = self._transport.request("GET", _path(resource, namespace, name))
        if answer.status == 404:
            return None
        found = self._object(answer, _subject(resource.kind, namespace, name), "get")
        self._redactor.learn_object(found)
        return found

    def list(
        self, resource: ApiResource, namespace: str = "", label_selector: str = ""
    ) -> Sequence[Manifest]:
        """Return all objects of a kind; each is given its apiVersion and kind back."""
        subject = _subject(resource.kind, namespace, "*")
        query = {"limit": str(self._page)}
        if label_selector:
            query["labelSelector"] = label_selector
        items: list[Manifest] = []
        while True:
            answer = self._transport.request(
                "GET", _path(resource, namespace), query=query
            )
            if answer.status == 410 and "continue" in query:
                # The pages took longer than the server keeps history: in one go.
                items = []
                query.pop("continue")
                query.pop("limit")
                continue
            if answer.status == 404:
                self._discovery.forget(resource.api_version)
            page = self._object(answer, subject, "list")
            head = {"apiVersion": resource.api_version, "kind": resource.kind}
            items += ({**head, **item} for item in page.get("items") or ())
            if resource.kind == "Secret":
                self._learn_ours(page.get("items") or ())
            token = (page.get("metadata") or {}).get("continue")
            if not token:
                return items
            query["continue"] = token

    def apply(
        self, manifest: Manifest, *, force: bool = False, dry_run: bool = False
    ) -> Applied:
        """Server-side apply with field manager ``gitops-wf``; ApplyConflictError."""
        resource, namespace, name = self._addressed(manifest)
        query = {**_writing(dry_run=dry_run), "force": str(force).lower()}
        answer = self._transport.request(
            "PATCH",
            _path(resource, namespace, name),
            query=query,
            body=manifest,
            content_type="application/apply-patch+yaml",
        )
        if answer.status == 404:
            self._discovery.forget(resource.api_version)
        subject = _subject(resource.kind, namespace, name)
        body = self._object(answer, subject, "apply", manifest)
        return Applied(manifest=body, is_created=answer.status == 201)

    def create(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """Create an object; ResourceConflictError where one is there."""
        resource, namespace, name = self._addressed(manifest)
        answer = self._transport.request(
            "POST",
            _path(resource, namespace),
            query=_writing(dry_run=dry_run),
            body=manifest,
        )
        subject = _subject(resource.kind, namespace, name)
        return self._object(answer, subject, "create", manifest)

    def replace(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """Replace an object; ResourceConflictError by its resourceVersion."""
        resource, namespace, name = self._addressed(manifest)
        answer = self._transport.request(
            "PUT",
            _path(resource, namespace, name),
            query=_writing(dry_run=dry_run),
            body=manifest,
        )
        subject = _subject(resource.kind, namespace, name)
        return self._object(answer, subject, "replace", manifest)

    def delete(
        self,
        ref: ObjectRef,
        version: str,
        *,
        uid: str = "",
        propagation: str = "Background",
        dry_run: bool = False,
    ) -> bool:
        """Ask for an object's deletion; False where it was not there.

        A version that is no longer served is replaced by one that is.
        """
        resource = self._served(ref, version)
        if resource is None:
            return False
        options: dict[str, Any] = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "propagationPolicy": propagation,
        }
        if uid:
            options["preconditions"] = {"uid": uid}
        if dry_run:
            options["dryRun"] = ["All"]
        answer = self._transport.request(
            "DELETE",
            _path(resource, ref.namespace, ref.name),
            # Where there is a body it counts; the address shows it in audit logs.
            query={"dryRun": "All"} if dry_run else None,
            body=options,
        )
        if answer.status == 404:
            return False
        self._object(answer, str(ref), "delete")
        return True

    def logs(
        self, namespace: str, pod: str, *, container: str = "", tail: int = 50
    ) -> str:
        """Return the last lines of a pod's log; empty where there is none (yet)."""
        query = {"tailLines": str(tail), "limitBytes": str(LOG_BYTES)}
        if container:
            query["container"] = container
        resource = self.resource("v1", "Pod")
        answer = self._transport.request(
            "GET",
            _path(resource, namespace, pod) + "/log",
            query=query,
            accept="text/plain, application/json",
        )
        # 204: not scheduled, 400: the container waits, 404: the pod is gone.
        if answer.status in {204, 400, 404}:
            return ""
        if answer.status != 200:
            raise error_of(
                answer,
                self._transport.server,
                _subject("Pod", namespace, pod),
                "read the log",
                identity=self._transport.identity,
            )
        return answer.body.decode("utf-8", "replace")

    def _learn_ours(self, secrets: Iterable[Manifest]) -> None:
        """Know the values of the Secrets that we manage, of others' namesakes none."""
        for item in secrets:
            entries = (item.get("metadata") or {}).get("managedFields") or ()
            if any(entry.get("manager") == FIELD_MANAGER for entry in entries):
                self._redactor.learn_object(
                    {**item, "apiVersion": "v1", "kind": "Secret"}
                )

    def _addressed(self, manifest: Manifest) -> tuple[ApiResource, str, str]:
        self._redactor.learn_object(manifest)
        ref = ObjectRef.of(manifest)
        resource = self.resource(str(manifest.get("apiVersion", "")), ref.kind)
        return resource, ref.namespace, ref.name

    def _served(self, ref: ObjectRef, version: str) -> ApiResource | None:
        wanted = f"{ref.group}/{version}" if ref.group else version
        try:
            return self.resource(wanted, ref.kind)
        except UnknownKindError:
            for other in self._discovery.versions(ref.group):
                try:
                    return self.resource(other, ref.kind)
                except UnknownKindError:
                    continue
        return None

    def _object(
        self,
        answer: Answer,
        subject: str,
        verb: str,
        sent: Manifest | None = None,
    ) -> dict[str, Any]:
        """Return the object that was answered; ``sent`` is what the request held."""
        if not 200 <= answer.status < 300:
            secrets = secret_values(sent or {})
            raise error_of(
                answer,
                self._transport.server,
                subject,
                verb,
                secrets,
                identity=self._transport.identity,
            )
        return answer.json()


def _writing(*, dry_run: bool) -> dict[str, str]:
    return {"fieldManager": FIELD_MANAGER} | ({"dryRun": "All"} if dry_run else {})


def _path(resource: ApiResource, namespace: str, name: str = "") -> str:
    for segment in (namespace, name):
        if segment in {".", ".."}:
            # HTTP clients fold such segments: it would be another object's path.
            raise ClusterRefusalError(
                f"{_subject(resource.kind, namespace, name)}: {segment} is no name",
                reason="Invalid",
                status=422,
            )
    group_version = quote(resource.api_version)
    prefix = f"/apis/{group_version}" if resource.group else f"/api/{group_version}"
    if resource.is_namespaced and namespace:
        prefix += f"/namespaces/{quote(namespace, safe='')}"
    prefix += f"/{resource.plural}"
    return f"{prefix}/{quote(name, safe='')}" if name else prefix


def _subject(kind: str, namespace: str, name: str) -> str:
    return "/".join(part for part in (kind, namespace, name) if part)
