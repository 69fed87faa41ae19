"""CONNECT and its response, and the requests that a proxy forwards."""

import base64

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshapi_core import (
    END_OF_BODY,
    NEED_DATA,
    Finished,
    Origin,
    ProtocolError,
    Proxies,
    Read,
    Request,
    Secret,
    Write,
)

NAME = Origin("https", "gateway.example", 443)
PLAIN = Origin("http", "gateway.example", 8000)
USER = "http://us.er:p%C3%A4ssword@p:3128"
OPENED = b"HTTP/1.1 200 Connection established\r\nX-Via: p\r\n\r\n"


def run(received: "list[bytes]", origin: Origin = NAME, url: str = USER):
    """Whether the tunnel is open, or what it failed with; and the bytes for it."""
    tunnel = Proxies.through(url).route(origin, upgrades=True).tunnel()
    assert isinstance(tunnel.next_action(), Write)
    waiting = list(received)
    while not isinstance(action := tunnel.next_action(), Finished):
        assert isinstance(action, Read)
        if not waiting:
            return "waits", b""
        tunnel.receive_data(waiting.pop(0))
    failure = tunnel.failure
    if failure is not None:
        tunnel.receive_data(b"more")
        assert tunnel.failure is failure
        return (failure.error.error_code, failure.stage), b""
    return "open", tunnel.trailing_data + b"".join(waiting)


def cuts(data: bytes, at: "list[int]") -> "list[bytes]":
    places = sorted({0, len(data), *(place % (len(data) + 1) for place in at)})
    return [data[a:b] for a, b in zip(places, places[1:])]


def written(origin: Origin, url: str) -> bytes:
    action = Proxies.through(url).route(origin, upgrades=True).tunnel().next_action()
    assert isinstance(action, Write)
    assert "ssword" not in repr(action)
    return bytes(action.data)


@pytest.mark.parametrize(
    ("origin", "authority"),
    [
        (NAME, b"gateway.example:443"),
        (PLAIN, b"gateway.example:8000"),
        (Origin("http", "10.0.0.1", 80), b"10.0.0.1:80"),
        (Origin("https", "2001:db8::1", 443), b"[2001:db8::1]:443"),
    ],
)
def test_a_request_names_the_server_and_its_port(origin, authority):
    expected = b"CONNECT %b HTTP/1.1\r\nhost: %b\r\n" % (authority, authority)
    assert written(origin, "http://p") == expected + b"\r\n"
    secret = base64.b64encode("us.er:pässword".encode())
    line = b"proxy-authorization: Basic %b\r\n\r\n" % secret
    assert written(origin, USER) == expected + line


@given(st.binary(max_size=8), st.lists(st.integers(0, 100), max_size=8))
@example(b"\x16\x03", list(range(60)))
def test_any_cut_of_the_response_is_the_same(rest, at):
    for head in (OPENED, b"HTTP/1.1 100 Continue\r\n\r\n" + OPENED, b"HTTP/1.0 204\r\n\r\n"):
        assert run(cuts(head + rest, at)) == ("open", rest)


@given(st.binary(max_size=200), st.lists(st.integers(0, 200), max_size=8))
def test_any_bytes_open_a_tunnel_or_are_refused_or_waited_for(data, at):
    for start in (b"", b"HTTP/1.1 ", b"HTTP/1.1 200 OK\r\n"):
        end, _ = run([*cuts(start + data, at), b""])
        assert end == "open" or end[0] in ("proxy_auth", "proxy_connect")


@pytest.mark.parametrize("status", [*range(201, 207), 299])
def test_every_2xx_opens_the_tunnel_and_has_no_body(status):
    head = b"HTTP/1.1 %d X\r\nContent-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n" % status
    assert run([head + b"abc"])[1] in (b"abc", b"")
    assert run([b"HTTP/1.1 %d X\r\nContent-Length: 3\r\n\r\nabc" % status]) == ("open", b"abc")


@pytest.mark.parametrize(
    ("status", "outcome", "words"),
    [
        (301, ("proxy_connect", "verify"), "301"),
        (400, ("proxy_connect", "verify"), "400"),
        (401, ("proxy_auth", "verify"), "check the user name and the password in its URL"),
        (403, ("proxy_connect", "verify"), "rules"),
        (407, ("proxy_auth", "verify"), "check the user name and the password in its URL"),
        (500, ("proxy_connect", "connect"), "it failed, or could not reach the server"),
        (502, ("proxy_connect", "connect"), "could not reach the server"),
        (503, ("proxy_connect", "connect"), "503"),
        (504, ("proxy_connect", "connect"), "did not respond"),
        (599, ("proxy_connect", "verify"), "599"),
    ],
)
def test_a_refusal_says_why_and_whether_another_attempt_may_help(status, outcome, words):
    response = b"HTTP/1.1 %d X\r\nContent-Length: 99\r\n\r\n" % status
    assert run([response])[0] == outcome
    tunnel = Proxies.through(USER).route(NAME).tunnel()
    tunnel.receive_data(response)
    assert tunnel.failure is not None
    message = tunnel.failure.error.message
    assert message.startswith(f"the proxy http://p:3128 did not open a connection: {status}")
    assert words in message


