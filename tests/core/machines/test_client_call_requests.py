"""What a `ClientCall` says about its request, and whether it sends the request again."""

from collections.abc import Iterator
from typing import Any, Optional

import pytest
from msgspec import structs

from meshapi_core.bodies import FileSource, StreamedBody
from meshapi_core.config import MeshAPIConfig, Timeout
from meshapi_core.endpoints.chat import Completions
from meshapi_core.errors import APIConnectionError, APITimeoutError
from meshapi_core.machines.actions import SendRequest
from meshapi_core.machines.client_call import ClientCall
from support.randomness import always

ASKED = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}


class Source:
    """An open file."""

    length = 3

    def pieces(self) -> Iterator[bytes]:
        yield from (b"ab", b"c")

    def close(self) -> None:
        pass


def call(**fields: Any) -> ClientCall[Any]:
    config = MeshAPIConfig(base_url="http://localhost:8000", token="rsk_test_1", **fields)
    built = Completions.create.build(**ASKED)
    return ClientCall(built, config, now=0.0, random_bytes=bytes)


def sent(machine: ClientCall[Any], now: float) -> SendRequest:
    action = machine.next_action(now)
    while not isinstance(action, SendRequest):
        action = machine.next_action(now)
    return action


def test_a_call_knows_where_it_goes_before_its_first_attempt():
    machine = call(timeout=Timeout(total=5.0))
    assert str(machine.origin) == "http://localhost:8000"
    assert machine.request.method == "POST"
    assert machine.deadline == 5.0


def test_what_to_send_is_bytes_or_the_pieces_of_an_upload():
    machine = call()
    assert sent(machine, 0.0).content == machine.request.body
    body = StreamedBody((b"<", FileSource("abc.txt"), b">")).open(lambda _: Source())
    request = structs.replace(machine.request, body=body)
    for _ in range(2):
        assert b"".join(SendRequest(request=request, timeout=Timeout()).content) == b"<abc>"
    assert len(body) == 5


@pytest.mark.parametrize("exc", [ConnectionResetError(104, "reset"), BrokenPipeError(32, "pipe")])
def test_a_request_on_a_kept_connection_that_was_dead_is_given_again_for_a_fresh_one(exc):
    machine = call()
    assert not sent(machine, 0.0).fresh
    machine.fail(exc, 0.01, reused=True)
    assert sent(machine, 0.01).fresh
    assert machine.attempts == 1
    # Only once: a server that takes requests and hangs up looks just the same.
    machine.fail(exc, 0.02)
    with pytest.raises(APIConnectionError):
        sent(machine, 0.02)


@pytest.mark.parametrize(("reused", "after"), [(False, 0.01), (True, 30.0)])
def test_a_request_that_may_have_been_seen_is_not_given_again(reused: bool, after: Optional[float]):
    machine = call()
    sent(machine, 0.0)
    machine.fail(ConnectionResetError(104, "reset"), after, reused=reused)
    with pytest.raises(APIConnectionError) as caught:
        sent(machine, after)
    assert caught.value.error_code == "reset"


def test_a_time_out_in_an_unknown_phase_says_what_was_limited():
    config = MeshAPIConfig(token="rsk_test_1", timeout=Timeout.of(2.0), max_retries=0)
    call = ClientCall(Completions.create.build(**ASKED), config, now=0.0, random_bytes=always(0.5))
    action = call.next_action(0.0)
    assert isinstance(action, SendRequest)
    assert action.until == 8.0
    assert action.content_length == len(action.request.body)  # type: ignore[arg-type]
    call.handle_timer(8.0)
    with pytest.raises(APITimeoutError, match="took longer than 8 s in all") as caught:
        while True:
            call.next_action(8.0)
    assert caught.value.phase == "read"


def test_a_client_may_say_that_it_could_not_connect():
    config = MeshAPIConfig(token="rsk_test_1", timeout=Timeout(connect=2.0))
    call = ClientCall(Completions.create.build(**ASKED), config, now=0.0, random_bytes=always(0.5))
    for _ in range(4):
        assert isinstance(call.next_action(0.0), SendRequest)
        call.fail(TimeoutError(), 2.0, stage="connect")
        now = 1000.0
        try:
            action = call.next_action(now)
        except APITimeoutError as exc:
            assert exc.phase == "connect"
            return
        assert isinstance(action, SendRequest) or action.until is not None  # type: ignore[union-attr]
    raise AssertionError("it goes on for ever")


def test_a_phase_without_a_limit_leaves_those_of_the_others():
    for timeout, until in (
        (Timeout(pool=None, connect=1, write=1, read=1), 3.0),
        (Timeout(read=None), None),
        (Timeout(read=None, total=7), 7.0),
    ):
        config = MeshAPIConfig(token="rsk_test_1", timeout=timeout)
        call = ClientCall(
            Completions.create.build(**ASKED), config, now=0.0, random_bytes=always(0.5)
        )
        action = call.next_action(0.0)
        assert isinstance(action, SendRequest)
        assert action.until == until
