"""A Kubernetes cluster, as a role: requests and answers as plain JSON."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from gitops_wf.core.errors import TerminalError, TransientError
from gitops_wf.core.identifiers import EnvironmentId, TargetName
from gitops_wf.core.impersonation import Identity
from gitops_wf.core.inventory import Manifest, ObjectRef


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiResource:
    """How a kind is addressed: from the server's discovery documents."""

    group: str
    version: str
    kind: str
    plural: str
    is_namespaced: bool

    @property
    def api_version(self) -> str:
        """``apps/v1``, or ``v1`` in the core group."""
        return f"{self.group}/{self.version}" if self.group else self.version


def _core(kind: str, plural: str, *, is_namespaced: bool = True) -> ApiResource:
    return ApiResource(
        group="", version="v1", kind=kind, plural=plural, is_namespaced=is_namespaced
    )


# Kinds that every server has and we ask for by ourselves, without a discovery.
CONFIG_MAP = _core("ConfigMap", "configmaps")
NAMESPACE = _core("Namespace", "namespaces", is_namespaced=False)
POD = _core("Pod", "pods")
SECRET = _core("Secret", "secrets")
JOB = ApiResource(
    group="batch", version="v1", kind="Job", plural="jobs", is_namespaced=True
)


class ClusterUnavailableError(TransientError):
    """No answer: unreachable, overloaded (429, 5xx), hung up, or not let in (401)."""


class Asked(Protocol):
    """One request to an API server that is under way, for who wants to know."""

    def answered(self) -> None:
        """Take note of an answer, whatever it said."""

    def lost(self, error: str, *, hung: bool) -> None:
        """Take note that none came, or none of the API server; by waiting if `hung`."""


class Unwatched:
    """The request that nobody wants to know of."""

    def answered(self) -> None:
        """Leave it unnoted."""

    def lost(self, error: str, *, hung: bool) -> None:
        """Leave it unnoted."""


class ClusterRefusalError(TerminalError):
    """The API server understood and said no: 400, 403, 413, 422.

    ``status`` is the HTTP status, ``causes`` the server's (field, message) pairs.
    """

    def __init__(
        self,
        message: str,
        *,
        reason: str,
        status: int,
        causes: Sequence[tuple[str, str]] = (),
    ) -> None:
        super().__init__(message, reason=reason)
        self.status = status
        self.causes = tuple(causes)


class ApplyConflictError(ClusterRefusalError):
    """Other managers own fields of ours; each is named (409 on an apply).

    ``causes`` are (field, manager) pairs here.
    """


class ResourceConflictError(TransientError):
    """Somebody wrote in between: a resourceVersion or uid did not match (409)."""


class UnknownKindError(TerminalError):
    """The server serves no such kind (yet)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Applied:
    """What an apply left on the server, and whether it was not there before."""

    manifest: Manifest
    is_created: bool


class Cluster(Protocol):
    """One API server, seen with one identity.

    Every method may raise ClusterUnavailableError, and ClusterRefusalError where
    the server says no. Objects given back are as the server sent them. With
    ``dry_run`` the server judges and answers, and nothing is written.
    """

    @property
    def has_status(self) -> bool:
        """Whether objects there come alive: those in a folder are only files."""

    def resource(self, api_version: str, kind: str) -> ApiResource:
        """Return how a kind is addressed; UnknownKindError after a fresh discovery."""

    def get(self, resource: ApiResource, namespace: str, name: str) -> Manifest | None:
        """Return an object, or None."""

    def list(
        self, resource: ApiResource, namespace: str = "", label_selector: str = ""
    ) -> Sequence[Manifest]:
        """Return all objects of a kind, in one namespace or (empty) in all."""

    def apply(
        self, manifest: Manifest, *, force: bool = False, dry_run: bool = False
    ) -> Applied:
        """Server-side apply with field manager ``gitops-wf``; ApplyConflictError."""

    def create(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """Create an object; ResourceConflictError where one is there."""

    def replace(self, manifest: Manifest, *, dry_run: bool = False) -> Manifest:
        """Replace an object; ResourceConflictError by its resourceVersion."""

    def delete(
        self,
        ref: ObjectRef,
        version: str,
        *,
        uid: str = "",
        propagation: str = "Background",
        dry_run: bool = False,
    ) -> bool:
        """Ask for an object's deletion; False where it was not there."""

    def logs(
        self, namespace: str, pod: str, *, container: str = "", tail: int = 50
    ) -> str:
        """Return the last lines of a pod's log; empty where there is none."""


class ApiServer(Cluster, Protocol):
    """A cluster that can also be seen with other identities than our own."""

    def impersonating(self, identity: Identity, /) -> Cluster:
        """Return the same server, each request made as somebody else."""


class Clusters(Protocol):
    """The clusters that the daemon config names."""

    def cluster(self, target: TargetName, environment: EnvironmentId) -> Cluster:
        """Return a target's cluster, seen as the environment is delivered there.

        The same object for all environments of one identity. Errors:
        TerminalError (TargetNotConfigured).
        """

    def namespace(self, target: TargetName) -> str:
        """Return the namespace for objects that name none."""

    def allowed(self, target: TargetName) -> "AllowList":
        """Return what may be written there."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AllowList:
    """What a target takes; None allows all.

    ``kinds`` are ``Kind``, of whatever group, or ``Kind.group`` as kubectl has it.
    """

    namespaces: tuple[str, ...] | None = None
    kinds: tuple[str, ...] | None = None

    def allows_kind(self, ref: ObjectRef) -> bool:
        """Whether objects of this kind may be written."""
        names = {ref.kind, f"{ref.kind}.{ref.group}"} if ref.group else {ref.kind}
        return self.kinds is None or not names.isdisjoint(self.kinds)
