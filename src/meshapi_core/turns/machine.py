"""Puts the events of a session together into turns. No I/O, no clock, no randomness.

Theory of operation. A turn is one response of the model. It begins with the first event that names
its response, and ends with `response.done`; it is then given once, and events that still name it
are passed over. Several may be open at a time. Tools add a second half: the functions that a
completed turn asks for are called when the host wants the next action after that turn, their
outputs are sent, and the model is asked for its next response once no turn is open.

    machine = TurnMachine()
    while True:
        action = machine.next_action()
        if isinstance(action, GiveTurn): ...           # hand action.turn to the program
        elif isinstance(action, (TellProgram, MakeCalls)):
            run(action.flow(hooks))                    # as a runner runs flows
        elif isinstance(action, SendEvents):
            send(action.events); action.queued()       # when they are sure to be sent
        else:                                          # RECEIVE
            machine.receive(receive(), hooks)

- `GiveTurn` and `TellProgram` are done when they are returned. The others are returned again until
  they are done: until `receive`, until `queued`, until each function has an outcome. A host that is
  interrupted asks again, and nothing is lost.
- What the machine sends belongs to the conversation of the message that it took last. If there is a
  new connection meanwhile, the host sends nothing, and lets the machine receive the `Reconnected`.
- An event of an unknown type is passed over. An event that names no response belongs to the turn
  that was opened last.
- A turn whose end cannot come any more is given with the status "lost": if the connection was lost
  (`Reconnected`, or `lost()`), or if more than 16 are open, the oldest one. After a `Reconnected`
  there is always such a turn, if need be an empty one: the conversation is gone, and the program
  must know. Outputs of functions that were not sent are dropped with it.
- A function is called again if it was interrupted, or raised what the model is not told.
- What turns hold is bounded (`MOST_SIZE`); what is above that is dropped, and the turn is `is_cut`.

Source: https://platform.openai.com/docs/api-reference/realtime-server-events,
    https://platform.openai.com/docs/guides/realtime-conversations (function calling)
"""

from collections import OrderedDict, deque
from collections.abc import Callable, Collection, Iterable, Sequence
from functools import partial
from typing import Any, Optional, Union

from msgspec.structs import replace

from meshapi_core._json_kinds import is_object
from meshapi_core.envelopes import error_from_frame
from meshapi_core.errors import RealtimeError, ToolLoopLimitError
from meshapi_core.realtime import RealtimeMessage, Reconnected
from meshapi_core.redaction import conceal
from meshapi_core.turns.actions import (
    RECEIVE,
    GiveTurn,
    MakeCalls,
    SendEvents,
    TellProgram,
    TurnAction,
)
from meshapi_core.turns.hearing import COMMITTED, Hearing
from meshapi_core.turns.parts import (
    DELTA,
    DELTAS,
    DONES,
    ITEM,
    TEXT,
    TRANSCRIPT,
    OpenTurn,
    Room,
)
from meshapi_core.turns.tools import SessionTools, ToolTurn, output_event
from meshapi_core.turns.values import HeardInput, RealtimeTurn, pcm
from meshapi_core.types.realtime import RealtimeAudioFormat, RealtimeResponse
from meshapi_core.types.realtime_server import RealtimeResponseDoneEvent, read_server_event

__all__ = ["TurnMachine"]

# The gateway has one response in the conversation at a time, and a few beside it.
_MOST_OPEN = 16
# Late events of a response are rare, and come soon after its end.
_MOST_ENDED = 64

_AUDIO = frozenset({"response.output_audio.delta", "response.audio.delta"})
_BUSY = "conversation_already_has_active_response"


class _Open:
    """An open turn, and what is known about its response."""

    def __init__(self, room: Room, heard: tuple[HeardInput, ...]) -> None:
        self.parts = OpenTurn(room)
        self.heard = heard
        self.audio_format: Optional[RealtimeAudioFormat] = None

    def turn(
        self,
        key: str,
        status: str,
        response: dict[str, Any],
        done: Optional[RealtimeResponse] = None,
        secrets: Iterable[str] = (),
    ) -> RealtimeTurn:
        """The turn, which has ended."""
        details = response.get("status_details")
        details = details if is_object(details) else {}
        reason = details.get("reason")
        made = RealtimeTurn(
            id=key,
            status=status,
            reason=reason if isinstance(reason, str) else None,
            error=_error_of(details, secrets),
            text=self.parts.text(TEXT),
            transcript=self.parts.text(TRANSCRIPT),
            audio=self.parts.audio(),
            audio_format=_format_of(response) or self.audio_format or pcm(),
            tool_calls=self.parts.tool_calls(),
            response=done,
            is_cut=self.parts.is_cut,
            heard=self.heard,
        )
        self.parts.leave()
        return made


