"""What a realtime session has to remember for the case that it must be connected again."""

from collections.abc import Mapping
from typing import Any, Optional, Union

from meshapi_core._json_kinds import is_mapping, is_object
from meshapi_core.params.plain_values import as_plain
from meshapi_core.realtime.events import RECONNECTED, RealtimeMessage, encode, update_event
from meshapi_core.types.realtime_client import RealtimeClientEvent

__all__ = ["RealtimeMemory"]


class RealtimeMemory:
    """What a session has to remember for the case that it must be connected again.

    A host that drives a `RealtimeExchange` tells that one's `memory` what it sends and receives.

    Attributes:
        failures: connections in a row that brought no response.
        last_error_code: of the last error event since the last response, "" without one.
    """

    def __init__(self) -> None:
        self.failures = 0
        self.last_error_code = ""
        self._session: dict[str, Any] = {}

    def note_sent(self, event: Union[Mapping[str, Any], RealtimeClientEvent]) -> None:
        """Look at what is sent: a configuration adds to those before it, as at the gateway."""
        kind: object = event.get("type") if is_mapping(event) else getattr(event, "type", None)
        if kind == "session.update":
            session = as_plain(event).get("session")
            if is_object(session):
                self._session = _merged(self._session, session)

    def update(self) -> Optional[str]:
        """The event that sends the whole configuration again; None where there is none."""
        if not self._session:
            return None
        return encode(update_event(self._session))

    def note_received(self, message: RealtimeMessage) -> None:
        """Look at what was received."""
        kind = message.type
        if kind == "error":
            error = message.error()
            assert error is not None
            self.last_error_code = error.code
        elif kind not in _GREETINGS:
            self.failures, self.last_error_code = 0, ""


# These come from every new connection, however short its life is.
_GREETINGS = frozenset({"session.created", "session.updated", RECONNECTED})


def _merged(old: Mapping[str, Any], new: Mapping[str, Any]) -> dict[str, Any]:
    merged = dict(old)
    for name, value in new.items():
        before = merged.get(name)
        if is_object(before) and is_object(value):
            value = _merged(before, value)
        merged[name] = value
    return merged
