import gzip
import json
import os
import pickle
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core._secret import Secret
from meshapi_core._version import __version__
from meshapi_core.calls import Call, StreamCall
from meshapi_core.config import MeshAPIConfig
from meshapi_core.endpoints import Completions
from meshapi_core.endpoints.models import Models
from meshapi_core.errors import (
    InvalidParamsError,
    MeshAPIError,
    ResponseDecodeError,
    StreamInterruptedError,
)
from meshapi_core.extras import Extras
from meshapi_core.headers import Headers
from meshapi_core.machines.exchange import Done, Exchange
from meshapi_core.messages import Response
from meshapi_core.readers import EmptyReader
from meshapi_core.realtime import RealtimeCall
from meshapi_core.service import DEFAULT_BASE_URL, MESHAPI, Service
from meshapi_core.signals import END_OF_STREAM

TOKEN = "rsk_test_service"
ACME = Service(
    name="Acme",
    auth_header="Api-Key",
    auth_prefix="",
    user_agent="acme-python/1.0",
    headers=(("X-Acme-Sdk", "python"),),
    idempotency_header=None,
    end_marker=b"[END]",
)
CHAT: Any = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
EVENTS = Headers([("content-type", "text/event-stream")])


def config(service: Service = ACME, base_url: str = "https://acme.example/v1", **fields: Any):
    return MeshAPIConfig(service=service, base_url=base_url, token=TOKEN, **fields)


def test_meshapi_is_a_service_and_the_default():
    assert MeshAPIConfig(token=TOKEN) == MeshAPIConfig(service=MESHAPI, token=TOKEN)
    assert MESHAPI.base_url == DEFAULT_BASE_URL == MeshAPIConfig(token=TOKEN).base_url


def test_a_request_to_another_service_names_nothing_of_meshapi():
    request = Completions.create.build(**CHAT).request(config(), os.urandom)
    assert request.url == "https://acme.example/v1/chat/completions"
    assert request.headers == (
        ("api-key", TOKEN),
        ("content-type", "application/json"),
        ("accept", "application/json"),
        ("accept-encoding", "identity"),
        ("user-agent", "acme-python/1.0"),
        ("x-acme-sdk", "python"),
    )
    assert "mesh" not in f"{request.plain_headers()} {request.plain_url}".lower()


def test_what_is_not_said_is_openais_convention():
    plain = Service(name="Plain")
    headers = dict(Completions.create.build(**CHAT).request(config(plain), os.urandom).headers)
    assert headers["authorization"] == f"Bearer {TOKEN}"
    assert len(headers.pop("idempotency-key")) == 26
    assert headers["user-agent"] == f"meshapi-core/{__version__}"
    assert "x-meshapi-sdk" not in headers


def test_the_token_is_a_secret_in_any_header():
    request = Completions.create.build(**CHAT).request(config())
    assert isinstance(dict(request.headers)["api-key"], Secret)
    assert TOKEN not in repr(request.headers)


def test_the_key_of_a_post_goes_by_the_services_name_for_it():
    service = Service(name="Plain", idempotency_header="X-Retry-Key")
    call = Call(method="POST", path="/v1/x", reader=EmptyReader())
    assert len(dict(call.request(config(service), os.urandom).headers)["x-retry-key"]) == 26


@pytest.mark.parametrize(
    ("prefix", "base_url", "path", "url"),
    [
        ("", "https://a.example/v1", "/v1/rerank", "https://a.example/v1/rerank"),
        ("", "https://a.example/v1/", "/v1/rerank", "https://a.example/v1/rerank"),
        ("", "https://a.example/openai/v1", "/v1/x", "https://a.example/openai/v1/x"),
        ("", "https://a.example/v1beta/openai", "/v1/x", "https://a.example/v1beta/openai/x"),
        ("", "https://a.example", "/v1/rerank", "https://a.example/rerank"),
        ("", "https://a.example", "/v2/rerank", "https://a.example/v2/rerank"),
        ("", "https://a.example", "/v1beta/x", "https://a.example/v1beta/x"),
        ("", "https://a.example/v1", "/health", "https://a.example/v1/health"),
        ("/v1", "https://a.example", "/v1/x", "https://a.example/v1/x"),
        ("/v1", "https://a.example/mesh", "/v1/x", "https://a.example/mesh/v1/x"),
        ("/v1", "https://a.example/mesh", "/health", "https://a.example/mesh/health"),
        ("/api/v3", "https://a.example", "/v1/x", "https://a.example/api/v3/x"),
    ],
)
def test_the_version_stands_where_the_service_has_it(prefix, base_url, path, url):
    service = Service(name="A", path_prefix=prefix)
    call = Call(method="GET", path=path, reader=EmptyReader())
    assert call.request(config(service, base_url)).url == url


