"""How long a program waits in a session: for which message, and the errors of waits in vain."""

from typing import Optional

from meshapi_core.errors import APITimeoutError
from meshapi_core.realtime.events import RealtimeMessage

__all__ = ["MessageWait", "no_message", "not_sent"]


class MessageWait:
    """The wait for a message of one type; those before it are passed over.

        wait = MessageWait("response.done", 5.0, now())
        while not wait.takes(message := receive(until=wait.end), now()): pass

    Args:
        kind: the type that is wanted.
        timeout: seconds for all of it; 0 looks at what is there, None waits for ever.
        now: the time at which it begins.

    Attributes:
        end: the time at which it is over; None for never.
    """

    LAST_LOOK = 0.25
    """Seconds for which what has arrived is still gone through when a limit is over.

    A limit of 0 is meant to find what is there, and of a peer that sends without a pause there is
    always more.
    """

    def __init__(self, kind: str, timeout: Optional[float], now: float) -> None:
        self.end = None if timeout is None else now + timeout
        self._kind = kind
        self._timeout = timeout

    def takes(self, message: RealtimeMessage, now: float) -> bool:
        """Whether this is the message that was waited for.

        Raises:
            APITimeoutError: it is not, and the time is over.
        """
        if message.type == self._kind:
            return True
        if self.end is not None and now >= self.end + (0.0 if self._timeout else self.LAST_LOOK):
            raise self.error
        return False

    @property
    def error(self) -> APITimeoutError:
        """The error for whoever waited in vain; the session goes on."""
        return no_message(self._timeout, self._kind)


def no_message(timeout: Optional[float], kind: str = "") -> APITimeoutError:
    """The error for whoever waited so many seconds for a message; the session goes on.

    Args:
        kind: the only type of message that was wanted; "" for any.
    """
    what = f"message of the type {kind!r}" if kind else "message"
    return APITimeoutError(f"no {what} came within {timeout} s", phase="read")


def not_sent(timeout: Optional[float]) -> APITimeoutError:
    """The error for whoever waited so many seconds while the gateway took nothing in."""
    return APITimeoutError(f"the event could not be sent within {timeout} s", phase="write")
