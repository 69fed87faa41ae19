"""The upgrade as a call: its bytes, where the token goes, and how its response is read."""

import base64
import os
import string
from urllib.parse import parse_qsl, urlsplit

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshapi_core._version import __version__
from meshapi_core.config import MeshAPIConfig
from meshapi_core.errors import APIStatusError, InvalidParamsError, ProtocolError, RateLimitError
from meshapi_core.extras import Extras
from meshapi_core.headers import Headers
from meshapi_core.messages import Origin, Response
from meshapi_core.realtime import RealtimeCall, RealtimeConnection
from support.realtime_sessions import CONFIG, MODEL, PLAIN_CONFIG, PLAIN_TOKEN, TOKEN, upgrade_of

COMMON = (
    "connection: Upgrade\r\n"
    "upgrade: websocket\r\n"
    "sec-websocket-version: 13\r\n"
    "sec-websocket-key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
    "sec-websocket-protocol: {}openai-realtime\r\n"
    f"user-agent: meshapi-python/{__version__}\r\n"
    f"x-meshapi-sdk: python/{__version__}\r\n\r\n"
)

TARGET = "/mesh/v1/realtime?model=openai%2Fgpt%20realtime%26x%3D%C3%BC"


@pytest.mark.parametrize(
    ("auth", "target", "before", "protocols"),
    [
        ("query", TARGET + "&api_key=rsk_test_0123%2B%2F%3D%26%3F", "", ""),
        ("header", TARGET, f"authorization: Bearer {TOKEN}\r\n", ""),
        ("subprotocol", TARGET, "", f"realtime, openai-insecure-api-key.{PLAIN_TOKEN}, "),
    ],
)
def test_the_bytes_of_an_upgrade(auth, target, before, protocols):
    request = upgrade_of(PLAIN_CONFIG if auth == "subprotocol" else CONFIG, auth=auth)
    assert RealtimeConnection().connect(request).decode("ascii") == (
        f"GET {target} HTTP/1.1\r\nhost: gateway.example\r\n{before}" + COMMON.format(protocols)
    )
    assert (request.method, request.body) == ("GET", b"")
    assert request.origin == Origin("https", "gateway.example", 443)


PROTOCOL_CHARACTERS = string.ascii_letters + string.digits + "!#$%&'*+-.^_`|~"


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1))
@example(PROTOCOL_CHARACTERS)
@example("rsk_test,realtime")
@example("rsk_test/0123=")
def test_a_token_that_can_be_no_subprotocol_is_refused_before_it_is_sent(token):
    config = MeshAPIConfig(base_url="https://gateway.example", token=token)
    call = RealtimeCall(model="m", auth="subprotocol")
    if set(token) <= set(PROTOCOL_CHARACTERS):
        call.check(config)
        offered = str.__str__(dict(call.request(config).headers)["sec-websocket-protocol"])
        assert offered.split(", ")[:2] == ["realtime", f"openai-insecure-api-key.{token}"]
        return
    for refuse in (call.check, call.request):
        with pytest.raises(InvalidParamsError, match="the token has characters other") as caught:
            refuse(config)
        assert caught.value.field == "auth"
        assert token not in str(caught.value) or len(token) < 4
    for auth in ("query", "header"):
        RealtimeCall(model="m", auth=auth).check(config)


def test_the_token_is_in_the_query_unless_something_else_is_asked_for():
    assert upgrade_of() == upgrade_of(auth="query")


@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
@example("a b&c=d?e#f/é%")
def test_any_model_is_one_parameter(model):
    request = upgrade_of(model=model, auth="header")
    assert parse_qsl(urlsplit(request.target).query, keep_blank_values=True) == [("model", model)]
    assert request.target.isascii()


def test_the_key_is_drawn_and_has_sixteen_bytes():
    keys = [
        dict(RealtimeCall(model="m").request(CONFIG, os.urandom).headers)["sec-websocket-key"]
        for _ in range(2)
    ]
    assert keys[0] != keys[1]
    for key in keys:
        assert len(base64.b64decode(key, validate=True)) == 16
    drawn = dict(RealtimeCall(model="m").request(CONFIG, lambda size: b"\xff" * size).headers)
    assert base64.b64decode(drawn["sec-websocket-key"]) == b"\xff" * 16


