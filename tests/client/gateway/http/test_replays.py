"""What the local gateway does when a request comes again with the same `Idempotency-Key`."""

import http.client
import json
import threading
import time
from typing import Any, Optional

import anyio
import pytest
from starlette.types import Message, Receive, Scope, Send

from meshapi.gateway.http.replays import KeptResponse, Replayer, Replays
from meshapi.gateway.state import GatewayState
from meshapi.testing import LocalGateway
from support.chat_calls import COMPLETIONS, ask
from support.gateway_calls import Response, call, get

MARK = "idempotent-replayed"


def send(
    gateway: LocalGateway, body: Any, key: Optional[str] = "key-1", path: str = COMPLETIONS
) -> Response:
    return call(gateway, "POST", path, body, Idempotency_Key=key)


@pytest.mark.parametrize("stream", [False, True])
def test_a_repeated_request_gets_the_first_response(gateway: LocalGateway, stream: bool) -> None:
    first, again = (send(gateway, ask("Count to 5.", stream=stream)) for _ in range(2))
    assert (first.status, first.headers[MARK]) == (200, None)
    assert (again.status, again.headers[MARK]) == (200, "true")
    assert again.body == first.body
    assert again.headers["content-type"] == first.headers["content-type"]
    assert again.headers["x-request-id"] != first.headers["x-request-id"]
    # The log has both.
    assert [request.headers["idempotency-key"] for request in gateway.requests] == ["key-1"] * 2


def test_a_replay_costs_nothing_of_the_limits(gateway: LocalGateway) -> None:
    gateway.requests_per_minute = 1
    assert [send(gateway, ask("Hi")).status for _ in range(3)] == [200] * 3
    assert send(gateway, ask("Hi"), "key-2").status == 429
    current = get(gateway, "/v1/usage/rate-limits").json()["key"]["requests_per_minute"]
    assert current["current"] == 1


@pytest.mark.parametrize(
    "other",
    [
        {"body": ask("Hello")},
        {"key": "key-2"},
        {"key": None},
        {"path": f"{COMPLETIONS}?x=1"},
        {"path": "/v1/responses", "body": {"input": "Hi"}},
    ],
)
def test_any_other_request_runs(gateway: LocalGateway, other: Any) -> None:
    send(gateway, ask("Hi"))
    again = send(gateway, **{"body": ask("Hi"), **other})
    assert (again.status, again.headers[MARK]) == (200, None)


def test_a_request_without_a_key_runs_each_time(gateway: LocalGateway) -> None:
    ids = {send(gateway, ask("Hi"), None).json()["id"] for _ in range(3)}
    assert len(ids) == 3


def test_without_the_token_nothing_is_replayed(gateway: LocalGateway) -> None:
    send(gateway, ask("Hi"))
    body = ask("Hi")
    stranger = call(
        gateway, "POST", COMPLETIONS, body, token="rsk_test_other", Idempotency_Key="key-1"
    )
    assert stranger.code == (401, "unauthorized")


def test_after_an_error_the_request_runs_again(gateway: LocalGateway) -> None:
    statuses = [send(gateway, ask("Hi", model="mesh/flaky")).status for _ in range(4)]
    assert statuses == [503, 503, 200, 200]
    assert send(gateway, ask("Hi", model="mesh/flaky")).headers[MARK] == "true"


@pytest.mark.parametrize("stream", [False, True])
def test_a_response_that_broke_off_is_not_replayed(gateway: LocalGateway, stream: bool) -> None:
    broken = [send(gateway, ask("Hi", model="mesh/broken-stream", stream=stream)) for _ in range(2)]
    assert all(response.broken and response.headers[MARK] is None for response in broken)


def test_jobs_begin_once(gateway: LocalGateway) -> None:
    row = {"custom_id": "a", "body": ask("Hi")}
    ids = {send(gateway, {"requests": [row]}, path="/v1/batches").json()["id"] for _ in range(3)}
    assert len(ids) == 1
    assert len(get(gateway, "/v1/batches").json()["data"]) == 1


def test_a_reset_forgets_the_responses(gateway: LocalGateway) -> None:
    first = send(gateway, ask("Hi"))
    gateway.reset()
    again = send(gateway, ask("Hi"))
    assert again.headers[MARK] is None
    assert again.json()["id"] != first.json()["id"]


def test_a_reset_as_soon_as_the_response_is_there_forgets_it_too() -> None:
    state = GatewayState("rsk_test_replays", 0)
    replayed: list[bool] = []

    async def endpoint(scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"{}"})

    async def receive() -> Message:
        return {"type": "http.request", "body": b"{}"}

    async def send(message: Message) -> None:
        if message["type"] == "http.response.start":
            replayed.append(any(name == MARK.encode() for name, _ in message["headers"]))
        else:
            # The client has all of it, and the middleware has yet to go on.
            state.reset()

    async def ask_twice() -> None:
        replayer = Replayer(endpoint, state)
        headers = [(b"authorization", b"Bearer rsk_test_replays"), (b"idempotency-key", b"key-1")]
        for _ in range(2):
            scope = {"type": "http", "method": "POST", "path": COMPLETIONS, "query_string": b""}
            await replayer({**scope, "headers": headers}, receive, send)

    anyio.run(ask_twice)
    assert replayed == [False, False]


@pytest.mark.slow
def test_a_request_waits_for_the_same_one_under_way(gateway: LocalGateway) -> None:
    responses: list[Response] = []
    body = ask("Hi", model="mesh/slow")
    both = [
        threading.Thread(target=lambda: responses.append(send(gateway, body))) for _ in range(2)
    ]
    for thread in both:
        thread.start()
    for thread in both:
        thread.join()
    assert {response.body for response in responses} == {responses[0].body}
    assert sorted(str(response.headers[MARK]) for response in responses) == ["None", "true"]


@pytest.mark.slow
def test_a_client_that_disconnected_gets_the_response_of_its_first_request(
    gateway: LocalGateway,
) -> None:
    body = ask("Hi", model="mesh/slow")
    gateway.requests_per_minute = 1
    headers = {
        "Authorization": f"Bearer {gateway.token}",
        "Content-Type": "application/json",
        "Idempotency-Key": "key-1",
    }
    connection = http.client.HTTPConnection(gateway.url[len("http://") :], timeout=10)
    connection.request("POST", COMPLETIONS, json.dumps(body), headers)
    while not gateway.requests:
        time.sleep(0.01)
    connection.close()
    again = send(gateway, body)
    assert (again.status, again.headers[MARK]) == (200, "true")


@pytest.mark.parametrize(("count", "size", "kept"), [(10_003, 0, 10_000), (9, 8 << 20, 8)])
def test_when_there_are_too_many_responses_the_oldest_are_dropped(
    count: int, size: int, kept: int
) -> None:
    replays, response = Replays(), KeptResponse(200, [], b"x" * size)
    names = [b"%d" % number for number in range(count)]
    for name in names:
        replays.keep(name, response)
    assert [replays.find(name) for name in names[-kept:]] == [response] * kept
    assert not any(replays.find(name) for name in names[:-kept])