@pytest.mark.parametrize(
    ("prefix", "url"), [("/v1", "https://a.example/v1"), ("/api/v3", "https://a.example/x/api/v3/")]
)
def test_a_base_url_with_what_endpoints_add_is_refused(prefix, url):
    with pytest.raises(ValueError, match=f"^base_url: it ends in {prefix}, which the client adds"):
        config(Service(name="A", path_prefix=prefix), url)


def test_a_service_knows_where_it_is_or_asks():
    service = Service(name="Acme", base_url="https://acme.example/v1")
    assert MeshAPIConfig(service=service, token=TOKEN).base_url == "https://acme.example/v1"
    other = "https://other.example/v1"
    assert MeshAPIConfig(service=service, base_url=other, token=TOKEN).base_url == other
    with pytest.raises(
        ValueError, match=r"^base_url: expected the URL of Acme, got nothing; write base_url="
    ):
        MeshAPIConfig(service=ACME, token=TOKEN)


def test_a_token_of_another_service_never_goes_to_meshapi():
    with pytest.raises(ValueError, match="base_url: expected the URL of Acme"):
        MeshAPIConfig(service=ACME, base_url=DEFAULT_BASE_URL, token=TOKEN)
    moved = msgspec.structs.replace(MESHAPI, user_agent="relay/1")
    assert MeshAPIConfig(service=moved, token=TOKEN).base_url == DEFAULT_BASE_URL


def test_a_callers_headers_win():
    extras = Extras(headers={"API-KEY": "other", "X-Acme-Sdk": None})
    headers = dict(Models.list.build().request(config(extras=extras)).headers)
    assert headers["api-key"] == "other"
    assert "x-acme-sdk" not in headers


def test_a_session_goes_by_its_service():
    request = RealtimeCall(model="m", auth="header").request(config())
    headers = dict(request.headers)
    assert request.plain_url == "https://acme.example/v1/realtime?model=m"
    assert (headers["api-key"], headers["user-agent"]) == (TOKEN, "acme-python/1.0")
    assert headers["x-acme-sdk"] == "python"
    assert not {"x-meshapi-sdk", "authorization"} & headers.keys()


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"name": ""}, "name"),
        ({"name": "a\nb"}, "name"),
        ({"name": None}, "name"),
        ({"path_prefix": "v1"}, "path_prefix"),
        ({"path_prefix": "/v1/"}, "path_prefix"),
        ({"path_prefix": "//evil.example"}, "path_prefix"),
        ({"path_prefix": None}, "path_prefix"),
        ({"auth_header": "a b"}, "auth_header"),
        ({"auth_header": ""}, "auth_header"),
        ({"auth_header": "Host"}, "auth_header['Host']"),
        ({"auth_prefix": "Bearer\r\n"}, "auth_prefix"),
        ({"auth_prefix": " Bearer "}, "auth_prefix"),
        ({"auth_prefix": None}, "auth_prefix"),
        ({"user_agent": "a\r\nb"}, "user_agent"),
        ({"user_agent": ""}, "user_agent"),
        ({"user_agent": "\u20ac"}, "user_agent"),
        ({"headers": {"a": "b"}}, "headers"),
        ({"headers": (("a",),)}, "headers"),
        ({"headers": (("a", 1),)}, "headers['a']"),
        ({"headers": (("a", "b\n"),)}, "headers['a']"),
        ({"headers": (("Content-Length", "1"),)}, "headers['Content-Length']"),
        ({"headers": (("A", "b"), ("a", "c"))}, "headers['a']"),
        ({"headers": (("Authorization", "b"),)}, "headers['authorization']"),
        ({"headers": (("User-Agent", "b"),)}, "headers['user-agent']"),
        ({"idempotency_header": "a:b"}, "idempotency_header"),
        ({"end_marker": b""}, "end_marker"),
        ({"end_marker": b"a b"}, "end_marker"),
        ({"end_marker": "[DONE]"}, "end_marker"),
        ({"end_marker": b"x" * 65}, "end_marker"),
    ],
)
def test_a_service_that_no_request_could_name_is_refused(fields, field):
    with pytest.raises(InvalidParamsError) as caught:
        Service(**{"name": "A", **fields})
    assert caught.value.field == f"service.{field}"


