"""What a caller may choose about a realtime session: its limits, and whether to reconnect."""

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
    """The rules by which `RealtimeExchange` reconnects a lost session.

    Fields:
        attempts: the most attempts in a row; a connection that brings a response resets the count.
        codes: the close codes after which to reconnect: a lost connection (1006), a server that
            failed or restarts (1011 to 1014). After others, the same would happen again.
        retry: the delays between attempts; None uses those of the client.

    Raises:
        TypeError, ValueError: a field has an invalid value.
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
        raise_errors: whether error events raise `RealtimeError`; if not, they are messages like
            any other.
        reconnect: the rules for reconnecting a lost session; None does not reconnect.
        max_message_size: the most bytes of one message; a larger one ends the connection with 1009.
        ping_interval: seconds of silence after which to send a ping; None sends none.
        ping_timeout: seconds for anything to arrive after a ping; None waits for ever.
        close_timeout: seconds for the gateway to answer a Close.

    Raises:
        TypeError, ValueError: a field has an invalid value.
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
        """Return a new connection with these limits.

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
            TypeError, ValueError: `timeout` is something else.
        """
        if timeout is False or timeout != 0:
            check_timeout("timeout", timeout, zero=True)

    @staticmethod
    def check_type(kind: object) -> None:
        """Raise unless `kind` can be the type of an event.

        Raises:
            InvalidParamsError: it is not a string, or empty.
        """
        if not isinstance(kind, str) or not kind:
            expected = "the type of an event"
            hint = 'write "response.done", for example'
            raise InvalidParamsError("type", expected, value_name(kind, show=True), hint)
