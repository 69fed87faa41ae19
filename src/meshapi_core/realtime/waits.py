"""How long a program waits for something in a session, and the errors when its time runs out."""

from typing import Optional

from meshapi_core.errors import APITimeoutError
from meshapi_core.realtime.events import RealtimeMessage

__all__ = ["MessageWait", "no_message", "not_sent"]


class MessageWait:
    """The wait for a message of one type; other messages are skipped.

        wait = MessageWait("response.done", 5.0, now())
        while not wait.takes(message := receive(until=wait.end), now()): pass

    Args:
        kind: the type to wait for.
        timeout: seconds for the whole wait; 0 only looks at what has arrived, None waits for ever.
        now: the time at which the wait begins.

    Attributes:
        end: the time at which the wait ends; None for never.
    """

    LAST_LOOK = 0.25
    """Seconds for which what has already arrived may still be read after a time limit ran out.

    A limit of 0 is meant to find a message that is there. But if the peer sends without a pause,
    there is always more, so that look needs a limit, too.
    """

    def __init__(self, kind: str, timeout: Optional[float], now: float) -> None:
        self.end = None if timeout is None else now + timeout
        self._kind = kind
        self._timeout = timeout

    def takes(self, message: RealtimeMessage, now: float) -> bool:
        """Return whether this is the message that was waited for.

        Raises:
            APITimeoutError: it is not, and the time has run out.
        """
        if message.type == self._kind:
            return True
        if self.end is not None and now >= self.end + (0.0 if self._timeout else self.LAST_LOOK):
            raise self.error
        return False

    @property
    def error(self) -> APITimeoutError:
        """The error when no such message arrived in time; the session goes on."""
        return no_message(self._timeout, self._kind)


def no_message(timeout: Optional[float], kind: str = "") -> APITimeoutError:
    """Return the error when no message arrived in time; the session goes on.

    Args:
        timeout: the time limit in seconds.
        kind: the type of message that was waited for; "" for any.
    """
    what = f"message of type {kind!r}" if kind else "message"
    return APITimeoutError(f"no {what} arrived within {timeout} s", phase="read")


def not_sent(timeout: Optional[float]) -> APITimeoutError:
    """Return the error when an event could not be sent in time, as the gateway reads nothing."""
    return APITimeoutError(f"the event could not be sent within {timeout} s", phase="write")
