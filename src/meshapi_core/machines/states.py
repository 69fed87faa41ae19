"""Where a call stands, what its host can tell it, and where that leads.

Here is what `PipeCall` and `ClientCall` have in common; each adds, in its own table, how an attempt
gets the head of its response.
"""

from enum import Enum

from typing_extensions import TypeAlias

__all__ = ["COMMON", "CallInput", "CallState", "Table", "told_in"]


class CallState(Enum):
    """Where a call stands."""

    READY = "ready for its next attempt"
    OPENING = "opening files"
    CONNECTING = "waiting for a connection"
    WRITING = "sending its request"
    LAST_WORD = "reading what the server said before it hung up"
    HEAD = "waiting for a response"
    SENDING = "waiting for the answer to its request"
    BODY = "reading a response"
    ITEMS = "giving the last items of its stream"
    DRAINING = "reading the end of a complete stream"
    WAITING = "waiting for its next attempt"
    DONE = "finished"
    FAILED = "failed"

    # By identity: that of `Enum` is a function in Python, and tables are looked up all the time.
    __hash__ = object.__hash__


class CallInput(Enum):
    """What a host can tell a call. `next_action`, `handle_timer` and `close` it may always call."""

    OPENED = "opened"
    QUEUE = "queued, opening"
    CONNECTED = "connected"
    WRITTEN = "written"
    SENT = "sent"
    HEAD = "receive_head"
    DATA = "receive_data"
    BODY = "receive_body"
    FAIL = "fail"

    __hash__ = object.__hash__


Table: TypeAlias = dict[tuple[CallState, CallInput], frozenset[CallState]]
"""(state, input) -> the states it may lead to. What is not in a machine's table is a mistake of the
host's."""


def told_in(table: Table, what: CallInput) -> frozenset[CallState]:
    """The states in which a host may tell this."""
    return frozenset(state for state, told in table if told is what)


COMMON: Table = {
    (CallState.OPENING, CallInput.FAIL): frozenset({CallState.FAILED}),
    # `fail`, as long as there is something to wait for.
    (CallState.BODY, CallInput.FAIL): frozenset(
        {CallState.ITEMS, CallState.READY, CallState.FAILED}
    ),
    (CallState.DRAINING, CallInput.FAIL): frozenset({CallState.DONE}),
    (CallState.WAITING, CallInput.FAIL): frozenset({CallState.WAITING, CallState.FAILED}),
}
