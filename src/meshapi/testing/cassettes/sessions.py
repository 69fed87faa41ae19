"""A recorded realtime session while it is played: what the program may send next. No I/O.

The program's messages are compared in their order, as JSON. An `event_id` counts for nothing,
because a program may make it up: where the gateway quotes one, the present one takes its place.
"""

from collections.abc import Iterable
from typing import Any, Optional, Union, cast

from msgspec.structs import replace

from meshapi.testing.cassettes.exchanges import Asked, Exchange, Message
from meshapi.testing.cassettes.matching import differences, is_same, nearest
from meshapi.testing.cassettes.recordings import message_value
from meshapi_core import CassetteError, Closed

__all__ = ["Playing"]

_MOST_DIFFERENCES = 3
_LOST = 1006
_HINT = 'To change it, record it with mode="all", or delete the file'


class Playing:
    """One recorded session, or refusal, that is being played.

    Args:
        name: what messages call the file.
        exchange: the recording.
        secrets: what recordings do not have.
    """

    def __init__(self, name: str, exchange: Exchange, secrets: Iterable[str]) -> None:
        self.exchange = exchange
        self._name = name
        self._secrets = list(secrets)
        self._sent = [
            (number, _asked(message.sent))
            for number, message in enumerate(exchange.messages or (), 1)
            if message.sent is not None
        ]
        self._next = 0
        # The IDs of the recording, and those of the program now.
        self._ids: dict[str, str] = {}
        self._is_closing = False

    def sent(self, text: str) -> None:
        """Take a message of the program.

        Raises:
            CassetteError: it is not the one that was recorded.
        """
        value = message_value(text, self._secrets)
        asked = _asked(value)
        if self._next < len(self._sent) and is_same(self._sent[self._next][1], asked):
            recorded = (self.exchange.messages or [])[self._sent[self._next][0] - 1].sent
            before, now = _event_id(recorded), _event_id(value)
            if before and now and before != now:
                self._ids[before] = now
            self._next += 1
            return
        raise CassetteError(self._mismatch(asked))

    def _mismatch(self, asked: Asked) -> str:
        what = f"realtime session: the program sent {asked.path or 'a message'}"
        expected = self._sent[self._next] if self._next < len(self._sent) else None
        if expected is None:
            what = f"{what}, and {self._name} has nothing more that it sends"
        else:
            kind = expected[1].path or "another message"
            what = f"{what}, and {self._name} has {kind} there, as message {expected[0]}"
            if kind == asked.path:
                what = f"{what}, with other content"
        place = nearest([each for _, each in self._sent], asked)
        if place is None:
            return f"{what}. {_HINT}"
        number, recorded = self._sent[place]
        found = differences(replace(recorded, path=""), replace(asked, path=""))
        more = len(found) - _MOST_DIFFERENCES
        shown = "; ".join(each.replace("body.", "", 1) for each in found[:_MOST_DIFFERENCES])
        shown += f"; and {more} more" if more > 0 else ""
        shown = shown or "the same, at another place"
        return f"{what}. The nearest is message {number}: {shown}. {_HINT}"

    def received(self, data: Union[str, bytes]) -> None:
        """Take note of a message of the gateway: there is nothing to note."""

    def closing(self, code: int, reason: str) -> None:
        """Take note that the program closes the session."""
        self._is_closing = True

    def ended(self, closed: Closed) -> Closed:
        """Return how the session ended, which the connection itself may not tell."""
        end = self.exchange.end
        if end is None or end.by != "nobody" or closed.code != _LOST or self._is_closing:
            return closed
        return replace(closed, code=end.code, reason=end.reason, error_code=end.error_code)

    def as_played(self, message: Message) -> Union[str, bytes]:
        """Return a message of the gateway, with the event IDs of the program as they are now."""
        data = message.data()
        if message.binary:
            return data
        text = data.decode("utf-8")
        for before, now in self._ids.items():
            text = text.replace(f'"{before}"', f'"{now}"')
        return text


def _asked(value: dict[str, Any]) -> Asked:
    """Return a message as a request, which can be compared, without its event ID."""
    event = value.get("json")
    if not isinstance(event, dict):
        return Asked("SEND", "", [], value)
    members = cast("dict[str, Any]", event)
    rest = {name: each for name, each in members.items() if name != "event_id"}
    kind = members.get("type")
    return Asked("SEND", kind if isinstance(kind, str) else "", [], {"json": rest})


def _event_id(value: Optional[dict[str, Any]]) -> Optional[str]:
    event = (value or {}).get("json")
    found = cast("dict[str, Any]", event).get("event_id") if isinstance(event, dict) else None
    return found if isinstance(found, str) else None
