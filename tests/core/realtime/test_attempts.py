"""Attempts at a connection: how many there are, how far apart, and what counts as one."""

from typing import Optional

import pytest

from meshapi_core.config import MeshAPIConfig
from meshapi_core.errors import APIConnectionError, ProtocolError
from meshapi_core.headers import Headers
from meshapi_core.machines.exchange import Send, Wait
from meshapi_core.messages import Failure, Response
from meshapi_core.realtime import RealtimeCall, Reconnect
from meshapi_core.realtime.attempts import Attempts
from meshapi_core.retries import RetryPolicy
from meshapi_core.websocket.closing import Closed
from support.randomness import always
from support.websocket_frames import accept

# Delays without a random part: 1, 2, 4 seconds.
POLICY = RetryPolicy(max_retries=2, initial_delay=2.0, max_delay=64.0)
LOST = Closed(1006, error_code="disconnected")


def attempts(reconnect: Optional[Reconnect] = None) -> Attempts:
    config = MeshAPIConfig(base_url="http://localhost", token="rsk_test_attempts", retry=POLICY)
    call = RealtimeCall(model="m")
    return Attempts(call, config, reconnect, now=0.0, random_bytes=always(0.0))


def failed() -> Failure:
    return Failure(APIConnectionError("it broke", error_code="reset"), "connect")


def switched(send: Send) -> Response:
    key = dict(send.request.headers)["sec-websocket-key"]
    fields = {"upgrade": "websocket", "connection": "Upgrade", "sec-websocket-accept": accept(key)}
    return Response(101, Headers(fields))


def attempt(series: Attempts, now: float, *, succeeds: bool) -> float:
    """Make the next attempt; return when it was made."""
    action = series.next_action(now)
    if isinstance(action, Wait):
        now += action.seconds
        action = series.next_action(now)
    assert isinstance(action, Send)
    assert series.receive(switched(action) if succeeds else failed(), now) is succeeds
    return now


def test_the_first_series_is_that_of_the_configuration_and_the_next_that_of_the_caller():
    series = attempts(Reconnect(attempts=4, retry=POLICY))
    times = [attempt(series, 0.0, succeeds=False)]
    times.append(attempt(series, times[-1], succeeds=False))
    assert series.error is None
    times.append(attempt(series, times[-1], succeeds=True))
    assert times == [0.0, 1.0, 3.0]
    series.connected(again=False)
    assert series.memory.failures == 0
    assert series.follow(LOST, 10.0)
    series.made = 0
    now, times = 10.0, []
    for _ in range(4):
        assert series.error is None
        now = attempt(series, now, succeeds=False)
        times.append(now)
    assert times == [11.0, 12.0, 14.0, 18.0]
    assert series.error is not None


def test_series_without_a_response_between_them_have_their_attempts_together():
    series = attempts(Reconnect(attempts=3, retry=POLICY))
    attempt(series, 0.0, succeeds=True)
    series.connected(again=False)
    now, waits = 0.0, []
    for _ in range(3):
        assert series.follow(LOST, now)
        before, now = now, attempt(series, now, succeeds=True)
        waits.append(now - before)
        series.connected(again=True)
    assert waits == [1.0, 2.0, 4.0]
    assert series.is_last(LOST)
    assert not series.follow(LOST, now)


def test_interrupted_attempts_and_unused_connections_do_not_count():
    series = attempts(Reconnect(attempts=2, retry=POLICY))
    attempt(series, 0.0, succeeds=True)
    series.connected(again=False)
    series.made = 0
    series.follow(LOST, 0.0)
    now = attempt(series, 0.0, succeeds=False)
    assert isinstance(series.next_action(now + 1.0), Send)
    series.broken_off()
    assert (series.made, series.memory.failures) == (1, 1)
    series.follow(LOST, now)
    now = attempt(series, now, succeeds=True)
    series.connected(again=True)
    assert (series.made, series.memory.failures) == (2, 2)
    series.unused()
    assert (series.made, series.memory.failures) == (1, 1)
    assert not series.is_last(LOST)


@pytest.mark.parametrize("closed", [Closed(1000, clean=True), Closed(1008, clean=True)])
def test_other_ends_are_not_followed_by_a_reconnection(closed):
    for series in (attempts(Reconnect()), attempts(None)):
        assert series.is_last(closed)
        assert not series.follow(closed, 0.0)
    assert attempts(None).is_last(LOST)


def test_an_invalid_101_ends_the_attempts():
    series = attempts(Reconnect())
    assert isinstance(series.next_action(0.0), Send)
    assert not series.receive(Response(101, Headers()), 0.0)
    assert isinstance(series.error, ProtocolError)
    assert series.error.__traceback__ is None, "its frames hold what the server quotes"
