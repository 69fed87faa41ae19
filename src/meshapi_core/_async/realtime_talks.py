"""What a session offers above single events: to ask the model, and to get its turns."""

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Optional

from meshapi_core.errors import StreamUsageError
from meshapi_core.realtime import RealtimeMessage, Reconnected

if TYPE_CHECKING:
    from meshapi_core._async.realtime_turns import AsyncRealtimeTurns
    from meshapi_core._async.turn_host import AsyncTurnHost
    from meshapi_core.tools.options import BeforeCall, OnToolError
    from meshapi_core.tools.toolbox import AnyTool
    from meshapi_core.turns.machine import TurnMachine

__all__ = ["ENDS_OF_ASKING", "AsyncTalks"]

ENDS_OF_ASKING = frozenset({"response.created", "error", Reconnected().type})
"""After these, a response that was asked for has begun, or never will."""


class AsyncTalks:
    """The base class of a session; what it needs is in `_turn_host`."""

    _machine: "Optional[TurnMachine]" = None
    # Responses that were asked for here and have not begun.
    _asked: int = 0

    async def send_text(self, text: str, *, respond: bool = True) -> None:
        """Send a message of the user's, and ask the model to respond.

        If this is cancelled, both are sent, or neither.

        Args:
            text: what the user says.
            respond: False only adds the message to the conversation.

        Raises:
            InvalidParamsError: the text is no str; nothing is sent.
            RealtimeConnectionClosed: the session is over.
            APITimeoutError: it could not be sent within the write timeout.
        """
        from meshapi_core.turns.requests import text_events

        await self._ask(text_events(text, respond=respond), int(respond))

    async def say(self, text: str) -> None:
        """Ask the model to say a text, word for word; what it says is part of the conversation.

        It is a request to the model, which mostly does so. The instructions of the session do not
        count for this response.

        Raises:
            As for `send_text`.
        """
        from meshapi_core.turns.requests import say_events

        await self._ask(say_events(text), 1)

    async def send_tool_output(self, call_id: str, output: str, *, respond: bool = True) -> None:
        """Send what a function returned, for a call that `turns` does not make itself.

        Args:
            call_id: as in `turn.tool_calls`.
            output: for the model to read.
            respond: whether the model goes on; False if outputs of other calls follow. While
                `turns` still has functions of the same turn to call, it asks the model after them.

        Raises:
            As for `send_text`.
        """
        from meshapi_core.turns.requests import check_text

        check_text("call_id", call_id)
        check_text("output", output)
        events, queued = self._turn_machine().output(call_id, output, respond=respond)
        await self._ask(events, len(events) - 1, queued)

    def turns(
        self,
        *,
        tools: "Optional[Sequence[AnyTool]]" = None,
        on_audio: Optional[Callable[[bytes], object]] = None,
        on_text: Optional[Callable[[str], object]] = None,
        on_message: Optional[Callable[[RealtimeMessage], object]] = None,
        max_concurrent_calls: int = 8,
        tool_timeout: Optional[float] = None,
        on_tool_error: "OnToolError" = "answer",
        before_call: "Optional[BeforeCall]" = None,
        max_tool_turns: int = 10,
        max_total_tokens: Optional[int] = None,
    ) -> "AsyncRealtimeTurns":
        """Return the model's responses, each put together from its events, to iterate over.

        The loop ends as a loop over the session does. It can be left, or cancelled anywhere, and
        begun again by another call of `turns`: a half-built turn stays in the session. Messages
        that `receive` or `wait_for` returns are not part of turns.

        Args:
            tools: functions that the model may call, declarations as dicts, and `FunctionTool`s.
                They are called when the loop asks for the turn after the one that has the calls;
                the outputs are sent, and the model is asked to go on. Call `turns` before you ask
                for a response: the gateway must know the tools by then. None leaves the tools, and
                the options for them, as they are. A call of a deferred or only declared tool is
                left to `send_tool_output`.
            on_audio: is called with each piece of audio when it arrives; the turns then have none.
            on_text: is called with each piece of text or transcript when it arrives.
            on_message: is called with each message, before anything else happens with it.
            max_concurrent_calls: how many functions may run at the same time. A blocking client
                calls them in threads; with 1, and without `tool_timeout`, in the caller's.
            tool_timeout: seconds that each call may take.
            on_tool_error: "answer" tells the model what a function raised, "raise" raises it; the
                next loop then calls the function again.
            before_call: is called with each `RequestedCall` first. It returns None to approve,
                other arguments, a `Refuse` to tell the model why not, or a `Deferred`.
            max_tool_turns: how many responses in a row may call functions.
            max_total_tokens: how many model tokens the responses of the session may use before no
                further function is called.

        Raises:
            InvalidParamsError: a tool or an option is not valid, or two tools have the same name.
            StreamUsageError: the tools come too late for a response that was asked for.
        """
        from meshapi_core._async.realtime_turns import AsyncRealtimeTurns
        from meshapi_core.tools.flavours import AsyncFlavour
        from meshapi_core.turns.tools import SessionToolOptions

        options = SessionToolOptions(
            max_concurrent_calls=max_concurrent_calls,
            tool_timeout=tool_timeout,
            on_tool_error=on_tool_error,
            before_call=before_call,
            max_tool_turns=max_tool_turns,
            max_total_tokens=max_total_tokens,
        )
        machine, host = self._turn_machine(), self._turn_host()
        if tools is not None:
            toolbox = machine.tools.box(tools)
            AsyncFlavour.check(toolbox, options)
            if self._asked and not machine.tools.are(tools):
                raise StreamUsageError(
                    "the gateway must know the tools before it is asked for a response; call"
                    " turns(tools=...) before send_text(), and iterate over what it returns"
                )
            machine.tools.offer(tools, toolbox, options)
        hooks = {"on_audio": on_audio, "on_text": on_text, "on_message": on_message}
        given = {name: hook for name, hook in hooks.items() if hook is not None}
        AsyncFlavour.check_hooks(given)
        return AsyncRealtimeTurns(machine, given, host)

    def _turn_machine(self) -> "TurnMachine":
        machine = self._machine
        if machine is None:
            from meshapi_core.turns.machine import TurnMachine

            machine = self._machine = TurnMachine()
            machine.secrets = self._turn_host().secrets
        return machine

    async def _ask(
        self,
        events: Sequence[Mapping[str, Any]],
        responses: int,
        then: Optional[Callable[[], object]] = None,
    ) -> None:
        """Send events that ask for a number of responses; the tools come before them."""
        machine = self._machine
        update = None if machine is None else machine.tools.update

        def queued() -> None:
            self._asked += responses
            if machine is not None and update is not None:
                machine.tools.updated(update)
            if machine is not None and responses:
                machine.tools.asked()
            if then is not None:
                then()

        sent = events if update is None else [update, *events]
        await self._turn_host().send_events(sent, queued, in_conversation=False)

    async def _tell_tools(self) -> None:
        """Send the tools, if the gateway does not know them yet; for all events that follow."""
        machine = self._machine
        if machine is not None and machine.tools.update is not None:
            await self._ask((), 0)

    def _note(self, message: RealtimeMessage) -> None:
        """Take a message whose type is in `ENDS_OF_ASKING`, however the program reads it."""
        if self._asked:
            self._asked = self._asked - 1 if message.type == "response.created" else 0
        if self._machine is not None and isinstance(message, Reconnected):
            self._machine.forget_calls()

    def _turn_host(self) -> "AsyncTurnHost":
        """What turns need of the session."""
        raise NotImplementedError