def test_a_service_is_a_value():
    assert pickle.loads(pickle.dumps(ACME)) == ACME
    assert hash(ACME) == hash(msgspec.structs.replace(ACME))
    with pytest.raises(AttributeError):
        ACME.name = "other"
    with pytest.raises(TypeError, match="service: expected Service, got str"):
        config("Acme")


# How its streams end


def events(body: bytes, service: Service = ACME, *, piece: int = 0, coded: bool = False):
    """The texts of a chat that a service streams, through an exchange."""
    call = Completions.stream.build(**CHAT)
    life = Exchange(call, config(service, "https://acme.example"), now=0.0, random_bytes=os.urandom)
    life.next_action(0.0)
    headers = [*EVENTS.raw, ("content-encoding", "gzip")] if coded else EVENTS
    life.receive(Response(200, Headers(headers)), 0.0)
    done = life.next_action(0.0)
    assert isinstance(done, Done)
    decoder, texts = done.value, []
    if coded:
        body = gzip.compress(body)
    for start in range(0, len(body), piece or len(body)):
        decoder.receive_data(body[start : start + (piece or len(body))])
    decoder.receive_data(b"")
    while (chunk := decoder.next_event()) is not END_OF_STREAM:
        texts.append(chunk.choices[0].delta.content)
    return texts


CHUNK = b"data: %b\n\n" % json.dumps({"choices": [{"delta": {"content": "hi"}}]}).encode()


@pytest.mark.parametrize("coded", [False, True])
@given(piece=st.integers(1, 90))
def test_a_stream_ends_by_its_services_marker(coded, piece):
    for end in (b"data: [END]\n\n", b"data:[END]\n\n: ping\n\ndata: nonsense\n\n", b"[END]\n"):
        assert events(CHUNK + end, piece=piece, coded=coded) == ["hi"]


def test_the_marker_of_another_service_is_no_end():
    with pytest.raises(ResponseDecodeError, match="not JSON: '\\[DONE\\]'"):
        events(CHUNK + b"data: [DONE]\n\n")
    copied = pickle.loads(pickle.dumps(MESHAPI))
    assert events(CHUNK + b"data: [DONE]\n\n", copied, piece=0) == ["hi"]


@pytest.mark.parametrize(
    ("marker", "words"),
    [
        (b"[END]", "the body ended before [END] or a finish reason"),
        (b"[DONE]", "the body ended before [DONE] or a finish reason"),
        (None, "the body ended before a finish reason"),
    ],
)
def test_a_stream_that_breaks_off_says_what_was_missing(marker, words):
    service = msgspec.structs.replace(ACME, end_marker=marker)
    with pytest.raises(StreamInterruptedError) as caught:
        events(CHUNK, service)
    assert caught.value.message == f"stream interrupted: {words}"


def test_a_service_without_a_marker_takes_none():
    service = msgspec.structs.replace(ACME, end_marker=None)
    with pytest.raises(MeshAPIError):
        events(CHUNK + b"data: [END]\n\n", service)
    last = CHUNK.replace(b'"delta"', b'"finish_reason":"stop","delta"')
    assert events(last, service) == ["hi"]


def test_a_stream_that_nobody_told_of_its_service_is_meshapis():
    call = Completions.stream.build(**CHAT)
    assert isinstance(call, StreamCall)
    assert call.read(Response(200, EVENTS)).service == MESHAPI
