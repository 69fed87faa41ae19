"""What a session offers above single events: the core has it, and needs what is here."""

from collections.abc import Awaitable, Callable, Generator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional, Union

from typing_extensions import Buffer

from meshapi_backends._async.realtime.link import Outgoing
from meshapi_backends._async.realtime.link_opener import AsyncLinkOpener
from meshapi_backends._async.realtime.reconnecting_link import AsyncReconnectingLink
from meshapi_core import (
    END_OF_STREAM,
    MeshAPIError,
    RealtimeConnection,
    RealtimeExchange,
    RealtimeMessage,
)
from meshapi_core.turns import AsyncTalks
from meshapi_core.types import RealtimeClientEvent, RealtimeSessionConfig

if TYPE_CHECKING:
    from meshapi_backends._async.flows import AsyncFlowSteps

_COMMIT_AUDIO = '{"type":"input_audio_buffer.commit"}'
# The flows of a session make no calls.
_NO_RUNNER: Any = None


class AsyncSessionOfTurns:
    """A session, as turns use it.

    Args:
        receive: returns the next message by a time, or raises its error.
        is_end: whether an error is the normal end of the session.
        link: the session's.
        opener: of its links.
    """

    def __init__(
        self,
        receive: Callable[[Optional[float]], Awaitable[RealtimeMessage]],
        is_end: Callable[[MeshAPIError], bool],
        link: AsyncReconnectingLink,
        opener: AsyncLinkOpener,
    ) -> None:
        self._receive = receive
        self._is_end = is_end
        self._link = link
        self._opener = opener
        self._steps: Optional[AsyncFlowSteps[Any]] = None

    def is_end(self, error: MeshAPIError) -> bool:
        return self._is_end(error)

    @property
    def closed(self) -> bool:
        return self._link.closed

    @property
    def secrets(self) -> tuple[str, ...]:
        return self._opener.secrets

    def end_of(self, timeout: Optional[float]) -> Optional[float]:
        return None if timeout is None else self._opener.network.now() + timeout

    async def receive_message(self, end: Optional[float]) -> RealtimeMessage:
        return await self._receive(end)

    async def send_events(
        self,
        events: Sequence[Mapping[str, Any]],
        queued: Callable[[], object],
        *,
        in_conversation: bool,
    ) -> bool:
        texts = [RealtimeConnection.encode(event) for event in events]
        for event in events:
            self._opener.exchange.memory.note_sent(event)
        number = self._opener.inbox.taken_from if in_conversation else None
        return await self._link.send(Outgoing(texts, queued, number))

    async def run_flow(self, flow: Generator[Any, Any, object]) -> None:
        # Loaded when it is used: few sessions call functions of the program's.
        from meshapi_backends._async.flows import AsyncFlowSteps

        opener = self._opener
        steps = AsyncFlowSteps(flow, _NO_RUNNER, lambda: opener.network, lambda: opener.pool.calls)
        self._steps = steps
        if self._link.is_ending:
            steps.wake()
        try:
            while await steps.next() is not END_OF_STREAM:
                pass
        finally:
            self._steps = None

    def wake(self) -> None:
        """End the functions that run, as the session was closed."""
        steps = self._steps
        if steps is not None:
            steps.wake()


class AsyncTalkingSession(AsyncTalks):
    """The base class of a session, with everything that is sent."""

    _link: AsyncReconnectingLink
    _opener: AsyncLinkOpener
    _exchange: RealtimeExchange
    # Few programs need it.
    _host: Optional[AsyncSessionOfTurns] = None

    async def send(self, event: Union[Mapping[str, Any], RealtimeClientEvent]) -> None:
        """Send an event.

        Waits while the gateway does not read. If that is cancelled or times out, the event may
        still be sent later, but always whole.

        Args:
            event: a dict with a `type`, or a typed event; its other fields are not checked.

        Raises:
            InvalidParamsError: the event is not a JSON object with a `type`; nothing is sent.
            RealtimeConnectionClosed: the session is over.
            APITimeoutError: the event could not be sent within the write timeout.
        """
        text = RealtimeConnection.encode(event)
        self._exchange.memory.note_sent(event)
        await self._send(text)

    async def send_audio(self, audio: Buffer) -> None:
        """Add audio to the input, as `input_audio_buffer.append`.

        Args:
            audio: in the session's input format: PCM16, one channel, 24,000 samples a second
                unless it was configured otherwise. The gateway takes about 15 MiB at once.

        Raises:
            As for `send`.
        """
        await self._send(RealtimeConnection.encode_audio(audio))

    async def commit_audio(self) -> None:
        """End the turn: the audio so far is complete. Not needed where the gateway detects silence.

        Raises:
            As for `send`.
        """
        await self._send(_COMMIT_AUDIO)

    async def update(self, session: Union[Mapping[str, Any], RealtimeSessionConfig]) -> None:
        """Change the session's configuration, which `session.updated` confirms.

        Args:
            session: the fields to change; `type` is "realtime" unless given.

        Raises:
            As for `send`.
        """
        await self.send(RealtimeConnection.update_event(session))

    async def _send(self, text: str) -> None:
        if self._machine is not None:
            await self._tell_tools()
        await self._link.send(text)

    def _turn_host(self) -> AsyncSessionOfTurns:
        host = self._host
        if host is None:
            host = AsyncSessionOfTurns(self._next, self._is_normal_end, self._link, self._opener)
            self._host = host
        return host

    def _end_functions(self) -> None:
        """End the functions that run, of which one may have closed the session."""
        if self._host is not None:
            self._host.wake()

    def _is_normal_end(self, exc: MeshAPIError) -> bool:
        return self._opener.exchange.is_normal_end(exc, self._link.current.machine.closed)

    def _next(self, end: Optional[float]) -> Awaitable[RealtimeMessage]:
        """As in `AsyncRealtimeSession`."""
        raise NotImplementedError
