import socket

import httpx
import pytest
from starlette.applications import Starlette
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from gitops_wf.core.errors import TerminalError
from gitops_wf.web.server import WebServer


async def hello(_request):
    return PlainTextResponse("hello")


APP = Starlette(routes=[Route("/", hello)])


def test_it_serves_from_start_to_stop():
    server = WebServer(APP, "127.0.0.1:0")
    url = server.url
    server.start()
    try:
        assert httpx.get(url).text == "hello"
    finally:
        server.stop()

    with pytest.raises(httpx.ConnectError):
        httpx.get(url)


def test_a_server_that_never_started_lets_go_of_its_port():
    server = WebServer(APP, "127.0.0.1:0")
    port = int(server.url.rpartition(":")[2])
    server.stop()

    WebServer(APP, f"127.0.0.1:{port}").close()


def test_a_port_in_use_is_an_error_that_names_the_address_and_the_mend():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        address = f"127.0.0.1:{taken.getsockname()[1]}"

        with pytest.raises(TerminalError) as caught:
            WebServer(APP, address)

    assert caught.value.reason == "AddressUnusable"
    assert str(caught.value).startswith(f"server: {address} cannot be served on: ")
    assert "`server`" in str(caught.value)


def test_a_host_that_is_not_this_machine_is_an_error():
    with pytest.raises(TerminalError, match=r"192\.0\.2\.1:8080 cannot be served on"):
        WebServer(APP, "192.0.2.1:8080")
