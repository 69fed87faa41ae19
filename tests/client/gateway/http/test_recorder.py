"""What the local gateway keeps of the requests that it receives, and their IDs."""

import http.client
import re
from collections.abc import Iterator

import pytest

from meshapi.testing import LocalGateway
from support.chat_calls import COMPLETIONS, ask, complete
from support.gateway_calls import TOKEN, call, get, post

LIMIT = 8 * 1024 * 1024
REQUEST_ID = re.compile(r"req_[0-9A-HJKMNP-TV-Z]{26}")


def test_a_body_is_kept_as_it_came(gateway: LocalGateway) -> None:
    data = b'{"messages": [],  "x": "\xc3\xa9"}'
    post(gateway, COMPLETIONS, data)
    (request,) = gateway.requests
    assert (request.body, request.size, request.truncated) == (data, len(data), False)


@pytest.mark.slow
@pytest.mark.parametrize("extra", [-1, 0, 1, 100_000])
def test_of_a_long_body_the_beginning_is_kept_and_the_endpoint_gets_it_all(
    gateway: LocalGateway, extra: int
) -> None:
    question = b'{"messages":[{"role":"user","content":"What is 2+2?"}],"user":"'
    data = question + b"y" * (LIMIT + extra - len(question) - 2) + b'"}'
    response = post(gateway, COMPLETIONS, data)
    assert response.json()["choices"][0]["message"]["content"] == "2 + 2 = 4."
    (request,) = gateway.requests
    assert request.body == data[:LIMIT]
    assert (request.size, request.truncated) == (LIMIT + extra, extra > 0)


@pytest.mark.slow
def test_a_long_body_that_nobody_reads_is_kept_as_far_as_it_had_come(
    gateway: LocalGateway,
) -> None:
    def pieces() -> Iterator[bytes]:
        for _ in range(10):
            yield b"x" * 1024 * 1024

    connection = http.client.HTTPConnection(gateway.url[len("http://") :], timeout=30)
    headers = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}
    try:
        connection.request("POST", "/v1/nothing", pieces(), headers)
        assert connection.getresponse().status == 404
    finally:
        connection.close()
    (request,) = gateway.requests
    assert request.truncated
    assert request.body == b"x" * LIMIT


def test_requests_without_a_body_are_kept_too(gateway: LocalGateway) -> None:
    get(gateway, "/v1/models?free=true")
    call(gateway, "GET", "/v1/nothing", token=TOKEN)
    assert [(request.path, request.size) for request in gateway.requests] == [
        ("/v1/models", 0),
        ("/v1/nothing", 0),
    ]


def test_no_repr_shows_a_token(gateway: LocalGateway) -> None:
    get(gateway, f"/v1/models?api_key={TOKEN}")
    post(gateway, COMPLETIONS, TOKEN.encode())
    for request in gateway.requests:
        assert request.headers["authorization"] == f"Bearer {TOKEN}"
        assert request.path in repr(request)
        assert TOKEN not in f"{request!r} {request.headers!r} {request.headers}"


class TestRequestIds:
    @pytest.mark.parametrize(
        ("method", "path"),
        [("GET", "/health"), ("GET", COMPLETIONS), ("GET", "/v1/x"), ("POST", COMPLETIONS)],
    )
    def test_are_on_every_response_and_differ(
        self, gateway: LocalGateway, method: str, path: str
    ) -> None:
        ids = [call(gateway, method, path).headers["x-request-id"] for _ in range(2)]
        assert all(REQUEST_ID.fullmatch(request_id) for request_id in ids)
        assert ids[0] != ids[1]

    def test_are_on_streams(self, gateway: LocalGateway) -> None:
        response = complete(gateway, ask("Hi", stream=True), X_Request_Id="my:id-1._")
        assert response.headers.get_all("x-request-id") == ["my:id-1._"]

    @pytest.mark.parametrize("sent", ["a", "x" * 64])
    def test_are_the_clients_own_if_it_sends_one(self, gateway: LocalGateway, sent: str) -> None:
        response = call(gateway, "GET", "/v1/nothing", X_Request_Id=sent)
        assert response.headers["x-request-id"] == response.json()["request_id"] == sent

    @pytest.mark.parametrize("sent", ["", "x" * 65, "a b", "é", "{}"])
    def test_are_new_if_the_clients_own_is_unfit(self, gateway: LocalGateway, sent: str) -> None:
        response = call(gateway, "GET", "/health", X_Request_Id=sent)
        assert REQUEST_ID.fullmatch(response.headers["x-request-id"])
