"""The models that fail on purpose, seen from the other end of a socket."""

import json
import socket
import time

import pytest

from meshapi.testing import LocalGateway
from support.chat_calls import ask, complete, raw_request, streamed_text, text_of
from support.gateway_calls import TOKEN


class TestFailingModels:
    @pytest.mark.parametrize("stream", [False, True])
    def test_rate_limited_says_when_to_come_back(self, gateway: LocalGateway, stream: bool) -> None:
        response = complete(gateway, ask("Hi", model="mesh/rate-limited", stream=stream))
        assert (response.status, response.headers["retry-after"]) == (429, "1")
        assert response.error["code"] == "rate_limit_exceeded"
        assert response.error["retry_after_seconds"] == 1

    def test_flaky_fails_twice_and_then_responds(self, gateway: LocalGateway) -> None:
        question = ask("What is 2+2?", model="mesh/flaky")
        responses = [complete(gateway, question) for _ in range(6)]
        assert [response.status for response in responses] == [503, 503, 200, 503, 503, 200]
        assert responses[0].error["code"] == "provider_not_available"
        assert text_of(responses[2]) == "2 + 2 = 4."

    def test_flaky_counts_each_user_and_each_gateway_alone(self, gateway: LocalGateway) -> None:
        for user in ("ann", "ben"):
            question = ask("Hi", model="mesh/flaky", user=user)
            assert [complete(gateway, question).status for _ in range(2)] == [503, 503]
        with LocalGateway(token=TOKEN) as other:
            assert complete(other, ask("Hi", model="mesh/flaky", user="ann")).status == 503
        assert complete(gateway, ask("Hi", model="mesh/flaky", user="ann")).status == 200
        gateway.reset()
        assert complete(gateway, ask("Hi", model="mesh/flaky", user="ben")).status == 503

    def test_broken_stream_closes_half_way(
        self, gateway: LocalGateway, caplog: pytest.LogCaptureFixture
    ) -> None:
        response = complete(gateway, ask("Count to 8", model="mesh/broken-stream", stream=True))
        assert response.status == 200
        assert response.broken
        chunks = [json.loads(data) for data in response.frames()]
        assert streamed_text(chunks) == "1 2 3 4"
        whole = complete(gateway, ask("Count to 8", model="mesh/broken-stream"))
        assert whole.broken
        assert 0 < len(whole.body) < int(whole.headers["content-length"])
        assert not caplog.records

    def test_error_in_stream_sends_an_error_frame(self, gateway: LocalGateway) -> None:
        response = complete(gateway, ask("Count to 8", model="mesh/error-in-stream", stream=True))
        *chunks, failure, done = response.frames()
        assert streamed_text([json.loads(data) for data in chunks]) == "1 2 3 4"
        assert json.loads(failure)["error"]["code"] == "gateway_timeout"
        assert done == "[DONE]"
        whole = complete(gateway, ask("Hi", model="mesh/error-in-stream"))
        assert (whole.status, whole.error["code"]) == (504, "gateway_timeout")

    def test_stall_goes_on_with_comments_only(self, gateway: LocalGateway) -> None:
        with raw_request(gateway, ask("Count to 2", model="mesh/stall", stream=True)) as peer:
            received = b""
            while received.count(b": ping\n\n") < 2:
                received += peer.recv(65536)
        assert received.count(b'"content"') == 2
        assert b"[DONE]" not in received

    def test_stall_never_begins_a_whole_response(self, gateway: LocalGateway) -> None:
        with raw_request(gateway, ask("Hi", model="mesh/stall")) as peer:
            peer.settimeout(0.1)
            with pytest.raises(socket.timeout):
                peer.recv(1)

    @pytest.mark.slow
    def test_slow_is_slow_at_any_pace(self, gateway: LocalGateway) -> None:
        started = time.monotonic()
        assert streamed_text(
            complete(gateway, ask("Repeat: one", model="mesh/slow", stream=True)).chunks()
        )
        assert time.monotonic() - started >= 1.5
        assert text_of(complete(gateway, ask("Repeat: one", model="mesh/slow"))) == "one"
