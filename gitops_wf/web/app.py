"""The HTTP application: read-only, and without any script, page or file of others."""

from dataclasses import dataclass, field
from http import HTTPStatus

from fastapi import APIRouter, FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.responses import JSONResponse, Response
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.exposition import CONTENT_TYPE_LATEST
from starlette.exceptions import HTTPException

from gitops_wf.core.errors import GitOpsError, TerminalError, cut
from gitops_wf.core.redaction import Redactor
from gitops_wf.services.query import Query
from gitops_wf.web.api import PREFIX, api
from gitops_wf.web.health import Health
from gitops_wf.web.masking import MaskedAnswers

_STATUS = {"NotFound": 404, "Ambiguous": 422}
"""What the errors of questions are in HTTP; any other is the store's: unavailable."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """What is served."""

    questions: Query
    health: Health
    registry: CollectorRegistry
    version: str
    redactor: Redactor = field(default_factory=Redactor)


def make_app(site: Site) -> FastAPI:
    """Return the application."""
    app = FastAPI(
        title="gitops_wf",
        version=site.version,
        openapi_url=f"{PREFIX}/openapi.json",
        # Their pages load scripts from a CDN.
        docs_url=None,
        redoc_url=None,
    )
    app.add_exception_handler(GitOpsError, _failed)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.add_exception_handler(HTTPException, _refused)
    app.include_router(site.health.router())
    app.include_router(_metrics(site.registry))
    app.include_router(api(site.questions))
    app.add_middleware(MaskedAnswers, redactor=site.redactor)
    return app


def _metrics(registry: CollectorRegistry) -> APIRouter:
    router = APIRouter(include_in_schema=False)

    @router.get("/metrics")
    def metrics() -> Response:
        return Response(
            generate_latest(registry), headers={"Content-Type": CONTENT_TYPE_LATEST}
        )

    return router


def _refused(_request: Request, error: Exception) -> JSONResponse:
    """Say in our form what Starlette says itself: no such path, no such method."""
    assert isinstance(error, HTTPException)
    reason = HTTPStatus(error.status_code).phrase.title().replace(" ", "")
    return JSONResponse(
        {"detail": error.detail, "reason": reason},
        status_code=error.status_code,
        headers=error.headers,
    )


def _invalid(_request: Request, error: Exception) -> JSONResponse:
    assert isinstance(error, RequestValidationError)
    found = [
        f"{'.'.join(map(str, each['loc'][1:]))}: {each['msg']}"
        for each in error.errors()
    ]
    return JSONResponse(
        {"detail": cut("; ".join(found), 1000), "reason": "Invalid"}, status_code=422
    )


def _failed(_request: Request, error: Exception) -> JSONResponse:
    reason = error.reason if isinstance(error, TerminalError) else "StoreUnavailable"
    return JSONResponse(
        {"detail": cut(str(error), 1000), "reason": reason},
        status_code=_STATUS.get(reason, 503),
    )
