"""Which kinds an API server serves, asked for a group version at a time."""

import re
import threading
from collections.abc import Mapping
from concurrent.futures import Future

from gitops_wf.adapters.kube_api.refusals import error_of
from gitops_wf.adapters.kube_api.transport import Transport
from gitops_wf.core.errors import cut
from gitops_wf.ports.cluster import ApiResource, UnknownKindError

_API_VERSION = re.compile(r"([a-z0-9]([a-z0-9.-]*[a-z0-9])?/)?[a-z0-9]+")
"""What may stand in a path: a manifest's apiVersion is a tenant's text."""


class Discovery:
    """Kinds by group version, kept until one is not found."""

    def __init__(self, transport: Transport) -> None:
        self._transport = transport
        self._lock = threading.Lock()
        self._known: dict[str, Mapping[str, ApiResource]] = {}
        self._asking: dict[str, Future[Mapping[str, ApiResource]]] = {}

    def resource(self, api_version: str, kind: str) -> ApiResource:
        """Return a kind; UnknownKindError only after the server was asked anew."""
        with self._lock:
            known = self._known.get(api_version, {}).get(kind)
        if known is not None:
            return known
        fresh: Mapping[str, ApiResource] = {}
        if _API_VERSION.fullmatch(api_version):
            fresh, is_ours = self._shared(api_version)
            if kind not in fresh and not is_ours:
                # That question was asked before ours: the kind may be new since.
                fresh, _ = self._shared(api_version)
        if kind in fresh:
            return fresh[kind]
        raise UnknownKindError(
            f"{cut(api_version)} {cut(kind)}: {self._transport.server} serves no such "
            "kind; is its CustomResourceDefinition installed?",
            reason="UnknownKind",
        )

    def forget(self, api_version: str) -> None:
        """Ask again for this group version when it is next needed."""
        with self._lock:
            self._known.pop(api_version, None)

    def versions(self, group: str) -> tuple[str, ...]:
        """Return the api versions of a group that are served now."""
        if not group:
            return ("v1",)
        answer = self._transport.request("GET", f"/apis/{group}")
        if answer.status == 404:
            return ()
        if answer.status != 200:
            raise error_of(answer, self._transport.server, group, "discover")
        versions = answer.json().get("versions") or ()
        return tuple(str(entry["groupVersion"]) for entry in versions)

    def _shared(self, api_version: str) -> tuple[Mapping[str, ApiResource], bool]:
        """Ask, or wait for who asks already, and return whether it was our question.

        Whoever waits shares the error, too: one after the other, a server that hangs
        would hold each of them up for as long as the one before.
        """
        with self._lock:
            asking = self._asking.get(api_version)
            if asking is None:
                answer = self._asking[api_version] = Future()
        if asking is not None:
            return asking.result(), False
        try:
            fresh = self._ask(api_version)
        except BaseException as exc:
            with self._lock:
                del self._asking[api_version]
            answer.set_exception(exc)
            raise
        with self._lock:
            del self._asking[api_version]
            if fresh:
                self._known[api_version] = fresh
        answer.set_result(fresh)
        return fresh, True

    def _ask(self, api_version: str) -> Mapping[str, ApiResource]:
        path = f"/apis/{api_version}" if "/" in api_version else f"/api/{api_version}"
        answer = self._transport.request("GET", path)
        if answer.status == 404:
            return {}
        if answer.status != 200:
            raise error_of(answer, self._transport.server, api_version, "discover")
        group, _, version = api_version.rpartition("/")
        return {
            str(entry["kind"]): ApiResource(
                group=group,
                version=version,
                kind=str(entry["kind"]),
                plural=str(entry["name"]),
                is_namespaced=bool(entry.get("namespaced")),
            )
            for entry in answer.json().get("resources") or ()
            if "/" not in str(entry.get("name", "/"))
        }
