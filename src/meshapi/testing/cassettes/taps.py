"""Stands between a realtime session and its connection, and tells the tape what passes."""

from collections.abc import Mapping
from typing import Any, Optional, Union

from meshapi.testing.cassettes.recordings import SessionRecording
from meshapi.testing.cassettes.sessions import Playing
from meshapi.testing.cassettes.tape import Tape
from meshapi_core import (
    CassetteError,
    Closed,
    Failure,
    NeedData,
    RealtimeMessage,
    Response,
    Send,
)

__all__ = ["Tap"]

_Step = Union[Playing, SessionRecording]

_SWITCHED = 101


class Tap:
    """Is told what one realtime session does. See `meshapi_backends._guards.SessionTap`.

    Args:
        tape: decides what is played.
    """

    def __init__(self, tape: Tape) -> None:
        self._tape = tape
        self._step: Optional[_Step] = None
        self._headers: list[tuple[Any, Any]] = []
        self.streams: Mapping[str, Any] = {
            "NetworkStream": self._stream,
            "AsyncNetworkStream": self._async_stream,
        }

    def upgrading(self, session: Any) -> Any:
        """Return what tells the tape of each attempt to connect."""
        return _Upgrading(session, self)

    @property
    def is_played(self) -> bool:
        """Whether the present attempt is played."""
        return isinstance(self._step, Playing)

    def begin(self, action: Send) -> None:
        """Begin an attempt.

        Raises:
            CassetteError: it was not recorded, and nothing new is to be recorded.
        """
        self._step = None
        self._step = self._tape.begin_session(action.request)

    def responded(self, response: Response) -> None:
        """Note the response to an attempt."""
        step = self._step
        if response.status == _SWITCHED:
            self._headers = list(response.headers.raw)
        elif isinstance(step, SessionRecording):
            step.begin(response.status, response.headers.raw)
            step.add(response.body)
            step.add(b"")

    def tapped(self, machine: Any) -> Any:
        """Return a machine that tells the tape what it sends and receives."""
        step = self._step
        assert step is not None
        if isinstance(step, SessionRecording):
            step.accepted(self._headers)
        return _Connection(machine, step)

    def _stream(self, network: Any) -> Any:
        from meshapi.testing.cassettes.player import stream

        return stream(self._played(), network)

    def _async_stream(self, network: Any) -> Any:
        from meshapi.testing.cassettes.player import async_stream

        return async_stream(self._played(), network)

    def _played(self) -> Playing:
        assert isinstance(self._step, Playing)
        return self._step


class _Around:
    """An object of which some methods are others."""

    def __init__(self, inner: Any) -> None:
        self._inner = inner

    def __getattr__(self, name: str) -> Any:
        return getattr(self._inner, name)


class _Upgrading(_Around):
    """What decides on the attempts to connect."""

    def __init__(self, inner: Any, tap: Tap) -> None:
        super().__init__(inner)
        self._tap = tap

    def next_action(self, now: float) -> Any:
        action = self._inner.next_action(now)
        if isinstance(action, Send):
            try:
                self._tap.begin(action)
            except CassetteError as exc:
                # Final, as for a server that cannot be trusted.
                self._inner.receive(Failure(exc, "verify"), now)
                return self._inner.next_action(now)
        return action

    def receive(self, event: Union[Response, Failure], now: float) -> None:
        if isinstance(event, Response):
            self._tap.responded(event)
        self._inner.receive(event, now)


class _WebSocket(_Around):
    def __init__(self, inner: Any, step: _Step) -> None:
        super().__init__(inner)
        self._step = step

    def send_text(self, text: str) -> Any:
        if self._inner.is_open:
            self._step.sent(text)
        return self._inner.send_text(text)


class _Connection(_Around):
    """A `RealtimeConnection`."""

    def __init__(self, inner: Any, step: _Step) -> None:
        super().__init__(inner)
        self._step = step
        self._has_ended = False
        self.websocket = _WebSocket(inner.websocket, step)

    def next_event(self, frames: Optional[int] = None) -> Union[RealtimeMessage, Closed, NeedData]:
        websocket = self._inner.websocket
        event: Any = websocket.next_message(frames)
        if isinstance(event, (str, bytes)):
            self._step.received(event)
            return RealtimeMessage.of(event)
        if isinstance(event, Closed) and not self._has_ended:
            self._has_ended = True
            event = websocket.closed = self._step.ended(event)
        found: Union[Closed, NeedData] = event
        return found

    def close(self, code: int = 1000, reason: str = "") -> Any:
        if self._inner.is_open:
            self._step.closing(code, reason)
        return self._inner.close(code, reason)
