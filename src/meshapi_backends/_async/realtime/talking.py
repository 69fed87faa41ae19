"""What a session offers above single events: to ask the model, and to get its turns."""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional

from meshapi_backends._async.networks import AsyncNetwork
from meshapi_backends._async.realtime.link import Outgoing
from meshapi_core import MeshAPIError, RealtimeConnection, RealtimeMessage, StreamUsageError

if TYPE_CHECKING:
    from meshapi_backends._async.realtime.link_opener import AsyncLinkOpener
    from meshapi_backends._async.realtime.reconnecting_link import AsyncReconnectingLink
    from meshapi_backends._async.realtime.turn_stream import AsyncRealtimeTurns
    from meshapi_core import RealtimeExchange
    from meshapi_core.realtime.turns import SessionTool, TurnMachine

# After these, a response that was asked for has begun, or never will.
_OUTCOMES = frozenset({"response.created", "error", "meshapi.reconnected"})


class AsyncTalks:
    """The base class of a session."""

    _link: "AsyncReconnectingLink"
    _opener: "AsyncLinkOpener"
    _exchange: "RealtimeExchange"
    _network: AsyncNetwork
    _machine: "Optional[TurnMachine]" = None
    # Responses that were asked for here and have not begun.
    _asked: int = 0

    async def send_text(self, text: str, *, respond: bool = True) -> None:
        """Send a message of the user's, and ask the model to respond.

        Both are sent, or none, if this is cancelled.

        Args:
            text: what the user says.
            respond: False only adds the message to the conversation.

        Raises:
            InvalidParamsError: the text is no str.
            RealtimeConnectionClosed: the session is over.
            APITimeoutError: it could not be sent within the write timeout.
        """
        from meshapi_core.realtime.turns import text_events

        await self._ask(text_events(text, respond=respond), int(respond))

    async def say(self, text: str) -> None:
        """Ask the model to say a text, word for word; what it says is part of the conversation.

        It is a request to the model, which mostly does so. The instructions of the session do not
        count for this response.

        Raises:
            As for `send_text`.
        """
        from meshapi_core.realtime.turns import say_events

        await self._ask(say_events(text), 1)

    async def send_tool_output(self, call_id: str, output: str, *, respond: bool = True) -> None:
        """Send what a function returned, for a call that `turns` did not make itself.

        Args:
            call_id: as in `turn.tool_calls`.
            output: for the model to read.
            respond: False if outputs of other calls follow; otherwise the model goes on.

        Raises:
            As for `send_text`.
        """
        from meshapi_core.realtime.turns import output_events

        await self._ask(output_events(call_id, output, respond=respond), int(respond))

    def turns(
        self,
        *,
        tools: "Optional[Sequence[SessionTool]]" = None,
        on_audio: Optional[Callable[[bytes], object]] = None,
        on_text: Optional[Callable[[str], object]] = None,
        on_message: Optional[Callable[[RealtimeMessage], object]] = None,
        max_concurrent_calls: int = 8,
        tool_timeout: Optional[float] = None,
    ) -> "AsyncRealtimeTurns":
        """Return the model's responses, each put together from its events, to iterate over.

        The loop ends as that over the session does. It can be left, or cancelled anywhere, and
        begun again by another call of `turns`: a half-built turn stays in the session. Messages
        that `receive` or `wait_for` returns are not part of turns.

        Args:
            tools: functions, or `FunctionTool`s, that the model may call. They are called when the
                loop asks for the turn after the one that has the calls; the outputs are sent, and
                the model is asked to go on. Call `turns` before you ask for a response: the gateway
                must know the tools by then. None leaves the tools as they are.
            on_audio: is called with each piece of audio when it arrives; the turns then have none.
            on_text: is called with each piece of text or transcript when it arrives.
            on_message: is called with each message, before anything else happens with it.
            max_concurrent_calls: how many functions may run at the same time; with 1, plain
                functions run in the caller's thread if they have no time limit.
            tool_timeout: seconds that each function may take; None is no limit.

        Raises:
            InvalidParamsError: a tool is none, or two have the same name.
            ValueError: a limit is out of range.
            StreamUsageError: the tools come too late for a response that was asked for.
        """
        from meshapi_backends._async.realtime.turn_stream import AsyncRealtimeTurns

        machine = self._turn_machine()
        if tools is not None:
            if not machine.tools.are(tools):
                if self._asked:
                    raise StreamUsageError(
                        "the gateway must know the tools before it is asked for a response; call"
                        " turns(tools=...) before send_text(), and iterate over what it returns"
                    )
                machine.tools.offer(tools)
            machine.tools.limit(max_concurrent_calls, tool_timeout)
        machine.secrets = self._opener.secrets
        hooks = {"on_audio": on_audio, "on_text": on_text, "on_message": on_message}
        return AsyncRealtimeTurns(
            machine, hooks, self._receive_within, self._send_together, self._is_normal_end
        )

    def _turn_machine(self) -> "TurnMachine":
        machine = self._machine
        if machine is None:
            from meshapi_core.realtime.turns import TurnMachine

            machine = self._machine = TurnMachine()
        return machine

    async def _ask(self, events: Sequence[Mapping[str, Any]], responses: int) -> None:
        """Send events that ask for a number of responses; the tools come before them."""
        machine = self._machine
        update = None if machine is None else machine.tools.update

        def queued() -> None:
            self._asked += responses
            if machine is not None and update is not None:
                machine.tools.updated(update)

        await self._send_together(events if update is None else [update, *events], queued)

    async def _send_together(
        self, events: Sequence[Mapping[str, Any]], queued: Callable[[], object]
    ) -> None:
        texts = [RealtimeConnection.encode(event) for event in events]
        for event in events:
            self._exchange.memory.note_sent(event)
        await self._link.send(Outgoing(texts, queued))

    async def _receive_within(self, timeout: Optional[float]) -> RealtimeMessage:
        return await self._next(None if timeout is None else self._network.now() + timeout)

    def _is_normal_end(self, exc: MeshAPIError) -> bool:
        return self._exchange.is_normal_end(exc, self._link.current.machine.closed)

    def _note_response(self, message: RealtimeMessage) -> None:
        kind = message.type
        if kind in _OUTCOMES:
            self._asked = self._asked - 1 if kind == "response.created" else 0

    def _next(self, end: Optional[float]) -> Awaitable[RealtimeMessage]:
        """As in `AsyncRealtimeSession`."""
        raise NotImplementedError
