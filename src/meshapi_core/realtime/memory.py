"""What a realtime session must remember to be able to reconnect."""

from collections.abc import Mapping
from typing import Any, Optional, Union

from meshapi_core._json_kinds import is_mapping, is_object
from meshapi_core.params.plain_values import as_plain
from meshapi_core.realtime.events import RECONNECTED, RealtimeMessage, encode, update_event
from meshapi_core.types.realtime_client import RealtimeClientEvent

__all__ = ["RealtimeMemory"]


class RealtimeMemory:
    """What a session must remember to be able to reconnect.

    The host of a `RealtimeExchange` tells its `memory` what it sends and receives.

    Attributes:
        failures: attempts and connections in a row that brought no response.
        last_error_code: the error code of the last error event since the last response; "" if
            there was none.
    """

    def __init__(self) -> None:
        self.failures = 0
        self.last_error_code = ""
        self._session: dict[str, Any] = {}

    def note_sent(self, event: Union[Mapping[str, Any], RealtimeClientEvent]) -> None:
        """Record an event that is sent. A configuration is merged into the earlier ones, as the
        gateway merges them."""
        kind: object = event.get("type") if is_mapping(event) else getattr(event, "type", None)
        if kind == "session.update":
            session = as_plain(event).get("session")
            if is_object(session):
                self._session = _merged(self._session, session)

    def update(self) -> Optional[str]:
        """Return the event that sends the whole configuration again; None if none was sent."""
        if not self._session:
            return None
        return encode(update_event(self._session))

    def note_received(self, message: RealtimeMessage) -> None:
        """Record a message that was received."""
        kind = message.type
        if kind == "error":
            error = message.error()
            assert error is not None
            self.last_error_code = error.code
        elif kind not in _GREETINGS:
            self.failures, self.last_error_code = 0, ""


# Every new connection brings these, however short its life, so they prove nothing.
_GREETINGS = frozenset({"session.created", "session.updated", RECONNECTED})


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(old)
    for name, value in new.items():
        before = merged.get(name)
        if is_object(before) and is_object(value):
            value = _merged(before, value)
        merged[name] = value
    return merged
