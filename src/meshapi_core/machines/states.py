"""The states of a call, the inputs that its host can give it, and where they lead.

This module has what `PipeCall` and `ClientCall` share. Each adds, in its own table, how an attempt
gets the head of its response.
"""

from enum import Enum

from typing_extensions import TypeAlias

__all__ = ["COMMON", "CallInput", "CallState", "Table", "told_in"]


class CallState(Enum):
    """Where a call stands."""

    READY = "ready for its next attempt"
    TOKEN = "waiting for a token"
    OPENING = "opening files"
    CONNECTING = "waiting for a connection"
    WRITING = "sending its request"
    LAST_WORD = "reading what the server said before it hung up"
    HEAD = "waiting for a response"
    SENDING = "waiting for the response to its request"
    BODY = "reading a response"
    ITEMS = "giving the last items of its stream"
    DRAINING = "reading the end of a complete stream"
    WAITING = "waiting for its next attempt"
    DONE = "finished"
    FAILED = "failed"

    # By identity. `Enum.__hash__` is a function in Python, and tables are looked up all the time.
    __hash__ = object.__hash__


class CallInput(Enum):
    """What a host can report to a call. It may call `next_action`, `handle_timer` and `close` at
    any time."""

    TOKEN = "token"
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
"""(state, input) -> the states it may lead to. Any other input is a mistake of the host."""


def told_in(table: Table, what: CallInput) -> frozenset[CallState]:
    """The states in which a host may report this input."""
    return frozenset(state for state, told in table if told is what)


# `fail` is legal wherever the host has something to wait for. READY, ITEMS, DONE and FAILED are not
# here: in these states the machine needs nothing from outside.
COMMON: Table = {
    (CallState.TOKEN, CallInput.TOKEN): frozenset({CallState.READY}),
    (CallState.TOKEN, CallInput.FAIL): frozenset({CallState.FAILED}),
    (CallState.OPENING, CallInput.FAIL): frozenset({CallState.FAILED}),
    # A stream still gives the items that have come; a whole response goes to the exchange.
    (CallState.BODY, CallInput.FAIL): frozenset(
        {CallState.ITEMS, CallState.READY, CallState.FAILED}
    ),
    # The caller has every item already, so nothing that happens to the rest is an error.
    (CallState.DRAINING, CallInput.FAIL): frozenset({CallState.DONE}),
    (CallState.WAITING, CallInput.FAIL): frozenset({CallState.WAITING, CallState.FAILED}),
}
