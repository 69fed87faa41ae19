"""with_options: another view of the same client."""

import json
from functools import partial
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlsplit

import msgspec
import pytest
from client.test_content_codings import client_over, collected, over_both_transports

from meshapi import (
    APIConnectionError,
    APITimeoutError,
    AsyncMeshAPI,
    InternalServerError,
    MeshAPI,
    RetryPolicy,
    Timeout,
)
from meshapi_core import Call, SignedPut
from meshapi_core.endpoints import EmptyReader, Flow, Multipart, file_source
from meshapi_core.errors import InvalidParamsError
from support.flavours import ASK, TOKEN, World, on_every_flavour
from support.scripted_server import Peer, ScriptedServer
from support.wire import make_response, serve

URL = "http://127.0.0.1:9"


def respond_ok(peer: Peer) -> None:
    for _ in peer.requests():
        peer.send(make_response(200, b"{}"))


def busy(peer: Peer) -> None:
    for _ in peer.requests():
        peer.send(make_response(503, b"", "Retry-After: 0"))


@on_every_flavour
async def test_headers_are_added_replaced_and_removed(world: World) -> None:
    with ScriptedServer(serve) as server:
        async with world.client(server.url) as client:
            other = client.with_options(
                extra_headers={"X-Team": "a", "USER-AGENT": "mine/1", "x-meshapi-sdk": None}
            )
            await other.chat.completions.create(**ASK)
            await client.chat.completions.create(**ASK)
        first, second = (request.headers for request in server.requests)
    assert (first["x-team"], first["user-agent"]) == ("a", "mine/1")
    assert "x-meshapi-sdk" not in first
    assert first["authorization"] == second["authorization"] == f"Bearer {TOKEN}"
    assert "x-team" not in second
    assert second["user-agent"].startswith("meshapi-python/")


@on_every_flavour
async def test_the_authorization_may_be_another_ones_or_none(world: World) -> None:
    with ScriptedServer(serve) as server:
        async with world.client(server.url) as client:
            for value in ("Bearer rsk_test_other", None):
                other = client.with_options(extra_headers={"Authorization": value})
                await other.chat.completions.create(**ASK)
                assert "other" not in repr(other)
        first, second = server.requests
    assert first.headers["authorization"] == "Bearer rsk_test_other"
    assert "authorization" not in second.headers
    assert TOKEN.encode() not in first.head + second.head


@on_every_flavour
async def test_the_query_is_extended(world: World) -> None:
    with ScriptedServer(serve) as server:
        async with world.client(server.url) as client:
            query = {"free": True, "tag": ["a b", "c&d"], "none": None, "n": 1}
            await client.with_options(extra_query=query).chat.completions.create(**ASK)
        (request,) = server.requests
    target = request.line.split()[1].decode()
    assert parse_qsl(urlsplit(target).query) == [
        ("free", "true"), ("tag", "a b"), ("tag", "c&d"), ("n", "1"),
    ]  # fmt: skip
    assert urlsplit(target).path == "/v1/chat/completions"


@on_every_flavour
async def test_the_body_is_extended_for_create_and_stream(world: World) -> None:
    with ScriptedServer(serve) as server:
        async with world.client(server.url) as client:
            other = client.with_options(extra_body={"new": {"deep": [None]}, "model": "other"})
            await other.chat.completions.create(**ASK)
            async with other.chat.completions.stream(**ASK) as stream:
                chunks = [chunk async for chunk in stream]
        whole, streamed = (request.json() for request in server.requests)
    extended = {**ASK, "model": "other", "new": {"deep": [None]}}
    assert whole == {**extended, "stream": False}
    assert streamed == {**extended, "stream": True}
    assert chunks


@on_every_flavour
async def test_a_form_is_extended(world: World) -> None:
    form = Multipart((("model", "m"), ("tag", "a")))
    call = Call(method="POST", path="/v1/x", body=form, reader=EmptyReader())
    with ScriptedServer(respond_ok) as server:
        async with world.client(server.url) as client:
            other = client.with_options(extra_body={"tag": [1, True], "model": None})
            await world.settle(other._runner.run(call))
        (request,) = server.requests
    assert request.body.count(b"form-data") == 2
    assert request.body.index(b'name="tag"\r\n\r\n1\r\n') < request.body.index(b"\r\ntrue\r\n")
    assert b"model" not in request.body


