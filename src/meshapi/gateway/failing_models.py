"""The models that fail on purpose. `meshapi.testing` describes each of them."""

from collections.abc import AsyncIterator, Mapping
from typing import NamedTuple

from starlette.requests import Request

from meshapi.gateway import clock
from meshapi.gateway.http.errors import GatewayError
from meshapi.gateway.http.streams import ConnectionCut, PacedFrames, play, play_half
from meshapi.gateway.http.wire import DONE, PING, frame
from meshapi.gateway.models import (
    BROKEN_STREAM,
    ERROR_IN_STREAM,
    FLAKY,
    JOB_FAILED,
    RATE_LIMITED,
    REFUSAL,
    SLOW,
    STALL,
)
from meshapi.gateway.state import GatewayState

_FAILURES_OF_FLAKY = 2
_PING_EVERY = 0.1

# Seconds until mesh/slow begins to respond, and between two of its words.
SLOW_START = 1.0
SLOW_PAUSE = 0.5


class Failure(NamedTuple):
    """How the gateway reports that a provider failed: the arguments of a `GatewayError`."""

    status: int
    code: str
    message: str


TIMEOUT = Failure(504, "gateway_timeout", "Upstream provider did not respond in time.")
CLOSED = Failure(502, "upstream_error", "The provider closed the connection.")

BREAKS_OFF: Mapping[str, Failure] = {
    BROKEN_STREAM: CLOSED,
    ERROR_IN_STREAM: TIMEOUT,
}
"""How models that break off their responses fail where nobody sees a response begin, as in jobs."""

FAILED_JOBS: Mapping[str, Failure] = {
    **BREAKS_OFF,
    JOB_FAILED: Failure(500, "provider_job_failed", "The provider could not finish the job."),
    REFUSAL: Failure(
        400, "content_policy_violation", "The request violates the provider's policy."
    ),
}
"""The failures of models that accept a job and then do not finish it."""


def refuse(state: GatewayState, model: str, user: str = "") -> None:
    """Fail before the response begins, if that is how the model fails.

    Args:
        user: the user of the request; `mesh/flaky` counts its failures for each one separately.

    Raises:
        GatewayError: always for `mesh/rate-limited`, two times out of three for `mesh/flaky`.
    """
    if model == RATE_LIMITED:
        message = "Too many requests. Try again in 1 second."
        raise GatewayError(429, "rate_limit_exceeded", message, retry_after_seconds=1)
    if model == FLAKY:
        turn = state.next_turn(f"{FLAKY} {user}") % (_FAILURES_OF_FLAKY + 1)
        if turn < _FAILURES_OF_FLAKY:
            message = f"The provider is not available (failure {turn + 1} of {_FAILURES_OF_FLAKY})."
            raise GatewayError(503, "provider_not_available", message)


async def hold_back(model: str, request: Request) -> None:
    """Wait or fail before a whole response, if that is how the model fails.

    Raises:
        GatewayError: 504 for `mesh/error-in-stream`.
    """
    if model == SLOW:
        await clock.sleep(SLOW_START)
    elif model == ERROR_IN_STREAM:
        raise GatewayError(*TIMEOUT)
    elif model == STALL:
        # Wait until the client disconnects; the response that is made after that goes nowhere.
        while (await request.receive())["type"] != "http.disconnect":
            pass


async def body_of(model: str, body: bytes) -> AsyncIterator[bytes]:
    """The body of a whole response; `mesh/broken-stream` sends only the first half of it."""
    if model == BROKEN_STREAM:
        yield body[: len(body) // 2]
        raise ConnectionCut
    yield body


def frames_of(model: str, frames: PacedFrames, pause: float) -> AsyncIterator[bytes]:
    """The frames of the stream, in the way that the model plays it."""
    if model == BROKEN_STREAM:
        return cut_half_way(frames, pause)
    if model == ERROR_IN_STREAM:
        return fail_half_way(frames, pause, GatewayError(*TIMEOUT))
    if model == STALL:
        return stall_half_way(frames, pause)
    if model == SLOW:
        return crawl(frames, SLOW_START, SLOW_PAUSE)
    return play(frames, pause)


async def cut_half_way(frames: PacedFrames, pause: float) -> AsyncIterator[bytes]:
    """The first half of the stream, and then the end of the connection."""
    async for data in play_half(frames, pause):
        yield data
    raise ConnectionCut


async def fail_half_way(
    frames: PacedFrames, pause: float, error: GatewayError
) -> AsyncIterator[bytes]:
    """The first half of the stream, then an error, then [DONE]."""
    async for data in play_half(frames, pause):
        yield data
    yield frame({"error": error.error})
    yield DONE


async def stall_half_way(frames: PacedFrames, pause: float) -> AsyncIterator[bytes]:
    """The first half of the stream, and then pings without end."""
    async for data in play_half(frames, pause):
        yield data
    while True:
        await clock.sleep(_PING_EVERY)
        yield PING


async def crawl(frames: PacedFrames, start: float, pause: float) -> AsyncIterator[bytes]:
    """The whole stream, after a wait."""
    await clock.sleep(start)
    async for data in play(frames, pause):
        yield data