def test_extras_of_every_request_are_in_an_upgrade_too():
    extras = Extras(
        headers={"X-Trace": "1", "User-Agent": "mine", "x-meshapi-sdk": None},
        query={"model": "other", "intent": ["a", True]},
    )
    config = MeshAPIConfig(base_url="http://localhost:8000", token=TOKEN, extras=extras)
    request = upgrade_of(config, auth="header")
    headers = dict(request.headers)
    assert (headers["x-trace"].encode(), headers["user-agent"].encode()) == (b"1", b"mine")
    assert "x-meshapi-sdk" not in headers
    query = urlsplit(request.target).query
    assert parse_qsl(query) == [("model", "other"), ("intent", "a"), ("intent", "true")]
    assert request.target.startswith("/v1/realtime?")


def test_an_authorization_of_the_callers_replaces_ours():
    extras = Extras(headers={"Authorization": "Bearer other"})
    config = MeshAPIConfig(base_url="http://localhost:8000", token=TOKEN, extras=extras)
    fields = [
        value
        for name, value in upgrade_of(config, auth="header").headers
        if name == "authorization"
    ]
    assert [value.encode() for value in fields] == [b"Bearer other"]


@pytest.mark.parametrize("model", ["", None, 7, b"m", "\ud800"])
def test_what_is_no_model_is_refused(model):
    with pytest.raises(InvalidParamsError) as caught:
        RealtimeCall(model=model)
    assert caught.value.field == "model"


@pytest.mark.parametrize("auth", ["", None, "bearer", [], True])
def test_what_is_no_place_for_a_token_is_refused(auth):
    with pytest.raises(InvalidParamsError) as caught:
        RealtimeCall(model="m", auth=auth)
    assert caught.value.field == "auth"


def test_a_call_reads_a_101_and_nothing_else():
    call = RealtimeCall(model="m")
    switched = Response(101, Headers([("a", "b")]))
    assert call.read(switched) is switched
    with pytest.raises(ProtocolError) as caught:
        call.read(Response(200, Headers([("x-request-id", "req_1")])))
    assert (caught.value.error_code, caught.value.status) == ("handshake_status", 200)
    assert caught.value.request_id == "req_1"
    error = call.refusal(Response(429, Headers([("retry-after", "3")])))
    assert isinstance(error, RateLimitError)
    assert isinstance(error, APIStatusError)
    assert error.retry_after_seconds == 3.0


def test_an_upgrade_is_repeated_like_a_get():
    call = RealtimeCall(model="m")
    assert (call.method, call.streaming, call.starts_job) == ("GET", False, False)


@pytest.mark.parametrize(
    ("auth", "url", "headers", "subprotocols"),
    [
        ("query", "&api_key=rsk_test_0123.~", {}, ("openai-realtime",)),
        ("header", "", {"authorization": f"Bearer {PLAIN_TOKEN}"}, ("openai-realtime",)),
        (
            "subprotocol",
            "",
            {},
            ("realtime", f"openai-insecure-api-key.{PLAIN_TOKEN}", "openai-realtime"),
        ),
    ],
)
def test_a_hosts_own_websocket_connects_to_the_same_session(auth, url, headers, subprotocols):
    call = RealtimeCall(model=MODEL, auth=auth)
    target = call.websocket(PLAIN_CONFIG)
    request = call.request(PLAIN_CONFIG)
    place = "wss://gateway.example/mesh/v1/realtime"
    assert target.url == f"{place}?model=openai%2Fgpt%20realtime%26x%3D%C3%BC{url}"
    assert target.url[len("wss://gateway.example") :] == str.__str__(request.target)
    agent = f"meshapi-python/{__version__}"
    ours = {"user-agent": agent, "x-meshapi-sdk": f"python/{__version__}"}
    assert dict(target.headers) == {**headers, **ours}
    assert target.subprotocols == subprotocols
    # Plain text, as hosts put it into format strings; it shows in no repr.
    for value in (target.url, *target.subprotocols, *dict(target.headers).values()):
        assert f"{value}" == str.__str__(value)
    assert PLAIN_TOKEN not in repr(target)
    assert repr(target) == f"<WebSocketTarget {place}>"


def test_extras_are_added_there_too_and_plain_http_becomes_ws():
    extras = Extras(headers={"X-Trace": "a secret", "User-Agent": None}, query={"intent": "a"})
    config = MeshAPIConfig(base_url="http://localhost:8000", token=TOKEN, extras=extras)
    target = RealtimeCall(model="m", auth="header").websocket(config)
    assert target.url == "ws://localhost:8000/v1/realtime?model=m&intent=a"
    assert f"{dict(target.headers)['x-trace']}" == "a secret"
    assert "user-agent" not in dict(target.headers)
    with pytest.raises(InvalidParamsError):
        RealtimeCall(model="m", auth="subprotocol").websocket(config)