@on_every_flavour
async def test_timeouts_are_those_of_the_copy(world: World) -> None:
    def silent(peer: Peer) -> None:
        peer.receive()
        peer.wait_until_left()

    with ScriptedServer(silent) as server:
        async with world.client(server.url, timeout=60.0) as client:
            for timeout in (0.02, Timeout(read=0.02), Timeout(total=0.02)):
                with pytest.raises(APITimeoutError):
                    await client.with_options(timeout=timeout).chat.completions.create(**ASK)
            assert client._config.timeout == Timeout.of(60.0)


@on_every_flavour
async def test_retries_are_those_of_the_copy(world: World) -> None:
    with ScriptedServer(busy) as server:
        async with world.client(server.url) as client:
            counts = []
            for options in (
                {"max_retries": 0},
                {"max_retries": 1},
                {"retry": RetryPolicy(max_retries=4, initial_delay=0.001)},
                {"retry": RetryPolicy(max_retries=4, initial_delay=0.001), "max_retries": 3},
                {},
            ):
                before = len(server.requests)
                with pytest.raises(InternalServerError):
                    await client.with_options(**options).chat.completions.create(**ASK)
                counts.append(len(server.requests) - before)
    assert counts == [1, 2, 5, 4, 3]


@on_every_flavour
async def test_the_connections_are_shared_and_the_copy_closes_nothing(world: World) -> None:
    with ScriptedServer(serve) as server:
        async with world.client(server.url) as client:
            other = client.with_options(timeout=3)
            async with other:
                await other.chat.completions.create(**ASK)
            await other.aclose()
            await client.chat.completions.create(**ASK)
            await other.chat.completions.create(**ASK)
            assert server.connections == 1
        # The original client has closed the connections.
        with pytest.raises(APIConnectionError) as caught:
            await other.chat.completions.create(**ASK)
        assert caught.value.error_code == "client_closed"


@on_every_flavour
async def test_copies_of_copies_add_up(world: World) -> None:
    with ScriptedServer(serve) as server:
        async with world.client(server.url) as client:
            one = client.with_options(
                timeout=7,
                extra_headers={"X-A": "1", "X-B": "1"},
                extra_query={"a": 1, "b": 1},
                extra_body={"x": 1, "y": 1},
            )
            two = one.with_options(
                max_retries=1,
                extra_headers={"x-b": None, "x-c": "2"},
                extra_query={"b": 2},
                extra_body={"y": 2},
            )
            await two.chat.completions.create(**ASK)
            await one.chat.completions.create(**ASK)
            assert two._config.timeout == one._config.timeout == Timeout.of(7)
            assert (two._config.max_retries, one._config.max_retries) == (1, 2)
        second, first = server.requests
    assert (first.headers["x-a"], first.headers["x-b"]) == ("1", "1")
    assert (second.headers["x-a"], second.headers["x-c"]) == ("1", "2")
    assert "x-b" not in second.headers
    assert first.line.endswith(b"?a=1&b=1 HTTP/1.1")
    assert second.line.endswith(b"?a=1&b=2 HTTP/1.1")
    assert (first.json()["y"], second.json()["x"], second.json()["y"]) == (1, 1, 2)


@on_every_flavour
async def test_nothing_that_is_added_reaches_a_signed_url(world: World, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"content")
    options = {
        "extra_headers": {"X-Key": "1", "Authorization": "Bearer rsk_test_other"},
        "extra_query": {"q": 1},
        "extra_body": {"b": 1},
    }
    body = {"file_name": "a.txt", "mime_type": "text/plain"}

    def flow(url: str) -> "Flow[Any]":
        init = Call(
            method="POST",
            path="/v1/files",
            body=json.dumps(body).encode(),
            reader=EmptyReader(),
        )
        yield init
        source = file_source("file", path)
        yield SignedPut(url=f"{url}/put?sig=1", content_type="text/plain", source=source)
        return "done"

    with ScriptedServer(respond_ok) as server:
        async with world.client(server.url) as client:
            other = client.with_options(**options)
            assert await world.settle(other._runner.run_flow(flow(server.url))) == "done"
        init, put = server.requests
    assert init.headers["x-key"] == "1"
    assert init.json() == {**body, "b": 1}
    assert init.line == b"POST /v1/files?q=1 HTTP/1.1"
    assert put.line == b"PUT /put?sig=1 HTTP/1.1"
    assert set(put.headers) == {"host", "content-type", "content-length"}
    assert put.body == b"content"


