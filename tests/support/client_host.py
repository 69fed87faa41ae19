"""A host of a `ClientCall` whose HTTP client follows a script, with a simulated clock. No I/O.

The script of a request is a list of events, in order: a number (seconds in which nothing happens),
SENT (the client reports that the whole request has been sent), a `Head`, bytes (`b""` is the end of
the body), or an exception. After the last one nothing happens any more.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple, Optional, Union

from meshapi_core.bodies import OpenBody
from meshapi_core.config import MeshAPIConfig
from meshapi_core.errors import MeshAPIError
from meshapi_core.machines.actions import (
    Abort,
    Finished,
    GetToken,
    Item,
    OpenFiles,
    ReadBody,
    SendRequest,
    Sleep,
)
from meshapi_core.machines.client_call import ClientCall
from support.machine_calls import open_file
from support.randomness import always


class Head(NamedTuple):
    status: int = 200
    headers: Any = ()


SENT = "sent"

Event = Union[str, Head, bytes, float, BaseException]

NEVER = 1e9


class ClientHost:
    """Runs one call over scripted responses, and notes what happened.

    Attributes:
        ends: how each response ended: with the "end" of its body, or by "abort".
        aborted: how many requests were given up before their heads.
    """

    def __init__(self, call: Any, responses: Sequence[Sequence[Event]], **fields: Any) -> None:
        fields = {"base_url": "http://localhost:8000", "token": "rsk_test_1", **fields}
        self.now = 0.0
        self.call: ClientCall[Any] = ClientCall(
            call, MeshAPIConfig(**fields), now=0.0, random_bytes=always(0.5), unix_time=1.7e9
        )
        self.sent: list[SendRequest] = []
        self.bodies: list[bytes] = []
        self.slept: list[float] = []
        self.items: list[Any] = []
        self.asked: list[GetToken] = []
        self.ends: list[str] = []
        self.aborted = 0
        self.files: Optional[OpenBody] = None
        self._left = [list(events) for events in responses]
        self._events: list[Event] = []
        self._is_sending = self._has_head = False

    def run(self) -> Any:
        """Run the call, and return its items in a list, or its error."""
        try:
            while self.step():
                pass
        except MeshAPIError as exc:
            assert not self._has_head
            assert not self._is_sending
            return exc
        assert not self._has_head
        return self.items

    def step(self) -> bool:
        """Do the next action; False when the call has finished."""
        return self.do(self.call.next_action(self.now))

    def do(self, action: Any) -> bool:
        """Do an action; False when the call has finished."""
        if isinstance(action, SendRequest):
            self._send(action)
        elif isinstance(action, ReadBody):
            assert self._has_head, "there is nothing to read"
            self._wait(action.until)
        elif isinstance(action, Abort):
            self._abort()
        elif isinstance(action, Sleep):
            self.slept.append(action.until - self.now)
            self.now = action.until
            self.call.handle_timer(self.now)
        elif isinstance(action, Item):
            self.items.append(action.value)
        elif isinstance(action, GetToken):
            self.asked.append(action)
            self.call.token(action.source())
        elif isinstance(action, OpenFiles):
            self.files = action.body.open(open_file)
            self.call.opened(self.files, self.now)
        return not isinstance(action, Finished)

    def _abort(self) -> None:
        assert self._has_head or self._is_sending, "there is nothing to give up"
        if self._has_head:
            self.ends.append("abort")
        else:
            self.aborted += 1
        self._has_head = self._is_sending = False

    def _send(self, action: SendRequest) -> None:
        if not self._is_sending:
            assert not self._has_head
            self._is_sending = True
            self.sent.append(action)
            self._events = self._left.pop(0)
            body = action.request.body
            try:
                whole = b"".join(body.pieces()) if isinstance(body, OpenBody) else body
            except Exception as exc:
                self._events = [exc]
            else:
                assert isinstance(whole, bytes)
                self.bodies.append(whole)
        until = action.until
        if self._events and self._events[0] == SENT:
            self._events.pop(0)
            until = self.call.sent(self.now)
        self._wait(until)

    def _wait(self, until: Optional[float]) -> None:
        until = NEVER if until is None else until
        event = self._events.pop(0) if self._events else NEVER
        if isinstance(event, (int, float)):
            if self.now + event < until:
                self.now += event
                return
            assert until < NEVER, "it waits for ever"
            if event < NEVER:
                self._events.insert(0, self.now + event - until)
            self.now = max(self.now, until)
            self.call.handle_timer(self.now)
        elif isinstance(event, Head):
            self._has_head, self._is_sending = True, False
            self.call.receive_head(event.status, event.headers, self.now)
        elif isinstance(event, bytes):
            if not event:
                self._has_head = False
                self.ends.append("end")
            self.call.receive_body(event, self.now)
        else:
            assert isinstance(event, BaseException)
            self._is_sending = False
            self.call.fail(event, self.now)
