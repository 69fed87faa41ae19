"""What is being recorded: a response, or a realtime session. No I/O."""

from collections.abc import Iterable, Sequence
from typing import Any, Literal, Optional, Union

from meshapi.testing.cassettes.bodies import whole_as_value
from meshapi.testing.cassettes.exchanges import Asked, End, Exchange, Message, Responded, text_of
from meshapi.testing.cassettes.scrubbing import scrubbed
from meshapi_core import Closed

__all__ = ["Recording", "SessionRecording", "message_value"]

_SWITCHED = 101

# The server makes them anew each time.
_OF_UPGRADES = frozenset({"upgrade", "sec-websocket-accept", "sec-websocket-extensions"})


class Recording:
    """A response that is being recorded.

    Args:
        asked: the request.
        secrets: what must not be in the file.
    """

    def __init__(self, asked: Asked, secrets: Sequence[str]) -> None:
        self.asked = asked
        self.secrets = secrets
        self._status: Optional[int] = None
        self._headers: list[tuple[Any, Any]] = []
        self._pieces: list[bytes] = []
        self._end: Literal["whole", "broken", "incomplete"] = "incomplete"

    def begin(self, status: int, headers: Iterable[tuple[Any, Any]]) -> None:
        """Note the head of the response."""
        self._status, self._headers = status, list(headers)

    def add(self, piece: bytes) -> None:
        """Note a piece of the body; `b""` is its end."""
        if piece:
            self._pieces.append(piece)
        else:
            self._end = "whole"

    def broke(self) -> None:
        """Note that the body broke off."""
        self._end = "broken"

    @property
    def has_response(self) -> bool:
        """Whether there was a response."""
        return self._status is not None

    def exchange(self) -> Optional[Exchange]:
        """Return what was recorded; None if there was no response."""
        if self._status is None:
            return None
        response = Responded.of(self._status, self._headers, self._pieces, self._end, self.secrets)
        return Exchange(self.asked, response)


class SessionRecording(Recording):
    """A realtime session that is being recorded, or its refusal."""

    def __init__(self, asked: Asked, secrets: Sequence[str]) -> None:
        super().__init__(asked, secrets)
        self._messages: list[Message] = []
        self._session_end: Optional[End] = None

    def accepted(self, headers: Iterable[tuple[Any, Any]]) -> None:
        """Note that the connection speaks WebSocket now."""
        self.begin(
            _SWITCHED, [each for each in headers if text_of(each[0]).lower() not in _OF_UPGRADES]
        )
        self.add(b"")

    def sent(self, text: str) -> None:
        """Note a message of the program."""
        self._messages.append(Message(sent=message_value(text, self.secrets)))

    def received(self, data: Union[str, bytes]) -> None:
        """Note a message of the gateway."""
        value = message_value(data, self.secrets)
        self._messages.append(Message(received=value, binary=isinstance(data, bytes)))

    def closing(self, code: int, reason: str) -> None:
        """Note that the program closes the session."""
        if self._session_end is None:
            self._session_end = End("program", code, reason)

    def ended(self, closed: Closed) -> Closed:
        """Note the end of the session, and return it."""
        if self._session_end is None and closed.clean:
            self._session_end = End("gateway", closed.code, closed.reason)
        elif self._session_end is None:
            self._session_end = End("nobody", closed.code, closed.reason, closed.error_code)
        return closed

    def exchange(self) -> Optional[Exchange]:
        """Return what was recorded; None if there was no response."""
        found = super().exchange()
        if found is None or found.response.status != _SWITCHED:
            return found
        return Exchange(found.request, found.response, list(self._messages), self._session_end)


def message_value(data: Union[str, bytes], secrets: Sequence[str]) -> dict[str, Any]:
    """Return a message as a value, without secrets."""
    whole = data.encode("utf-8", "surrogatepass") if isinstance(data, str) else data
    return whole_as_value(scrubbed(whole, secrets))
