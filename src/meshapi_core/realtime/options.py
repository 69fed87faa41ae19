"""What a caller may choose about a realtime session: its limits, and what follows its loss."""

from collections.abc import Callable, Iterable, Sequence, Set
from typing import Optional, cast

from msgspec import Struct
from msgspec.structs import force_setattr

from meshapi_core._checks import check_count, check_kind, check_seconds, check_timeout
from meshapi_core._json_kinds import type_name, value_name
from meshapi_core._named_fields import NamedFields
from meshapi_core.errors import InvalidParamsError
from meshapi_core.realtime.connection import RealtimeConnection
from meshapi_core.retries import RetryPolicy
from meshapi_core.websocket.frames import MAX_MESSAGE_SIZE, ApplyMask
from meshapi_core.websocket.timeouts import CLOSE_TIMEOUT, PING_INTERVAL, PING_TIMEOUT

__all__ = ["RealtimeOptions", "Reconnect"]


class Reconnect(Struct, frozen=True, metaclass=NamedFields):
    """Whether and how a lost session is connected again: what `RealtimeExchange` goes by.

    Fields:
        attempts: how often in a row, until a connection lives long enough to bring a response.
        codes: the ends that are worth it: a lost connection (1006), a server that failed or
            restarts (1011 to 1014). Others would end in the same way again.
        retry: the delays; those of the client where it is None.

    Raises:
        TypeError, ValueError: a field is not usable.
    """

    attempts: int = 5
    codes: frozenset[int] = frozenset({1006, 1011, 1012, 1013, 1014})
    retry: Optional[RetryPolicy] = None

    def __post_init__(self) -> None:
        # For callers without a type checker.
        check_count("attempts", self.attempts, 1)
        check_kind("retry", self.retry, RetryPolicy, optional=True)
        force_setattr(self, "codes", _checked_codes(self.codes))


def _checked_codes(codes: object) -> frozenset[int]:
    if not isinstance(codes, (Set, Sequence)) or isinstance(codes, (str, bytes)):
        hint = "; write {x}" if isinstance(codes, int) else ""
        raise TypeError(f"codes: expected a set of int, got {type_name(codes)}{hint}")
    items = [*cast("Iterable[object]", codes)]
    for code in items:
        check_count("codes", code, 1000)
    return cast("frozenset[int]", frozenset(items))


class RealtimeOptions(Struct, frozen=True, kw_only=True, metaclass=NamedFields):
    """How a session behaves.

    Fields:
        raise_errors: error events raise `RealtimeError`; else they are messages like others.
        reconnect: whether to connect again when the connection is lost.
        max_message_size: bytes of one message; a larger one ends the session with 1009.
        ping_interval: seconds of silence after which the gateway is asked whether it is there;
            None does not ask.
        ping_timeout: seconds it has to answer; None waits for ever.
        close_timeout: seconds it has to answer a Close.

    Raises:
        TypeError, ValueError: a field is not usable.
    """

    raise_errors: bool = True
    reconnect: Optional[Reconnect] = None
    max_message_size: int = MAX_MESSAGE_SIZE
    ping_interval: Optional[float] = PING_INTERVAL
    ping_timeout: Optional[float] = PING_TIMEOUT
    close_timeout: float = CLOSE_TIMEOUT

    def __post_init__(self) -> None:
        # For callers without a type checker.
        check_kind("raise_errors", self.raise_errors, bool)
        check_kind("reconnect", self.reconnect, Reconnect, optional=True)
        check_count("max_message_size", self.max_message_size, 1)
        check_timeout("ping_interval", self.ping_interval)
        check_timeout("ping_timeout", self.ping_timeout)
        check_seconds("close_timeout", self.close_timeout)

    def connection(
        self,
        random_bytes: Optional[Callable[[int], bytes]] = None,
        apply_mask: Optional[ApplyMask] = None,
    ) -> RealtimeConnection:
        """A machine with these limits.

        Args:
            random_bytes, apply_mask: as for `WebSocketConnection`.
        """
        return RealtimeConnection(
            random_bytes=random_bytes,
            apply_mask=apply_mask,
            max_message_size=self.max_message_size,
            ping_interval=self.ping_interval,
            ping_timeout=self.ping_timeout,
            close_timeout=self.close_timeout,
        )

    @staticmethod
    def check_timeout(timeout: object) -> None:
        """Raise unless it is None, 0, or a number of seconds.

        Raises:
            TypeError, ValueError: it is something else.
        """
        if timeout is False or timeout != 0:
            check_timeout("timeout", timeout, zero=True)

    @staticmethod
    def check_type(kind: object) -> None:
        """Raise unless it can be the type of an event.

        Raises:
            InvalidParamsError: it can't.
        """
        if not isinstance(kind, str) or not kind:
            expected = "the type of an event"
            hint = 'write "response.done", for example'
            raise InvalidParamsError("type", expected, value_name(kind, show=True), hint)
