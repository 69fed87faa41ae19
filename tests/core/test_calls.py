import copy
import json
import os
from typing import Any

import msgspec
import pytest

from meshapi_core._secret import Secret
from meshapi_core._version import __version__
from meshapi_core.bodies import FileSource
from meshapi_core.calls import Call, SignedPut, StreamCall
from meshapi_core.chunks.decoder import ChunkDecoder
from meshapi_core.config import MeshAPIConfig
from meshapi_core.endpoints import Completions
from meshapi_core.errors import InvalidParamsError, ResponseDecodeError
from meshapi_core.headers import Headers
from meshapi_core.messages import Origin, Request, Response
from meshapi_core.multipart import Multipart
from meshapi_core.readers import EmptyReader, JSONReader
from meshapi_core.types.chat import ChatCompletionParams, ChatCompletionResponse, ChatMessage
from support.randomness import seeded

TOKEN = "rsk_test_0123456789abcdef"
CONFIG = MeshAPIConfig(base_url="https://gateway.example/mesh", token=TOKEN)
PARAMS = ChatCompletionParams(
    model="openai/gpt-4o-mini", messages=[ChatMessage(role="user", content="hi")]
)
FIELDS: dict[str, Any] = {
    "model": "openai/gpt-4o-mini",
    "messages": [{"role": "user", "content": "hi"}],
}
HEADERS = (
    ("authorization", f"Bearer {TOKEN}"),
    ("content-type", "application/json"),
    ("accept", "application/json"),
    ("accept-encoding", "identity"),
    ("user-agent", f"meshapi-python/{__version__}"),
    ("x-meshapi-sdk", f"python/{__version__}"),
)


# The request


def test_a_completion_is_this_request():
    assert Completions.create.build(PARAMS).request(CONFIG) == Request(
        method="POST",
        origin=Origin("https", "gateway.example", 443),
        target="/mesh/v1/chat/completions",
        headers=HEADERS,
        body=b'{"messages":[{"role":"user","content":"hi"}],"model":"openai/gpt-4o-mini",'
        b'"stream":false}',
    )


def test_the_body_of_a_completion_is_its_parameters():
    for call in (Completions.create.build(PARAMS), Completions.create.build(**FIELDS)):
        assert json.loads(call.body) == {**FIELDS, "stream": False}
    for stream in (Completions.stream.build(PARAMS), Completions.stream.build(**FIELDS)):
        assert json.loads(stream.body) == {**FIELDS, "stream": True}


def test_a_stream_asks_for_events():
    """Streams of other clients asked for application/json."""
    request = Completions.stream.build(PARAMS).request(CONFIG)
    assert (request.method, request.target) == ("POST", "/mesh/v1/chat/completions")
    expected = dict(HEADERS, accept="text/event-stream")
    assert dict(request.headers) == expected


def test_a_request_shows_no_token():
    request = Completions.create.build(PARAMS).request(CONFIG)
    assert isinstance(dict(request.headers)["authorization"], Secret)
    assert TOKEN not in repr(request)
    assert TOKEN not in repr(request.headers)


def test_a_call_is_at_home_at_any_gateway():
    call = Completions.create.build(PARAMS)
    urls = [
        call.request(MeshAPIConfig(base_url=url, token=TOKEN)).url
        for url in ("http://localhost:8000", "https://gateway.example/", "http://[::1]/a/b/")
    ]
    assert urls == [
        "http://localhost:8000/v1/chat/completions",
        "https://gateway.example/v1/chat/completions",
        "http://[::1]/a/b/v1/chat/completions",
    ]


# The value


@pytest.mark.parametrize("build", [Completions.create.build, Completions.stream.build])
def test_calls_are_values_without_a_client(build):
    call = build(PARAMS)
    assert call == build(copy.deepcopy(PARAMS)) == copy.copy(call)
    assert hash(call) == hash(build(PARAMS))
    assert call != build(**{**FIELDS, "model": "other"})
    assert call.streaming is isinstance(call, StreamCall)
    with pytest.raises(AttributeError):
        call.path = "/"
    assert msgspec.structs.replace(call, body=b"{}").path == call.path


def test_a_call_shows_no_body():
    call = Completions.create.build(PARAMS)
    size = len(call.body)
    assert repr(call) == f"<Call POST /v1/chat/completions ({size} bytes)>"
    stream = Completions.stream.build(PARAMS)
    assert repr(stream) == f"<StreamCall POST /v1/chat/completions ({size - 1} bytes)>"
    own = Call(method="GET", path="/v1/files?key=secret", reader=JSONReader(int))
    assert repr([own]) == "[<Call GET /v1/files (0 bytes)>]"


def test_building_a_call_twice_gives_nothing_shared_that_can_change():
    fields = copy.deepcopy(FIELDS)
    call = Completions.create.build(**fields)
    fields["messages"][0]["content"] = "changed"
    assert json.loads(call.body)["messages"][0]["content"] == "hi"


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"model": "m"}, "messages"),
        ({**FIELDS, "temperature": "warm"}, "temperature"),
        ({**FIELDS, "messages": [{"role": "user", "content": 7}]}, "messages[0].content"),
        ({**FIELDS, "tempreature": 1}, "tempreature"),
    ],
)
def test_a_wrong_parameter_is_refused_where_the_call_is_built(fields, field):
    for build in (Completions.create.build, Completions.stream.build):
        with pytest.raises(InvalidParamsError) as caught:
            build(**fields)
        assert caught.value.field == field