class TurnMachine:
    """Puts the events of one session together into turns.

    Attributes:
        tools: the functions that the model may call.
        secrets: texts that the errors of turns must not show.
        is_driven: for the host, to refuse a second one.
    """

    def __init__(self, room: Optional[Room] = None) -> None:
        self.tools = SessionTools()
        self.secrets: tuple[str, ...] = ()
        self.is_driven = False
        self._room = room or Room()
        self._actions: deque[Union[GiveTurn, TellProgram]] = deque()
        self._open: OrderedDict[str, _Open] = OrderedDict()
        self._ended: OrderedDict[str, None] = OrderedDict()
        self._hearing = Hearing()
        self._work: deque[ToolTurn] = deque()
        # Whether the model is to be asked for a response, and the last `event_id` of such an event.
        self._wanted = False
        self._asked = 0

    @property
    def is_open(self) -> bool:
        """Whether a turn has begun and has not ended."""
        return bool(self._open)

    def next_action(self) -> TurnAction:
        """Return what to do next.

        Raises:
            ToolLoopLimitError: the functions of a turn are not called.
        """
        if self._actions:
            return self._actions.popleft()
        if self.tools.update is not None:
            update = self.tools.update
            return SendEvents([update], partial(self.tools.updated, update))
        while self._work:
            work = self._work[0]
            if not work.is_checked:
                self._check(work)
            if work.is_open:
                return MakeCalls(work.make)
            events = work.outputs()
            if events:
                return SendEvents(events, partial(self._answered, work, events))
            self._answered(work, ())
        if self._wanted and not self._open:
            number = self._asked + 1
            event = {"type": "response.create", "event_id": f"meshapi_{number}"}
            return SendEvents([event], partial(self._has_asked, number))
        return RECEIVE

    def receive(self, message: RealtimeMessage, hooks: Collection[str] = ()) -> None:
        """Take a message.

        Args:
            message: as received.
            hooks: the functions that the program has; with "on_audio", turns keep no audio.

        Raises:
            Base64Error: it is an audio delta that is not base64. The turn goes on without it.
        """
        kind = message.type
        if "on_message" in hooks:
            self._actions.append(TellProgram("on_message", message))
        if kind in _AUDIO:
            self._take_audio(message, hooks)
        elif kind == "response.done":
            self._end(message.event)
        elif kind.startswith("response."):
            self._take_response_event(kind, message.event, hooks)
        elif kind.startswith(("conversation.item.", "input_audio_buffer.")):
            if kind == COMMITTED:
                self.tools.asked()
            self._hearing.receive(kind, message.event)
        elif kind == "error":
            # The host of a session without `raise_errors` receives it as a message.
            error = message.error(self.secrets)
            if error is not None:
                self.refused(error)
        elif isinstance(message, Reconnected):
            self._lose(message)

    def lost(self) -> bool:
        """Record that the session is over; return whether there are turns left to give."""
        open_before = bool(self._open)
        self._lose(None)
        return open_before

    def forget_calls(self) -> None:
        """Make no further calls, and send no outputs: the conversation is gone."""
        self._work.clear()
        self._wanted = False

    def refused(self, error: RealtimeError) -> bool:
        """Take an error event; return whether it is none of the program's business.

        It is not if the gateway had begun another response when the machine asked for one. The
        machine asks again after that.
        """
        if not self._asked or error.event_id != f"meshapi_{self._asked}" or error.code != _BUSY:
            return False
        self._wanted = True
        return True

    def _take_audio(self, message: RealtimeMessage, hooks: Collection[str]) -> None:
        turn = self._turn_of(message.event)
        audio = message.audio
        if turn is None or not audio:
            return
        if "on_audio" in hooks:
            self._actions.append(TellProgram("on_audio", audio))
        else:
            turn.parts.add_audio(message.event, audio)

    def _take_response_event(
        self, kind: str, event: dict[str, Any], hooks: Collection[str]
    ) -> None:
        if kind == "response.created":
            self._begin(event.get("response"))
            return
        take = _TAKE.get(kind)
        turn = None if take is None else self._turn_of(event)
        if take is None or turn is None:
            return
        delta = take(turn.parts, event)
        if delta and "on_text" in hooks and DELTAS.get(kind) in (TEXT, TRANSCRIPT):
            self._actions.append(TellProgram("on_text", delta))

    def _begin(self, response: Any) -> None:
        if is_object(response):
            turn = self._turn_of({"response_id": response.get("id")}, response)
            if turn is not None:
                turn.audio_format = _format_of(response)

    def _turn_of(
        self, event: dict[str, Any], response: Optional[dict[str, Any]] = None
    ) -> Optional[_Open]:
        """The turn of an event: a new one if its response is unknown, None if it has ended."""
        key = self._key(event.get("response_id"))
        found = self._open.get(key)
        if found is not None or key in self._ended or not key:
            return found
        # A response beside the conversation does not respond to what the user said.
        is_beside = response is not None and response.get("conversation_id", "") is None
        found = self._open[key] = _Open(self._room, () if is_beside else self._hearing.take())
        if len(self._open) > _MOST_OPEN:
            self._give_lost(next(iter(self._open)), "no_end")
        return found

    def _key(self, response_id: object) -> str:
        """The response of an event: the newest open one, if the event names none; "" without."""
        if isinstance(response_id, str) and response_id:
            return response_id
        return next(reversed(self._open), "")

    def _end(self, event: dict[str, Any]) -> None:
        response = event.get("response")
        response = response if is_object(response) else {}
        key = self._key(response.get("id"))
        turn = self._turn_of({"response_id": key}, response)
        if turn is None:
            return
        turn.parts.end(response)
        typed = read_server_event(event)
        done = typed.response if isinstance(typed, RealtimeResponseDoneEvent) else None
        status = response.get("status")
        status = status if isinstance(status, str) and status else "incomplete"
        given = turn.turn(key, status, response, done, self.secrets)
        self._close(key)
        self._actions.append(GiveTurn(given))
        work = self.tools.take(given)
        if work is not None:
            self._work.append(work)

    def _close(self, key: str) -> None:
        del self._open[key]
        self._ended[key] = None
        if len(self._ended) > _MOST_ENDED:
            self._ended.popitem(last=False)

    def _give_lost(self, key: str, reason: str, reconnected: Optional[Reconnected] = None) -> None:
        made = self._open[key].turn(key, "lost", {})
        self._close(key)
        self._actions.append(GiveTurn(_with(made, reason, reconnected)))

    def _lose(self, reconnected: Optional[Reconnected]) -> None:
        """Give up everything that belongs to the conversation so far."""
        open_now = list(self._open)
        for key in open_now:
            self._give_lost(key, "connection_lost", reconnected)
        if reconnected is not None and not open_now:
            turn = RealtimeTurn(status="lost")
            self._actions.append(GiveTurn(_with(turn, "connection_lost", reconnected)))
        self.forget_calls()
        self._hearing.clear()

    def output(
        self, call_id: str, text: str, *, respond: bool
    ) -> tuple[list[dict[str, Any]], Callable[[], object]]:
        """Return the events that send an output of the program's, and what to call as for `queued`.

        If functions of the same turn are still to be called, the model is not asked to go on
        before they have ended; the machine asks then.
        """
        event = output_event(call_id, text)
        work = next((each for each in [*self._work] if call_id in each), None)
        is_last = work is None or work.needs_only(call_id)
        create: list[dict[str, Any]] = [{"type": "response.create"}] if respond and is_last else []

        def queued() -> None:
            if work is not None:
                work.sent([event])
                if is_last and work in self._work:
                    self._work.remove(work)

        return [event, *create], queued

    def _check(self, work: ToolTurn) -> None:
        work.is_checked = True
        try:
            self.tools.check_limits()
        except ToolLoopLimitError:
            self._work.popleft()
            raise

    def _answered(self, work: ToolTurn, events: Sequence[dict[str, Any]]) -> None:
        """The outputs of a turn's functions are sure to be sent. Harmless twice."""
        work.sent(events)
        if self._work and self._work[0] is work:
            self._work.popleft()
            self._wanted = self._wanted or work.is_whole

    def _has_asked(self, number: int) -> None:
        self._asked = number
        self._wanted = False


