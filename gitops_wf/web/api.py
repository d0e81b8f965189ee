"""`/api/v1`: what `gitops-wf get … -o json` prints, over HTTP; it changes nothing."""

from collections.abc import Callable, Sequence
from typing import Annotated, Any, Protocol

from fastapi import APIRouter, Path, Query, Request, Response
from pydantic import BaseModel, Field

from gitops_wf.core.identifiers import EnvironmentId
from gitops_wf.services.query import Query as Questions

PREFIX = "/api/v1"
MOST = 500
"""Items of one answer."""
FURTHEST = 10_000
"""Items that paging goes back; the store reads all that are passed over."""

Items = list[dict[str, Any]]
Name = Annotated[
    str | None,
    Query(
        max_length=512,
        description="Only of this environment: its name, or repository/name.",
    ),
]
Number = Annotated[
    int | None, Query(ge=1, le=2**31 - 1, description="Only of this revision.")
]
Limit = Annotated[int, Query(ge=1, le=MOST, description="Most items of the answer.")]
Offset = Annotated[
    int, Query(ge=0, le=FURTHEST, description="Newer items to pass over.")
]


class Problem(BaseModel):
    """Why a question has no answer."""

    detail: str = Field(description="For people.")
    reason: str = Field(description="One PascalCase word, for programs.")


class View(Protocol):
    """A result that reads outside."""

    def as_json(self) -> dict[str, Any]:
        """Return it as plain JSON."""


_PROBLEMS: dict[int | str, dict[str, Any]] = {
    404: {"model": Problem, "description": "There is no such thing."},
    422: {"model": Problem, "description": "The question is wrong."},
    503: {"model": Problem, "description": "The store does not answer."},
}


def api(questions: Questions) -> APIRouter:
    """Return the routes.

    Lists come newest first, and a `Link` header with `rel="next"` leads to the older
    ones (RFC 8288); events come oldest first, as they happened.
    """
    router = APIRouter(prefix=PREFIX, responses=_PROBLEMS)

    @router.get("/environments")
    def environments(
        *,
        removed: Annotated[
            bool, Query(description="Those that are gone, too.")
        ] = False,
    ) -> Items:
        """List the environments by repository and name."""
        return _items(questions.environments(removed=removed))

    @router.get("/environments/{name:path}")
    def environment(
        name: Annotated[str, Path(description="Its name, or repository/name.")],
    ) -> dict[str, Any]:
        """Return one environment."""
        return questions.environment(questions.resolve(name)).as_json()

    @router.get("/revisions")
    def revisions(
        *,
        request: Request,
        response: Response,
        environment: Name = None,
        limit: Limit = 100,
        offset: Offset = 0,
    ) -> Items:
        """List revisions, newest first."""
        place = _meant(questions, environment)
        return _page(
            request,
            response,
            lambda most: questions.revisions(place, limit=most),
            (limit, offset),
        )

    @router.get("/runs")
    def runs(
        *,
        request: Request,
        response: Response,
        environment: Name = None,
        number: Number = None,
        limit: Limit = 100,
        offset: Offset = 0,
    ) -> Items:
        """List runs with their steps, newest first."""
        place = _meant(questions, environment)
        return _page(
            request,
            response,
            lambda most: questions.runs(place, number=number, limit=most),
            (limit, offset),
        )

    @router.get("/decisions")
    def decisions(
        *,
        request: Request,
        response: Response,
        environment: Name = None,
        number: Number = None,
        limit: Limit = 100,
        offset: Offset = 0,
    ) -> Items:
        """List decisions and what came of them, newest first."""
        place = _meant(questions, environment)
        return _page(
            request,
            response,
            lambda most: questions.decisions(place, number=number, limit=most),
            (limit, offset),
        )

    @router.get("/events")
    def events(
        environment: Name = None,
        after: Annotated[
            int | None,
            Query(
                ge=0,
                le=2**53 - 1,
                description="The first events past this id; without it, the last.",
            ),
        ] = None,
        limit: Limit = 100,
    ) -> Items:
        """List events, oldest first; to follow, ask again after the last id."""
        place = _meant(questions, environment)
        return _items(
            questions.events(
                place, after=after or 0, limit=limit, first=after is not None
            )
        )

    @router.get("/repositories")
    def repositories() -> Items:
        """List the watched repositories, and how polling them goes."""
        return _items(questions.repositories())

    return router


def _meant(questions: Questions, name: str | None) -> EnvironmentId | None:
    return None if name is None else questions.resolve(name)


def _items(views: Sequence[View]) -> Items:
    return [view.as_json() for view in views]


def _page(
    request: Request,
    response: Response,
    look: Callable[[int], Sequence[View]],
    part: tuple[int, int],
) -> Items:
    """Return a part (limit, offset), and a link to the next one where there is one."""
    limit, offset = part
    end = offset + limit
    found = look(end + 1)
    if len(found) > end and end <= FURTHEST:
        url = request.url.include_query_params(limit=limit, offset=end)
        response.headers["Link"] = f'<{url.path}?{url.query}>; rel="next"'
    return _items(found[offset:end])