@pytest.mark.parametrize(
    ("code", "words"),
    [
        (
            "ERR_CONNECT_FAIL 111",
            "503 Service Unavailable; it could not connect to the server (ERR_CONNECT_FAIL)",
        ),
        (
            "ERR_DNS_FAIL 0",
            "503 Service Unavailable; it could not resolve the server's host name (ERR_DNS_FAIL)",
        ),
        ("ERR_UNHEARD_OF 0", "503 Service Unavailable (ERR_UNHEARD_OF)"),
        ("<b>", "503 Service Unavailable"),
        ("", "503 Service Unavailable"),
    ],
)
def test_squid_says_why_it_opens_no_tunnel(code, words):
    tunnel = Proxies.through(USER).route(NAME).tunnel()
    tunnel.receive_data(b"HTTP/1.1 503 X\r\nX-Squid-Error: %b\r\n\r\n" % code.encode())
    assert tunnel.failure is not None
    assert tunnel.failure.error.message.endswith(f"did not open a connection: {words}")
    assert tunnel.failure.stage == "connect"


@pytest.mark.parametrize("status", [401, 407])
def test_a_refusal_says_where_the_credentials_go(status):
    environment = {"HTTPS_PROXY": "http://p:1"}
    for proxies, words in (
        (Proxies.through("http://p:1"), "in its URL: http://user:password@"),
        (Proxies.of_environment(environment), "in HTTPS_PROXY: http://user:password@"),
    ):
        tunnel = proxies.route(NAME).tunnel()
        tunnel.receive_data(b"HTTP/1.1 %d No\r\n\r\n" % status)
        assert tunnel.failure is not None
        assert words in tunnel.failure.error.message


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ("Proxy-Authenticate: Basic realm=x", "check the user name"),
        ("Proxy-Authenticate: NTLM\r\nProxy-Authenticate: Basic realm=x", "check the user name"),
        ("Proxy-Authenticate: Negotiate, basic realm=x", "check the user name"),
        (
            "Proxy-Authenticate: Negotiate\r\nproxy-authenticate: NTLM\r\nX: y",
            "; it asks for Negotiate or NTLM, and this client offers Basic only",
        ),
        ('Proxy-Authenticate: Digest realm="x", nonce=y', "; it asks for Digest, and"),
        ("Proxy-Authenticate: ", "check the user name"),
        ('Proxy-Authenticate: "?"', "check the user name"),
    ],
)
def test_a_407_that_wants_another_method_says_so(fields, words):
    tunnel = Proxies.through(USER).route(NAME).tunnel()
    tunnel.receive_data(f"HTTP/1.1 407 No\r\n{fields}\r\n\r\n".encode())
    assert tunnel.failure is not None
    assert words in tunnel.failure.error.message


def test_a_head_without_end_is_refused():
    line = b"x: " + b"y" * 60_000 + b"\r\n"
    assert run([b"HTTP/1.1 200 OK\r\n", *[line] * 10])[0] == ("proxy_connect", "verify")


def test_a_proxy_that_closes_may_be_asked_again():
    for received in ([b""], [b"HTTP/1.1 2", b""], [OPENED[:-2], b""]):
        assert run(received)[0] == ("proxy_connect", "connect")


@pytest.mark.parametrize("received", [b"", b"\x05\xff"])
def test_a_proxy_that_closes_may_be_of_another_kind(received):
    """The second is what a SOCKS proxy says to any request of HTTP."""
    tunnel = Proxies.through(USER).route(NAME).tunnel()
    if received:
        tunnel.receive_data(received)
    tunnel.receive_data(b"")
    assert tunnel.failure is not None
    message = tunnel.failure.error.message
    assert message.endswith("it closed the connection; is it an HTTP proxy?")


def test_bytes_before_a_plain_request_are_refused():
    assert run([OPENED + b"HTTP/1.1 200 OK\r\n"], PLAIN)[0] == ("desync", "connect")


def test_an_echoed_password_is_not_shown():
    tunnel = Proxies.through("http://u:12345678@p").route(NAME).tunnel()
    tunnel.receive_data(b"12345678\r\n\r\n")
    assert tunnel.failure is not None
    assert "12345678" not in tunnel.failure.error.message
    assert "***" in tunnel.failure.error.message


# Forwarded requests


def exchanged(url: str, request: Request, response: bytes) -> "tuple[bytes, list[object]]":
    http = Proxies.through(url).route(PLAIN).forwarding()
    assert http is not None
    sent = b"".join(http.send(request))
    http.receive_data(response)
    events = []
    while (event := http.next_event()) is not END_OF_BODY:
        assert event is not NEED_DATA
        events.append(event)
    assert http.reusable
    http.start_next_cycle()
    assert b"".join(http.send(request)) == sent
    return sent, events


def test_a_forwarded_request_has_the_whole_url_and_the_credentials():
    request = Request(
        "POST", PLAIN, Secret("/v1/a?token=t"), (("authorization", Secret("Bearer t")),), b"{}"
    )
    sent, events = exchanged(USER, request, b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    assert sent == (
        b"POST http://gateway.example:8000/v1/a?token=t HTTP/1.1\r\n"
        b"host: gateway.example:8000\r\n"
        b"authorization: Bearer t\r\n"
        b"proxy-authorization: Basic %b\r\n"
        b"content-length: 2\r\n\r\n{}"
    ) % base64.b64encode("us.er:pässword".encode())
    assert events[1] == b"ok"


def test_without_credentials_the_headers_are_those_of_the_request():
    request = Request("GET", Origin("http", "gateway.example", 80), "/")
    sent, _ = exchanged("http://p", request, b"HTTP/1.1 204 No\r\n\r\n")
    assert sent == b"GET http://gateway.example/ HTTP/1.1\r\nhost: gateway.example\r\n\r\n"


def test_what_a_forwarding_connection_refuses_is_a_protocol_error():
    http = Proxies.through(USER).route(PLAIN).forwarding()
    assert http is not None
    with pytest.raises(ProtocolError):
        http.send(Request("GET", PLAIN, "/", (("a", "b\r\nc: d"),)))
