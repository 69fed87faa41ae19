"""Connecting to the first of several addresses that responds: "happy eyeballs".

The rules, in the order in which they apply:

1. The first attempt starts at once. The next one starts `delay` seconds after the previous one, or
   at once when an attempt fails. With a delay of None, it starts only when all others have failed.
2. The first attempt that connects wins. The host closes the sockets of all others.
3. When the time is over, the attempts end with a TimeoutError.
4. When every attempt has failed, the error is that of the first one that the server itself refused
   or reset; else that of the first one. So a refusal is not hidden by "network is unreachable".

The host asks for the next action until it is `Dialed`, and reports what happens in between:

    dialing = Dialing(addresses, delay=0.25, until=deadline)
    while not isinstance(action := dialing.next_action(now()), Dialed):
        ...  # StartAttempt: begin to connect; AwaitAttempts: wait for a result or until a time
        dialing.failed(number, error)  # or dialing.connected(number)

Source: https://www.rfc-editor.org/rfc/rfc8305#section-5
"""

from collections.abc import Sequence
from typing import Generic, Optional, TypeVar, Union

from msgspec import Struct

__all__ = ["AwaitAttempts", "Dialed", "Dialing", "StartAttempt"]

A = TypeVar("A")


class StartAttempt(Struct, Generic[A], frozen=True):
    """Begin to connect to an address.

    Fields:
        number: of the attempt, from 0; with which its result is reported.
        address: as it was passed to `Dialing`.
    """

    number: int
    address: A


class AwaitAttempts(Struct, frozen=True):
    """Wait for the result of an attempt under way.

    Fields:
        until: the time at which to ask for the next action even without a result; None is never.
    """

    until: Optional[float]


class Dialed(Struct, frozen=True):
    """An attempt has connected. Close the sockets of all others.

    Fields:
        number: of the attempt.
    """

    number: int


class Dialing(Generic[A]):
    """Decides when to try which address.

    Args:
        addresses: in the order in which to try them; at least one.
        delay: seconds from one attempt to the next; None tries one after the other.
        until: the time at which to give up; None is never.
    """

    def __init__(
        self, addresses: Sequence[A], *, delay: Optional[float], until: Optional[float]
    ) -> None:
        if not addresses:
            raise ValueError("addresses: expected at least one, got none")
        self._addresses = addresses
        self._delay = delay
        self._until = until
        self._started = 0
        self._next_at: Optional[float] = None
        self._running: set[int] = set()
        self._winner: Optional[int] = None
        self._errors: dict[int, OSError] = {}

    def next_action(self, now: float) -> Union[StartAttempt[A], AwaitAttempts, Dialed]:
        """Return what to do next.

        Raises:
            TimeoutError: the time is over.
            OSError: every attempt has failed. It is the exception of one of them.
        """
        if self._winner is not None:
            return Dialed(self._winner)
        if self._until is not None and now >= self._until:
            raise TimeoutError
        if self._is_due(now):
            number = self._started
            self._started += 1
            self._running.add(number)
            self._next_at = None if self._delay is None else now + self._delay
            return StartAttempt(number, self._addresses[number])
        if not self._running:
            raise self._take_error()
        return AwaitAttempts(self._wakes_at())

    def _is_due(self, now: float) -> bool:
        if self._started == len(self._addresses):
            return False
        return not self._running or (self._next_at is not None and now >= self._next_at)

    def _wakes_at(self) -> Optional[float]:
        starts_at = self._next_at if self._started < len(self._addresses) else None
        times = [time for time in (starts_at, self._until) if time is not None]
        return min(times, default=None)

    def connected(self, number: int) -> None:
        """Report that an attempt has connected. The first one reported wins."""
        self._running.remove(number)
        if self._winner is None:
            self._winner = number

    def failed(self, number: int, error: OSError, now: float) -> None:
        """Report that an attempt has failed."""
        self._running.remove(number)
        self._errors[number] = error
        if self._delay is not None:
            self._next_at = now

    def _take_error(self) -> OSError:
        # The machine keeps none of them: their tracebacks hold the frames that hold the machine.
        errors = [self._errors[number] for number in sorted(self._errors)]
        self._errors.clear()
        return next((error for error in errors if isinstance(error, ConnectionError)), errors[0])
