"""The HTTP application: read-only, and without any script, page or file of others."""

from dataclasses import dataclass

from fastapi import APIRouter, FastAPI, Request
from fastapi.responses import JSONResponse, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST

from gitops_wf.core.errors import GitOpsError, TerminalError, cut
from gitops_wf.web.health import Health

_STATUS = {"NotFound": 404, "Ambiguous": 422}
"""What the errors of questions are in HTTP; any other is the store's: unavailable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What is served."""

    health: Health
    registry: CollectorRegistry
    version: str


def make_app(site: Site) -> FastAPI:
    """Return the application."""
    app = FastAPI(
        title="gitops_wf",
        version=site.version,
        openapi_url=None,
        # Their pages load scripts from a CDN.
        docs_url=None,
        redoc_url=None,
    )
    app.add_exception_handler(GitOpsError, _failed)
    app.include_router(site.health.router())
    app.include_router(_metrics(site.registry))
    return app


def _metrics(registry: CollectorRegistry) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/metrics")
    def metrics() -> Response:
        return Response(
            generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    return router


def _failed(_request: Request, error: Exception) -> JSONResponse:
    reason = error.reason if isinstance(error, TerminalError) else "StoreUnavailable"
    return JSONResponse(
        {"detail": cut(str(error), 1000), "reason": reason},
        status_code=_STATUS.get(reason, 503),
    )
