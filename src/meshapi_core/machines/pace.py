"""When the next bytes of a response are due, so that a server that trickles cannot hold a call.

`Timeout.read` is about bytes that advance the response, not about any bytes at all:

    part                          is late
    ----------------------------  -----------------------------------------------------------
    the head                      if it is not whole `read` after the request was sent
    interim responses (1xx)       never: each whole one restarts the head's `read`, up to
                                  `INTERIM_TIMES` times `read` for all of them
    the body of an error          if it is not whole `read` after its head
    the body of a whole response  if fewer than `TRICKLE` bytes of it arrived within `read`
    the body of a stream          if no byte of it arrived within `read`, or no event within
                                  `Timeout.idle`
    trailers, chunk extensions    they do not count as bytes of the body

Where the program has told the gateway how long it may take (`timeout` in the parameters), a head or
a whole response is also late `ANSWER_MARGIN` after that, whatever has arrived: the wait for it ends
then, if it has not ended before.

Times are seconds on any clock that never goes back; `now` is an argument everywhere.
"""

from typing import Optional

from meshapi_core.errors import APITimeoutError
from meshapi_core.messages import SUCCESS

__all__ = ["ANSWER_MARGIN", "INTERIM_TIMES", "TRICKLE", "BodyPace", "HeadPace", "unanswered"]

INTERIM_TIMES = 5
"""How many times `read` a server can gain by interim responses: five minutes where the limit is a
minute. A server that works for longer needs a longer limit, not more interim responses."""

TRICKLE = 1024
"""Bytes of a whole response that must come within each `read`: less than any line has carried since
modems, more than a server sends to keep a connection open."""

ANSWER_MARGIN = 1.0
"""Seconds by which the client waits longer than the gateway was told to work: for its response to
arrive, which then says more than a time-out of ours."""


class HeadPace:
    """The time limit of a head, from the moment at which the wait for it begins.

    Args:
        read: `Timeout.read`.
        now: when the wait begins: the request has been sent.
    """

    __slots__ = ("_interim", "_last", "_read", "until")

    def __init__(self, read: Optional[float], now: float) -> None:
        self._read = read
        self._interim = 0
        self._last = None if read is None else now + INTERIM_TIMES * read
        self.until = None if read is None else now + read
        """When it runs out; None is never."""

    def receive_interim(self, count: int, now: float) -> None:
        """Take note of how many interim responses have come (`HTTP11Connection.interim`)."""
        if count == self._interim or self._read is None or self._last is None:
            return
        # RFC 9110, section 15.2: an interim response reports progress. So it gains the server time,
        # but `_last` bounds it: otherwise a server could hold a call for ever.
        self._interim = count
        self.until = min(now + self._read, self._last)


class BodyPace:
    """The time limit of a body that is read whole.

    Args:
        read: `Timeout.read`.
        now: when the head arrived.
        status: of the response. The body of an error is short, and the limit is the same for all
            of it.
    """

    __slots__ = ("_open", "_read", "_received", "until")

    def __init__(self, read: Optional[float], now: float, *, status: int) -> None:
        self._read = read
        self._open = status in SUCCESS
        self._received = 0
        self.until = None if read is None else now + read
        """When it runs out; None is never."""

    def receive(self, size: int, now: float) -> None:
        """Take note of this many bytes of the body."""
        self._received += size
        # Only a full TRICKLE restarts the limit: single bytes, sent to keep a call waiting, do not.
        if self._received >= TRICKLE and self._open and self._read is not None:
            self._received = 0
            self.until = now + self._read


def unanswered(within: float) -> APITimeoutError:
    """Return the error for a gateway that did not respond in the time that it was given.

    Args:
        within: that time, and `ANSWER_MARGIN`.
    """
    given = within - ANSWER_MARGIN
    return APITimeoutError(
        f"the gateway did not respond within the {given:g} s that timeout={given:g} in the"
        f" parameters gives it, nor {ANSWER_MARGIN:g} s later; to allow more time, pass a larger"
        " timeout to the method",
        phase="read",
    )
