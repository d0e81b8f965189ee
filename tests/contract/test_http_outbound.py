"""Outbound on real sockets: what is sent, what is refused, and what errors say."""

import socket
import ssl
from datetime import timedelta

import pytest

from gitops_wf.adapters.address_guard import AddressGuard
from gitops_wf.adapters.http_outbound import HttpOutbound
from gitops_wf.core.addresses import AddressPolicy
from gitops_wf.core.errors import TerminalError, TransientError
from gitops_wf.core.secret import Secret
from gitops_wf.ports.outbound import HttpRequest
from tests.receivers import (
    GARBAGE,
    HANG_UP,
    SILENCE,
    Reply,
    http_receiver,
    redirect,
    self_signed,
)

CANARY = "c4n4ry-t0ken"
QUICK = timedelta(seconds=0.4)


@pytest.fixture
def receiver():
    with http_receiver() as running:
        yield running


@pytest.fixture
def outbound():
    return HttpOutbound(AddressGuard(AddressPolicy()), body_limit=1000)


def get(url, **more):
    return HttpRequest(method="GET", url=url, **more)


class Names:
    """A resolver whose answers a test chooses, one after the other."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = []

    def addresses(self, host, port):
        self.asked.append(host)
        return self.answers.pop(0)


def test_a_post_arrives_with_body_and_secret_headers(receiver, outbound):
    response = outbound.send(
        HttpRequest(
            method="POST",
            url=Secret(f"{receiver.url}/hook/{CANARY}?x=1"),
            headers={"Authorization": Secret(f"Bearer {CANARY}"), "X-A": "b"},
            body=b'{"a":1}',
        )
    )

    [request] = receiver.received
    assert (response.status, response.body) == (200, b"ok")
    assert (request.method, request.path) == ("POST", f"/hook/{CANARY}?x=1")
    assert request.headers["authorization"] == f"Bearer {CANARY}"
    assert request.headers["host"] == f"127.0.0.1:{receiver.port}"
    assert request.json == {"a": 1}


@pytest.mark.parametrize("status", [204, 404, 429, 500])
def test_any_status_is_an_answer(receiver, outbound, status):
    receiver.reply("/", Reply(status=status, body=b"", headers={"Retry-After": "7"}))

    response = outbound.send(get(f"{receiver.url}/"))

    assert (response.status, response.headers["retry-after"]) == (status, "7")


def test_a_body_over_the_limit_is_cut_and_said_to_be(receiver, outbound):
    receiver.reply("/", Reply(body=b"x" * 5000))

    response = outbound.send(get(f"{receiver.url}/"))

    assert (len(response.body), response.is_cut) == (1000, True)


def test_a_packed_body_is_not_unpacked(receiver, outbound):
    receiver.reply(
        "/", Reply(body=b"\x1f\x8b...", headers={"Content-Encoding": "gzip"})
    )

    response = outbound.send(get(f"{receiver.url}/"))

    assert response.body == b"\x1f\x8b..."
    assert receiver.received[0].headers["accept-encoding"] == "identity"


@pytest.mark.parametrize("reply", [HANG_UP, GARBAGE])
def test_no_answer_is_worth_another_try(receiver, outbound, reply):
    receiver.reply("/", reply)

    with pytest.raises(TransientError):
        outbound.send(get(f"{receiver.url}/"))


@pytest.mark.parametrize("reply", [SILENCE, Reply(body=b"slowly" * 100, trickle=0.1)])
def test_the_whole_request_ends_at_its_timeout_however_slow_the_answer(
    receiver, outbound, reply
):
    receiver.reply("/", reply)

    with pytest.raises(TransientError, match=r"no answer within 0\.4s"):
        outbound.send(get(f"{receiver.url}/", timeout=QUICK))


def test_a_closed_port_is_a_transient_error_that_names_the_host(outbound):
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        port = sock.getsockname()[1]

    with pytest.raises(TransientError, match=f"http://127.0.0.1:{port}: "):
        outbound.send(get(f"http://127.0.0.1:{port}/"))


def test_a_get_follows_redirects_on_its_own_host_with_its_headers(receiver, outbound):
    receiver.reply("/a", redirect("/b"))
    receiver.reply("/b", redirect(f"{receiver.url}/c"))

    response = outbound.send(
        get(f"{receiver.url}/a", headers={"Authorization": Secret(CANARY)})
    )

    assert response.status == 200
    assert [r.path for r in receiver.received] == ["/a", "/b", "/c"]
    assert receiver.received[2].headers["authorization"] == CANARY


def test_no_more_than_three_redirects_are_followed(receiver, outbound):
    receiver.reply("/", redirect("/"))

    response = outbound.send(get(f"{receiver.url}/"))

    assert response.status == 302
    assert len(receiver.received) == 4


def test_a_redirect_to_another_host_is_the_answer(receiver, outbound):
    receiver.reply("/", redirect(f"http://localhost:{receiver.port}/other"))

    response = outbound.send(get(f"{receiver.url}/"))

    assert response.status == 302
    assert not receiver.at("/other")


def test_a_redirect_to_another_port_gets_no_credentials(receiver, outbound):
    with http_receiver() as other:
        receiver.reply("/", redirect(f"{other.url}/next"))

        outbound.send(
            get(
                f"{receiver.url}/",
                headers={"X-Key": Secret(CANARY), "Cookie": CANARY, "X-Plain": "1"},
            )
        )

        [request] = other.received
        assert CANARY not in str(request)
        assert request.headers["x-plain"] == "1"


def test_a_post_follows_no_redirect(receiver, outbound):
    receiver.reply("/", redirect("/other", status=307))

    response = outbound.send(HttpRequest(method="POST", url=f"{receiver.url}/"))

    assert response.status == 307
    assert len(receiver.received) == 1


@pytest.mark.parametrize(
    "host",
    [
        "169.254.169.254",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[::ffff:169.254.169.254]",
        "2852039166",  # 169.254.169.254 as one number
        "0xa9fea9fe",
    ],
)
def test_metadata_addresses_are_refused(outbound, host):
    with pytest.raises((TerminalError, TransientError)) as caught:
        outbound.send(get(f"http://{host}/latest/meta-data/", timeout=QUICK))

    assert isinstance(caught.value, TerminalError)
    assert "metadata" in str(caught.value) or "link-local" in str(caught.value)


def test_loopback_is_refused_where_it_is_not_allowed(receiver):
    guard = AddressGuard(AddressPolicy(allow_loopback=False))

    for host in ("127.0.0.1", "localhost"):
        with pytest.raises(TerminalError, match="loopback"):
            HttpOutbound(guard).send(get(f"http://{host}:{receiver.port}/"))

    assert not receiver.received


def test_the_address_that_was_checked_is_the_one_connected_to(receiver):
    names = Names(("127.0.0.1",))

    response = HttpOutbound(names).send(
        get(f"http://hooks.example.invalid:{receiver.port}/")
    )

    # The name resolves nowhere: only the checked address can have been used, once.
    assert response.status == 200
    assert names.asked == ["hooks.example.invalid"]
    host = receiver.received[0].headers["host"]
    assert host == f"hooks.example.invalid:{receiver.port}"


def test_the_next_address_is_tried_where_one_does_not_answer(receiver):
    names = Names(("127.0.0.99", "127.0.0.1"))

    response = HttpOutbound(names).send(get(f"http://two.invalid:{receiver.port}/"))

    assert response.status == 200


@pytest.mark.parametrize(
    "url",
    [
        "ftp://127.0.0.1/x",
        "file:///etc/passwd",
        "http:///",
        "http://user:pass@127.0.0.1/",
        "not a url",
        "http://127.0.0.1:99999/",
    ],
)
def test_what_is_no_http_url_is_refused_without_quoting_it(outbound, url):
    with pytest.raises(TerminalError) as caught:
        outbound.send(get(Secret(f"{url}{CANARY}")))

    assert CANARY not in str(caught.value)
    assert caught.value.__cause__ is None or CANARY not in str(caught.value.__cause__)


@pytest.mark.parametrize("value", [f"{CANARY}\r\nX-Evil: 1", f"{CANARY}\u4e2d"])
def test_a_header_that_cannot_be_sent_is_refused_without_quoting_it(
    receiver, outbound, value
):
    with pytest.raises(TerminalError) as caught:
        outbound.send(get(f"{receiver.url}/", headers={"X-Key": Secret(value)}))

    assert CANARY not in str(caught.value)
    assert not [r for r in receiver.received if "x-evil" in r.headers]


@pytest.mark.parametrize("reply", [HANG_UP, GARBAGE, SILENCE])
def test_no_error_or_log_line_shows_a_secret_url(receiver, outbound, reply, caplog):
    caplog.set_level(0)
    receiver.reply(f"/{CANARY}", reply)

    with pytest.raises(TransientError) as caught:
        outbound.send(get(Secret(f"{receiver.url}/{CANARY}"), timeout=QUICK))

    assert CANARY not in str(caught.value)
    assert "127.0.0.1" in str(caught.value)
    assert CANARY not in caplog.text


def test_a_certificate_is_checked_for_the_host_asked_for(tmp_path):
    pem = self_signed(tmp_path)
    server_side = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    server_side.load_cert_chain(pem)
    trusting = ssl.create_default_context(cafile=str(pem))
    with http_receiver() as receiver:
        receiver._server.socket = server_side.wrap_socket(
            receiver._server.socket, server_side=True, do_handshake_on_connect=True
        )
        outbound = HttpOutbound(AddressGuard(AddressPolicy()), tls=trusting)

        right = outbound.send(get(f"https://localhost:{receiver.port}/"))
        with pytest.raises(TransientError, match="certificate"):
            outbound.send(get(f"https://127.0.0.1:{receiver.port}/"))

        assert right.status == 200
