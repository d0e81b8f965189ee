"""No answer carries a secret, whatever it was made of."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from gitops_wf.core.redaction import Redactor


class MaskedAnswers:
    """Masks the bodies of answers; each is held back until it is whole.

    A value that stands across two pieces of a body would not be found.
    """

    def __init__(self, app: ASGIApp, redactor: Redactor) -> None:
        self._app = app
        self._redactor = redactor

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on, and its answer back."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start: Message = {}
        body = bytearray()

        async def masked(message: Message) -> None:
            nonlocal start
            if message["type"] != "http.response.body":
                start = message
                return
            body.extend(message.get("body", b""))
            if message.get("more_body"):
                return
            text = self._redactor.text(body.decode("utf-8", "surrogateescape"))
            whole = text.encode("utf-8", "surrogateescape")
            headers = [h for h in start["headers"] if h[0].lower() != b"content-length"]
            headers.append((b"content-length", str(len(whole)).encode("ascii")))
            await send({**start, "headers": headers})
            await send({**message, "body": whole})

        await self._app(scope, receive, masked)