@on_every_flavour
async def test_a_key_and_an_id_of_the_programs(world: World) -> None:
    with ScriptedServer(busy) as server:
        async with world.client(server.url) as client:
            other = client.with_options(idempotency_key="order-7", request_id="job:7.a_b-c")
            for call in (other.models.list, partial(other.chat.completions.create, **ASK)):
                with pytest.raises(InternalServerError):
                    await call()
            with pytest.raises(InternalServerError):
                await client.chat.completions.create(**ASK)
            again = other.with_options(request_id="job-8", extra_headers={"X-A": "1"})
            with pytest.raises(InternalServerError):
                await again.models.list()
        requests = [request.headers for request in server.requests]
    gets, posts, plain, last = requests[:3], requests[3:6], requests[6:9], requests[9:]
    assert {one["x-request-id"] for one in (*gets, *posts)} == {"job:7.a_b-c"}
    assert not any("idempotency-key" in one for one in (*gets, *last))
    assert {one["idempotency-key"] for one in posts} == {"order-7"}
    assert not any("x-request-id" in one for one in plain)
    (drawn,) = {one["idempotency-key"] for one in plain}
    assert drawn != "order-7"
    assert {(one["x-request-id"], one["x-a"]) for one in last} == {("job-8", "1")}


@on_every_flavour
async def test_all_views_of_a_client_pay_from_the_same_quota(world: World) -> None:
    policy = RetryPolicy(max_retries=3, initial_delay=0.0001, quota=14 * 5)
    with ScriptedServer(busy) as server:
        async with world.client(server.url, retry=policy) as client:
            errors = []
            for options in ({}, {"timeout": 3}, {"request_id": "a"}, {"retry": policy}):
                with pytest.raises(InternalServerError) as caught:
                    await client.with_options(**options).models.list()
                errors.append(caught.value)
            assert len(server.requests) == 4 + 3 + 1 + 1
            marks = [error.retry_quota_exhausted for error in errors]
            assert marks == [False, True, True, True]
            assert "retry quota" in str(errors[-1])
            free = client.with_options(retry=msgspec.structs.replace(policy, quota=None))
            with pytest.raises(InternalServerError) as caught:
                await free.models.list()
            assert not caught.value.retry_quota_exhausted
            assert len(server.requests) == 9 + 4
        # Another client has a quota of its own.
        async with world.client(server.url, retry=policy) as client:
            with pytest.raises(InternalServerError):
                await client.models.list()
            assert len(server.requests) == 13 + 4


@on_every_flavour
async def test_a_success_pays_back(world: World) -> None:
    policy = RetryPolicy(max_retries=3, initial_delay=0.0001, quota=14)

    def flaky(peer: Peer) -> None:
        for number, _ in enumerate(peer.requests()):
            peer.send(make_response(200 if number % 2 else 503, b"[]"))

    with ScriptedServer(flaky) as server:
        async with world.client(server.url, retry=policy) as client:
            for _ in range(5):
                await client.models.list()
        assert len(server.requests) == 10