_TAKE: dict[str, Callable[[OpenTurn, dict[str, Any]], Optional[str]]] = {
    **{name: partial(OpenTurn.add_delta, kind=kind) for name, kind in DELTAS.items()},
    **{name: partial(OpenTurn.end_text, kind=kind) for name, kind in DONES.items()},
    "response.content_part.done": OpenTurn.end_part,
    "response.output_item.added": partial(OpenTurn.add_item, level=DELTA),
    "response.output_item.done": partial(OpenTurn.add_item, level=ITEM),
}
"""What an event of each type adds to a turn; a delta is returned."""


def _with(turn: RealtimeTurn, reason: str, reconnected: Optional[Reconnected]) -> RealtimeTurn:
    return replace(turn, reason=reason, reconnected=reconnected)


def _error_of(details: dict[str, Any], secrets: Iterable[str]) -> Optional[RealtimeError]:
    said = details.get("error")
    if not said:
        return None
    found = error_from_frame({"error": said}, {})
    error = RealtimeError(found.error_code, found.message, None, found.request_id)
    return conceal(error, secrets)


def _format_of(response: dict[str, Any]) -> Optional[RealtimeAudioFormat]:
    found: Any = response
    for name in ("audio", "output", "format"):
        found = found.get(name) if is_object(found) else None
    if not is_object(found):
        return None
    kind, rate = found.get("type"), found.get("rate")
    if not isinstance(kind, str):
        return None
    return RealtimeAudioFormat(type=kind, rate=rate if type(rate) is int else None)
