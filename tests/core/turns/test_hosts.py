"""A host of the core that is not this library's has turns, too, functions included."""

from collections import deque
from collections.abc import Callable, Generator, Mapping, Sequence
from typing import Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core import MeshAPIError, RealtimeConnectionClosed, RealtimeMessage, Reconnected
from meshapi_core.flows import FunctionOutcome, RunFunctions, Tell
from meshapi_core.turns import ENDS_OF_ASKING, Talks, TurnHost
from support.realtime_sessions import message
from support.realtime_turns import Answer, Called, Text, events_of, facts_of

CALLS = Answer(
    "resp_1",
    [Called("call_1", "look", ['{"place": "A"}']), Called("call_2", "look", ['{"place": "B"}'])],
)
LAST = Answer("resp_2", [[Text(["Done"])]])


class Stopped(BaseException):
    """The host was interrupted."""


class Host:
    """A session without a network: what arrives is known, and what is sent is kept.

    Args:
        arriving: the messages.
        stops: the numbers of the host's steps at which it is interrupted, before and after each.
    """

    secrets: "tuple[str, ...]" = ()
    closed = False

    def __init__(self, arriving: Sequence[RealtimeMessage], stops: "frozenset[int]") -> None:
        self.arriving = deque(arriving)
        self.sent: list[Mapping[str, Any]] = []
        self.note: Callable[[RealtimeMessage], None] = lambda _: None
        self._stops = stops
        self._step = 0

    def _may_stop(self) -> None:
        self._step += 1
        if self._step in self._stops:
            raise Stopped

    def end_of(self, timeout: Optional[float]) -> Optional[float]:
        return timeout

    def receive_message(self, end: Optional[float]) -> RealtimeMessage:
        self._may_stop()
        if not self.arriving:
            raise RealtimeConnectionClosed(1000, "")
        received = self.arriving.popleft()
        if received.type in ENDS_OF_ASKING:
            self.note(received)
        return received

    def send_events(
        self,
        events: Sequence[Mapping[str, Any]],
        queued: Callable[[], object],
        *,
        in_conversation: bool,
    ) -> bool:
        self._may_stop()
        self.sent += events
        queued()
        self._may_stop()
        return True

    def run_flow(self, flow: Generator[Any, Any, object]) -> None:
        outcome: Any = None
        try:
            while True:
                step = flow.send(outcome)
                self._may_stop()
                if isinstance(step, RunFunctions):
                    outcome = [self._call(step, position) for position in range(len(step.calls))]
                elif isinstance(step, Tell):
                    outcome = step.function(*step.arguments)
                self._may_stop()
        except StopIteration:
            pass

    def _call(self, step: RunFunctions, position: int) -> FunctionOutcome:
        call = step.calls[position]
        outcome = FunctionOutcome(call.function(*call.arguments, **call.keywords))
        self._may_stop()
        step.on_end(position, outcome)
        self._may_stop()
        return outcome

    def is_end(self, error: MeshAPIError) -> bool:
        return isinstance(error, RealtimeConnectionClosed) and error.code == 1000


class Session(Talks):
    """A session of another host."""

    def __init__(self, host: Host) -> None:
        self._host = host
        host.note = self._note

    def _turn_host(self) -> TurnHost:
        return self._host


def look(place: str) -> str:
    return f"nothing in {place}"


@given(st.frozensets(st.integers(1, 60), max_size=12))
def test_whenever_it_is_interrupted_each_turn_is_given_and_each_output_sent_once(stops):
    host = Host([*map(message, [*events_of(CALLS), *events_of(LAST)])], stops)
    session, given_ = Session(host), []
    turns = session.turns(tools=[look])
    while True:
        try:
            for turn in turns:
                given_.append(facts_of(turn))
            break
        except Stopped:
            pass
    assert given_ == [CALLS.facts, LAST.facts]
    kinds = [event["type"] for event in host.sent]
    item = "conversation.item.create"
    assert kinds == ["session.update", item, item, "response.create"]
    assert [event["item"]["output"] for event in host.sent[1:3]] == ["nothing in A", "nothing in B"]


def test_a_reconnection_that_is_read_raw_drops_the_calls_too():
    gone = Reconnected(code=1006)
    host = Host([*map(message, events_of(CALLS)), gone], frozenset())
    session = Session(host)
    turns = session.turns(tools=[look])
    assert facts_of(turns.receive()) == CALLS.facts
    host.receive_message(None)
    assert list(turns) == []
    assert [event["type"] for event in host.sent] == ["session.update"]


def test_without_a_host_there_is_nothing_to_talk_to():
    with pytest.raises(NotImplementedError):
        Talks().turns()
