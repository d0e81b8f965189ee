"""Whatever an answer is made of, no known secret is in it."""

import httpx
from starlette.applications import Starlette
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from gitops_wf.core.redaction import Redactor
from gitops_wf.core.secret import Secret
from gitops_wf.web.masking import MaskedAnswers
from gitops_wf.web.server import WebServer

CANARY = 'C4n4ry "of" the web'


async def whole(_request):
    return JSONResponse({"said": f"it is {CANARY} und schön"})


async def in_pieces(_request):
    return StreamingResponse(iter([CANARY[:7], CANARY[7:], " \xff"]))


def test_an_answer_is_masked_whole_or_in_pieces_and_has_its_length():
    app = Starlette(routes=[Route("/", whole), Route("/pieces", in_pieces)])
    app.add_middleware(MaskedAnswers, redactor=Redactor([Secret(CANARY)]))
    server = WebServer(app, "127.0.0.1:0")
    server.start()
    try:
        first = httpx.get(server.url)
        second = httpx.get(f"{server.url}/pieces")
    finally:
        server.stop()

    assert first.json() == {"said": "it is *** und schön"}
    assert second.text == "*** \xff"
    assert int(second.headers["content-length"]) == len(second.content)


def test_the_daemon_s_own_answers_are_masked(site):
    """By the redactor of the site: here it knows a word of the shop's history."""
    site.redactor.learn(Secret("ImagePullBackOff"))

    for path in ("/api/v1/revisions", "/api/v1/runs", "/api/v1/events"):
        assert "ImagePullBackOff" not in site.get(path).text
    assert "***" in site.get("/api/v1/revisions").text
