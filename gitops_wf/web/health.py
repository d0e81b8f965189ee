"""`/healthz`: the loops turn. `/readyz`: the store answers and Git was looked at.

As Kubernetes means them: who is not healthy is started anew, who is not ready is only
not sent to (kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle).
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from gitops_wf.core.config import DaemonConfig
from gitops_wf.core.errors import GitOpsError, cut
from gitops_wf.ports.store import RepositoryRecord
from gitops_wf.services.heartbeats import Heartbeats
from gitops_wf.services.query import ReadableStore
from gitops_wf.services.views import rfc3339


@dataclass(frozen=True, slots=True, kw_only=True)
class Health:
    """Answers the probes."""

    store: ReadableStore
    config: DaemonConfig
    heartbeats: Heartbeats
    fault: Callable[[], str]
    """What is known to be wrong with the store, or nothing."""

    def router(self) -> APIRouter:
        """Return the two routes."""
        router = APIRouter(include_in_schema=False)
        router.get("/healthz")(self.healthz)
        router.get("/readyz")(self.readyz)
        return router

    def healthz(self) -> JSONResponse:
        """Say whether every loop turns, and which has stopped."""
        stopped = self.heartbeats.stopped()
        ages = self.heartbeats.ages()
        body: dict[str, Any] = {
            "healthy": not stopped,
            "loops": {
                loop: {"secondsAgo": round(age.total_seconds(), 1)}
                for loop, age in ages.items()
            },
        }
        if stopped:
            body["message"] = f"stopped: {', '.join(stopped)}"
        return JSONResponse(body, status_code=503 if stopped else 200)

    def readyz(self) -> JSONResponse:
        """Say whether the store answers and every repository was looked at."""
        if fault := self.fault():
            # Not asked again: an answer may take as long as it pleases.
            return _without_store(fault)
        try:
            with self.store.read() as reader:
                records = {record.name: record for record in reader.repositories()}
        except GitOpsError as error:
            return _without_store(str(error))
        repositories = {
            repository.name: _look(records.get(repository.name))
            for repository in self.config.repositories
        }
        is_ready = all(each["looked"] for each in repositories.values())
        return JSONResponse(
            {"ready": is_ready, "store": "ok", "repositories": repositories},
            status_code=200 if is_ready else 503,
        )


def _without_store(fault: str) -> JSONResponse:
    body = {"ready": False, "store": cut(fault), "repositories": {}}
    return JSONResponse(body, status_code=503)


def _look(record: RepositoryRecord | None) -> dict[str, Any]:
    """Return how polling a repository went; a remote that is down was looked at, too.

    Else one bad URL would take the whole daemon's answers away.
    """
    return {
        "looked": record is not None and record.polled is not None,
        "polled": rfc3339(record.polled) if record else None,
        "message": record.condition if record else "",
    }
