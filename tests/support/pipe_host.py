"""A host of a `PipeCall` whose connections follow a script, with a simulated clock. No I/O.

The script of a connection is a list of what its reads return, in order: bytes (`b""` is the end of
input), a number (seconds in which nothing arrives), or an exception. After the last one nothing
arrives any more.
"""

from collections.abc import Sequence
from typing import Any, Optional, Union

from meshapi_core.bodies import OpenBody
from meshapi_core.config import MeshAPIConfig
from meshapi_core.errors import MeshAPIError
from meshapi_core.machines.actions import (
    Connect,
    Finished,
    GetToken,
    Item,
    OpenFiles,
    Read,
    Release,
    Sleep,
    Write,
)
from meshapi_core.machines.pipe_call import PipeCall
from support.machine_calls import open_file

from .randomness import always

Event = Union[bytes, float, BaseException]

NEVER = 1e9


class PipeHost:
    """Runs one call over scripted connections, and notes what happened."""

    def __init__(
        self, call: Any, connections: Sequence[Sequence[Event]], *, kept: Any = None, **fields: Any
    ) -> None:
        fields = {"base_url": "http://localhost:8000", "token": "rsk_test_1", **fields}
        self.now = 0.0
        self.call: PipeCall[Any] = PipeCall(
            call, MeshAPIConfig(**fields), now=0.0, random_bytes=always(0.5), unix_time=1.7e9
        )
        self.sent: list[bytes] = []
        self.slept: list[float] = []
        self.items: list[Any] = []
        self.asked: list[GetToken] = []
        self.released: list[bool] = []
        self.connects: list[Connect] = []
        self.kept = kept
        self.files: Optional[OpenBody] = None
        self._left = [list(events) for events in connections]
        self._events: list[Event] = []

    def run(self) -> Any:
        """Run the call, and return its items in a list, or its error."""
        try:
            while self.step():
                pass
        except MeshAPIError as exc:
            return exc
        return self.items

    def step(self) -> bool:
        """Do the next action; False when the call has finished."""
        return self.do(self.call.next_action(self.now))

    def do(self, action: Any) -> bool:
        """Do an action; False when the call has finished."""
        if isinstance(action, Connect):
            self._connect(action)
        elif isinstance(action, Write):
            self.write(action)
        elif isinstance(action, Read):
            self._read(action)
        elif isinstance(action, Release):
            self.released.append(action.reusable)
            self.kept = action.http if action.reusable else None
        elif isinstance(action, Sleep):
            self.slept.append(action.until - self.now)
            self.now = action.until
        elif isinstance(action, Item):
            self.items.append(action.value)
        elif isinstance(action, GetToken):
            self.asked.append(action)
            self.call.token(action.source())
        elif isinstance(action, OpenFiles):
            self.files = action.body.open(open_file)
            self.call.opened(self.files, self.now)
        return not isinstance(action, Finished)

    def _connect(self, action: Connect) -> None:
        self.connects.append(action)
        self._events = self._left.pop(0)
        if self._events and isinstance(self._events[0], OSError) and not self.kept:
            self.call.fail(self._events.pop(0), self.now)  # type: ignore[arg-type]
            return
        http, self.kept = None if action.fresh else self.kept, None
        self.sent.append(b"")
        self.call.connected(self.now, http)

    def write(self, action: Write) -> None:
        self.sent[-1] += action.data
        self.call.written()

    def _read(self, action: Read) -> None:
        until = NEVER if action.until is None else action.until
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
        elif isinstance(event, bytes):
            self.call.receive_data(event, self.now)
        else:
            self.call.fail(event, self.now)
