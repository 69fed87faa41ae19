"""Until when the next bytes of a response must come, so that nobody who drips holds a call.

`Timeout.read` is about bytes that bring the response on, not about any byte at all:

    what                        is too slow
    --------------------------  -------------------------------------------------------------
    the head                    `read` after the request was sent, if it is not whole then
    interim responses (1xx)       are a sign of life: each whole one starts the head's `read`
                                anew, up to `INTERIM_TIMES` times `read` for all of them
    the body of an error        `read` after its head, if it is not whole then
    the body of a whole response  `read` in which fewer than `TRICKLE` bytes of it came
    the body of a stream        `read` in which no byte of it came; `Timeout.idle` in which no
                                event came
    trailers, chunk extensions  count as nothing

Times are seconds on any clock that does not go back; `now` is an argument everywhere.
"""

from typing import Optional

from meshapi_core.messages import SUCCESS

__all__ = ["INTERIM_TIMES", "TRICKLE", "BodyPace", "HeadPace"]

INTERIM_TIMES = 5
"""How many times `read` a server can get by interim responses: five minutes where a minute is the
limit. One that works for longer needs a larger limit, not more of them."""

TRICKLE = 1024
"""Bytes of a whole response that must come in each `read`: less than any line has carried since
modems, more than what is sent to keep a connection open."""


class HeadPace:
    """The limit of a head, from the moment that it is waited for.

    Args:
        read: `Timeout.read`.
        now: when the waiting begins: the request has been sent.
    """

    __slots__ = ("_interim", "_last", "_read", "until")

    def __init__(self, read: Optional[float], now: float) -> None:
        self._read = read
        self._interim = 0
        self._last = None if read is None else now + INTERIM_TIMES * read
        self.until = None if read is None else now + read
        """When it is over; None is never."""

    def receive_interim(self, count: int, now: float) -> None:
        """Take note of how many interim responses there have been (`HTTP11Connection.interim`)."""
        if count == self._interim or self._read is None or self._last is None:
            return
        self._interim = count
        self.until = min(now + self._read, self._last)


class BodyPace:
    """The limit of a body that is read whole.

    Args:
        read: `Timeout.read`.
        now: when the head came.
        status: of the response. The body of an error is short, and is not waited for as long.
    """

    __slots__ = ("_open", "_read", "_received", "until")

    def __init__(self, read: Optional[float], now: float, *, status: int) -> None:
        self._read = read
        self._open = status in SUCCESS
        self._received = 0
        self.until = None if read is None else now + read
        """When it is over; None is never."""

    def receive(self, size: int, now: float) -> None:
        """Take note of so many bytes of the body."""
        self._received += size
        if self._received >= TRICKLE and self._open and self._read is not None:
            self._received = 0
            self.until = now + self._read