@pytest.mark.parametrize(
    ("build", "stream", "hint"),
    [
        (Completions.create.build, True, "use stream()"),
        (Completions.stream.build, False, "create()"),
    ],
)
def test_streaming_and_whole_responses_are_separate_methods(build, stream, hint):
    for call in (
        lambda: build(msgspec.structs.replace(PARAMS, stream=stream)),
        lambda: build(**FIELDS, stream=stream),
    ):
        with pytest.raises(InvalidParamsError, match="stream") as caught:
            call()
        assert hint in str(caught.value)
    build(msgspec.structs.replace(PARAMS, stream=not stream))


# The response


def test_a_response_is_typed_and_keeps_all_that_was_sent():
    body = b'{"id":"c1","choices":[{"message":{"content":"Hello"}}],"new":1}'
    headers = Headers([("X-Request-Id", "req_1")])
    response = Completions.create.build(PARAMS).read(Response(200, headers, body))
    assert isinstance(response, ChatCompletionResponse)
    message = response.choices[0].message
    assert message.content == "Hello"
    assert response.raw == json.loads(body)
    assert response._request_id == "req_1"


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"id":', b"[]", b'"text"', b"null", b"7"])
def test_a_response_that_is_not_what_was_promised_names_its_request(body):
    """In other clients such responses came out as errors of their libraries."""
    headers = Headers([("X-Request-Id", "req_1")])
    with pytest.raises(ResponseDecodeError) as caught:
        Completions.create.build(PARAMS).read(Response(201, headers, body))
    error = caught.value
    assert (error.status, error.error_code, error.request_id) == (201, "parse_error", "req_1")


def test_a_call_of_ones_own_needs_a_path_and_a_type():
    call = Call(method="GET", path="/v1/models", reader=JSONReader(list[str]))
    assert call.request(CONFIG).url == "https://gateway.example/mesh/v1/models"
    assert call.request(CONFIG).body == b""
    assert call.read(Response(200, Headers(), b'["a"]')) == ["a"]
    assert not call.streaming


def test_each_response_of_a_stream_has_a_decoder_of_its_own():
    call = Completions.stream.build(PARAMS)
    response = Response(200, Headers([("content-type", "text/event-stream")]))
    first, second = call.read(response), call.read(response)
    assert isinstance(first, ChunkDecoder)
    first.receive_data(b'data: {"choices":[{"finish_reason":"stop"}]}\n\n')
    first.next_event()
    assert first.complete
    assert not second.complete


# Forms, uploads


PUT = SignedPut(
    url="https://storage.example/a%20b?sig=secret", content_type="a/b; c=d", source=FileSource(b"x")
)


def test_an_upload_to_a_signed_url_is_this_request():
    assert PUT.request(CONFIG) == Request(
        "PUT",
        Origin("https", "storage.example", 443),
        "/a%20b?sig=secret",
        (("content-type", "a/b; c=d"),),
        b"x",
        secrets=("sig=secret", "secret"),
        named_by=Origin("https", "gateway.example", 443),
    )
    assert (PUT.method, PUT.streaming, PUT.starts_job) == ("PUT", False, False)
    assert PUT.read(Response(204, Headers())) is None


def test_an_upload_shows_no_signature():
    assert repr(PUT) == "<SignedPut https://storage.example/a%20b>"
    assert "secret" not in repr(PUT.request(CONFIG))
    error = PUT.refusal(Response(403, Headers(), b"<Code>AccessDenied</Code>secret"))
    assert error.provider_code == "AccessDenied"
    assert "secret" not in repr(error)


@pytest.mark.parametrize("kind", ["", "a/b\r\nX-Key: 1", "a/b\n", "t\xe9xt", " a/b", "a/b ", "a\0"])
def test_a_content_type_that_no_header_holds_is_refused(kind):
    put = msgspec.structs.replace(PUT, content_type=kind)
    with pytest.raises(InvalidParamsError) as caught:
        put.request(CONFIG)
    assert caught.value.field == "content_type"


def test_an_invalid_url_is_a_response_that_cannot_be_read():
    with pytest.raises(ResponseDecodeError) as caught:
        msgspec.structs.replace(PUT, url="nonsense?sig=secret").request(CONFIG)
    assert "secret" not in str(caught.value)


def test_a_query_is_encoded_and_no_body_has_no_type():
    call = Call(
        method="GET",
        path="/v1/x",
        query=(("a b", "c&d=e/f"), ("a b", "\xe9+")),
        reader=EmptyReader(),
    )
    request = call.request(CONFIG)
    assert request.target == "/mesh/v1/x?a%20b=c%26d%3De%2Ff&a%20b=%C3%A9%2B"
    assert "content-type" not in dict(request.headers)


def test_a_path_with_a_query_takes_more_of_it():
    call = Call(method="GET", path="/v1/x?a=b", query=(("c", "d"),), reader=EmptyReader())
    assert call.request(CONFIG).target == "/mesh/v1/x?a=b&c=d"


def test_a_request_that_may_be_repeated_has_a_key_of_its_own():
    form = Multipart((("a", "b"),))
    for body in (b"{}", b"", form):
        call = Call(method="POST", path="/v1/x", body=body, reader=EmptyReader())
        keys = [
            dict(call.request(CONFIG, seeded(seed)).headers)["idempotency-key"]
            for seed in (1, 1, 2)
        ]
        assert keys[0] == keys[1] != keys[2]
        assert "idempotency-key" not in dict(call.request(CONFIG).headers)
    get = Call(method="GET", path="/v1/x", reader=EmptyReader())
    assert "idempotency-key" not in dict(get.request(CONFIG, os.urandom).headers)