@over_both_transports
@on_every_flavour
async def test_the_limit_of_the_gateway_is_one_of_the_client_as_well(
    world: World, over: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("meshapi_core.machines.exchange.ANSWER_MARGIN", 0.02)
    monkeypatch.setattr("meshapi_core.machines.pace.ANSWER_MARGIN", 0.02)

    def silent(peer: Peer) -> None:
        peer.receive()
        peer.wait_until_left()

    with ScriptedServer(silent) as server:
        for call in (
            lambda client: client.chat.completions.create(**ASK, timeout=0.01),
            lambda client: collected(client.chat.completions.stream(**ASK, timeout=0.01)),
            lambda client: client.responses.create(model="m", input="x", timeout=0.01),
            lambda client: collected(client.responses.stream(model="m", input="x", timeout=0.01)),
        ):
            async with client_over(world, over, server.url) as client:
                with pytest.raises(APITimeoutError, match=r"timeout=0\.01 in the parameters"):
                    await call(client)


@on_every_flavour
async def test_the_key_of_a_call_comes_before_a_default_header(world: World) -> None:
    with ScriptedServer(serve) as server:
        headers = {"Idempotency-Key": "default", "X-Team": "a"}
        async with world.client(server.url, default_headers=headers) as client:
            await client.with_options(idempotency_key="mine").chat.completions.create(**ASK)
            await client.chat.completions.create(**ASK)
        first, second = (request.headers for request in server.requests)
    assert (first["idempotency-key"], first["x-team"]) == ("mine", "a")
    assert (second["idempotency-key"], second["x-team"]) == ("default", "a")


@pytest.mark.parametrize("client_class", [MeshAPI, AsyncMeshAPI])
class TestWhatIsRefused:
    @pytest.mark.parametrize(
        "options",
        [
            {"request_id": ""},
            {"request_id": "a b"},
            {"request_id": "x" * 65},
            {"request_id": "a\n"},
            {"request_id": "caf\u00e9"},
            {"request_id": 7},
            {"idempotency_key": ""},
            {"idempotency_key": "a\r\nb"},
            {"idempotency_key": " a"},
            {"idempotency_key": "caf\u00e9"},
            {"idempotency_key": 7},
        ],
    )
    def test_keys_and_ids_that_no_request_can_carry(self, client_class: Any, options: Any) -> None:
        client = client_class(base_url=URL, token=TOKEN)
        with pytest.raises(InvalidParamsError) as caught:
            client.with_options(**options)
        assert caught.value.field == next(iter(options))

    @pytest.mark.parametrize(
        ("options", "name"),
        [
            ({"extra_headers": {"Content-Length": "1"}}, "extra_headers['Content-Length']"),
            ({"extra_headers": {"Host": "x"}}, "extra_headers['Host']"),
            ({"extra_headers": {"Transfer-Encoding": None}}, "extra_headers['Transfer-Encoding']"),
            ({"extra_headers": {"X": "a\r\nb: c"}}, "extra_headers['X']"),
            ({"extra_headers": {"X": 1}}, "extra_headers['X']"),
            ({"extra_headers": "X: 1"}, "extra_headers"),
            ({"extra_query": {"a": {}}}, "extra_query['a']"),
            ({"extra_body": {"stream": True}}, "extra_body['stream']"),
            ({"extra_body": {"a": b"b"}}, "extra_body.a"),
        ],
    )
    def test_extras_that_no_request_can_carry(
        self, client_class: Any, options: Any, name: str
    ) -> None:
        client = client_class(base_url=URL, token=TOKEN)
        with pytest.raises(InvalidParamsError) as caught:
            client.with_options(**options)
        assert caught.value.field == name

    @pytest.mark.parametrize(
        "options",
        [
            {"timeout": "5"},
            {"timeout": 0},
            {"timeout": True},
            {"max_retries": -1},
            {"max_retries": 1.5},
            {"max_retries": True},
            {"retry": 3},
            {"retry": 3, "max_retries": 1},
            {"token": "rsk_test_other"},
            {"base_url": URL},
        ],
    )
    def test_other_options(self, client_class: Any, options: Any) -> None:
        client = client_class(base_url=URL, token=TOKEN)
        with pytest.raises((TypeError, ValueError)):
            client.with_options(**options)


@pytest.mark.parametrize("client_class", [MeshAPI, AsyncMeshAPI])
class TestTheCopyItself:
    def test_it_is_a_client_of_the_same_class(self, client_class: Any) -> None:
        class Mine(client_class):
            pass

        client = Mine(base_url=URL, token=TOKEN)
        other = client.with_options()
        assert type(other) is Mine
        assert repr(other) == f"<Mine {URL}>"
        assert other._config == client._config
        assert other.chat is not client.chat
        assert other.chat is other.chat

    def test_no_repr_shows_what_was_given(self, client_class: Any) -> None:
        other = client_class(base_url=URL, token=TOKEN).with_options(
            extra_headers={"X-Key": "secret"},
            extra_query={"q": "secret"},
            extra_body={"prompt": "secret"},
        )
        for shown in (repr(other), repr(vars(other)), repr(other._config), repr(other.chat)):
            assert "secret" not in shown
            assert TOKEN not in shown

    def test_no_timeout_is_a_timeout_too(self, client_class: Any) -> None:
        client = client_class(base_url=URL, token=TOKEN, timeout=5)
        assert client.with_options(timeout=None)._config.timeout == Timeout.of(None)
        assert client.with_options()._config.timeout == Timeout.of(5)

    def test_what_is_changed_later_changes_nothing(self, client_class: Any) -> None:
        body = {"a": [1]}
        other = client_class(base_url=URL, token=TOKEN).with_options(extra_body=body)
        body["a"].append(2)
        body["b"] = []
        assert other._config.extras.body == {"a": [1]}

    def test_an_own_transport_is_shared_and_stays_open(self, client_class: Any) -> None:
        class Transport:
            closed = 0

            def send(self, *args: Any, **kwargs: Any) -> Any:
                raise AssertionError

            def close(self) -> None:
                self.closed += 1

            aclose = close

        transport = Transport()
        client = client_class(base_url=URL, token=TOKEN, transport=transport)
        other = client.with_options(timeout=5)
        if client_class is MeshAPI:
            other.close()
        assert transport.closed == 0
        assert other._transport is transport
