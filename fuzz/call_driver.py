"""Drives a `PipeCall` or a `ClientCall` by bytes, rightly and wrongly, and checks what it does.

The first bytes say which machine, call, limits and file there are; then each byte is a choice, and
some take more bytes: how long to wait, or what the server sends. When the bytes are over, the call
is driven to its end by a server that has hung up.
"""

import string
from collections.abc import Iterator
from typing import Any, ClassVar, Optional, Union

from msgspec import structs

from meshapi_core.bodies import FileSource
from meshapi_core.calls import Call, SignedPut
from meshapi_core.config import MeshAPIConfig, Timeout
from meshapi_core.endpoints.chat import Completions
from meshapi_core.errors import MeshAPIError
from meshapi_core.http11.connection import HTTP11Connection
from meshapi_core.machines.actions import (
    Abort,
    Connect,
    Finished,
    Item,
    OpenFiles,
    Read,
    ReadBody,
    Release,
    SendRequest,
    Sleep,
    Timed,
    Write,
)
from meshapi_core.machines.call_machine import CallInput, CallState
from meshapi_core.machines.client_call import ClientCall
from meshapi_core.machines.exchange import ExchangeUsageError
from meshapi_core.machines.pipe_call import PipeCall
from meshapi_core.messages import client_closed, stream_closed
from meshapi_core.readers import JSONReader

ASKED = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
GET: "Call[dict[str, Any]]" = Call(method="GET", path="/v1/models", reader=JSONReader(dict))

PIECES = (
    b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}",
    b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n",
    b"HTTP/1.1 503 Busy\r\ncontent-length: 0\r\n\r\n",
    b"HTTP/1.1 429 Slow\r\nretry-after: 3\r\ncontent-length: 2\r\n\r\n{}",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/1.1 407 Proxy\r\ncontent-length: 0\r\n\r\n",
    b"HTTP/1.0 200 OK\r\n\r\n",
    b'2d\r\ndata: {"choices":[{"delta":{"content":"a"}}]}\n\n\r\n',
    b"e\r\ndata: [DONE]\n\n\r\n",
    b"0\r\n\r\n",
    b'data: {"choices":[{"delta":{"content":"a"}}]}\n\n',
    b"data: [DONE]\n\n",
    b": ping\n\n",
    b"{}",
    b'{"error":{"message":"no"}}',
    b"x" * 2000,
)
STATUSES = (200, 200, 200, 200, 400, 401, 407, 101, 429, 503, 204, 0, 700)
FAILURES: tuple[BaseException, ...] = (
    ConnectionRefusedError("no"),
    ConnectionResetError("reset"),
    BrokenPipeError("gone"),
    TimeoutError(),
    ValueError("a bug"),
    MeshAPIError("final", error_code="final"),
    KeyboardInterrupt(),
)
TIMEOUTS = (
    Timeout(),
    Timeout(pool=1, connect=2, read=3, write=4),
    Timeout(read=3, idle=2, total=9),
    Timeout(pool=None, connect=None, read=None, write=None),
)
ENOUGH = 20_000
"""Actions that a call may give without a word from its host: far more than it ever has items."""


class Tape:
    """Bytes as choices; 0 for ever at the end."""

    def __init__(self, data: bytes) -> None:
        self._data = data
        self._at = 0

    @property
    def over(self) -> bool:
        return self._at >= len(self._data)

    def below(self, count: int) -> int:
        self._at += 1
        return 0 if self._at > len(self._data) else self._data[self._at - 1] % count

    def take(self, size: int) -> bytes:
        self._at += size
        return self._data[self._at - size : self._at]


class File:
    """A file, as a source and as an open one; the second time it may have changed."""

    length = 3

    def __init__(self, kind: int) -> None:
        self._contents: list[list[Union[bytes, Exception]]] = [
            [b"abc"],
            [[b"abc"], [b"ab"], [b"abcd"], [ValueError("unreadable")]][kind],
        ]

    def pieces(self) -> Iterator[bytes]:
        for piece in self._contents[0] if len(self._contents) == 1 else self._contents.pop(0):
            if isinstance(piece, Exception):
                raise piece
            yield piece

    def close(self) -> None:
        pass


def _open(source: FileSource) -> File:
    file: File = source.content
    return file


class Driver:
    """Drives one call.

    Raises:
        AssertionError: it did what must not be.
    """

    kinds: ClassVar[tuple[Any, Any]] = (PipeCall, ClientCall)

    def __init__(self, data: bytes) -> None:
        self.tape = tape = Tape(data)
        self.now = 100.0
        url = "http://localhost:8000/put?X-Amz-Signature=s"
        put = SignedPut(url=url, content_type="a/b", source=FileSource(File(tape.below(4))))
        stream, post = Completions.stream.build(**ASKED), Completions.create.build(**ASKED)
        call: Any = (GET, stream, post, put)[tape.below(4)]
        config = MeshAPIConfig(
            base_url="http://localhost:8000",
            token="rsk_test_" + string.ascii_lowercase,
            timeout=TIMEOUTS[tape.below(4)],
            max_retries=tape.below(3),
        )
        which = tape.below(2)
        kind = self.kinds[which]
        self.is_pipe = which == 0
        self.call: Any = kind(
            call, config, now=self.now, random_bytes=lambda size: b"\x80" * size, unix_time=1.7e9
        )
        self.error: Optional[BaseException] = None
        self.finished = False
        # Whether there is a connection, or the head of a response; a request on its way; and
        # whether the input has ended.
        self.is_open = self.is_sending = self.has_ended = False
        self.kept: Optional[HTTP11Connection] = None
        self.standing: Any = None
        # When what stands is over, as the call has said; None where it has no limit.
        self.due: Optional[float] = None
        self._silent = self._attempt = 0

    def run(self) -> None:
        """Drive it to its end, and a little farther."""
        while not self.tape.over:
            self.step()
        for _ in range(100):
            if self.ask() is None:
                break
            self.answer(self.standing, by_the_book=True)
        else:
            raise AssertionError("it does not end")
        for _ in range(3):
            self.tell_nothing()
            self.ask()
        assert not self.is_open, "a connection is left"
        assert not self.is_sending, "a request is left"

    def step(self) -> None:
        """Do what a choice says."""
        choice = self.tape.below(16)
        if choice == 0:
            self.now += (0.01, 0.5, 2.0, 100.0)[self.tape.below(4)]
        elif choice == 1:
            self.tell_nothing()
        elif choice == 2:
            self.misuse(tuple(CallInput)[self.tape.below(len(CallInput))])
        elif choice == 3 and self.tape.below(4) == 0:
            self.call.close((client_closed, stream_closed)[self.tape.below(2)](), self.now)
        elif choice == 4 and self.standing is not None:
            self.interrupt()
        elif choice == 5 and self.is_pipe:
            self.tell_early()
        elif self.ask() is not None:
            self.answer(self.standing)

    # What the call says

    def ask(self) -> Any:
        """What stands to be done; None after the end."""
        while True:
            try:
                action = self.call.next_action(self.now)
            except ExchangeUsageError:
                raise
            except Exception as exc:
                self._take_error(exc)
                return None
            assert self.error is None, "an action came after an error"
            if isinstance(action, Finished):
                self.finished, self.standing = True, None
                return None
            assert not self.finished, "an action came after the end"
            if isinstance(action, (Item, Release, Abort)):
                self._silent += 1
                assert self._silent < ENOUGH, "it goes on for ever"
                self.standing = None
                self._take(action)
                continue
            self._check(action)
            self.standing = action
            return action

    def _take_error(self, exc: Exception) -> None:
        assert isinstance(exc, MeshAPIError) or str(exc) == "unreadable", repr(exc)
        assert not self.finished, "an error came after the end"
        assert self.error is None or exc is self.error, "another error came"
        assert not self.is_open, "an error came before the connection was given up"
        assert not self.is_sending, "an error came before the request was given up"
        assert "abcdefghijkl" not in str(exc)
        self.error, self.standing = exc, None

    def _take(self, action: Any) -> None:
        if isinstance(action, Release):
            assert self.is_open, "a connection is given back twice"
            self.is_open = False
            self.kept = action.http if action.reusable else None
        elif isinstance(action, Abort):
            assert self.is_open or self.is_sending, "there is nothing to give up"
            self.is_open = self.is_sending = False

    def _check(self, action: Any) -> None:
        # What `sent` and `opening` return is given, too.
        is_new = action != self.standing and not self.is_sending
        self.due = action.until if isinstance(action, Timed) else None
        if isinstance(action, Timed) and is_new:
            assert action.until is None or action.until >= self.now, "it is over before it begins"
        if isinstance(action, (Connect, OpenFiles)):
            assert not self.is_open
        elif isinstance(action, SendRequest):
            assert not self.is_open, "a response is left"
            if self.is_sending:
                assert self.call.attempts == self._attempt, "a request is left"
            self.is_sending, self._attempt = True, self.call.attempts
        elif isinstance(action, (Read, ReadBody, Write)):
            assert self.is_open, "there is nothing to read or write"
            assert isinstance(action, Write) or not self.has_ended, "nothing more will come"
        else:
            assert isinstance(action, Sleep)

    # What the host says

    def tell(self, what: CallInput, function: Any, *args: Any, **options: Any) -> None:
        """Tell something legal, and look where it leads."""
        self._silent = 0
        table, before = self.call.transitions, self.call.state
        assert (before, what) in table, f"{what} is not legal where {before} asked for it"
        response = function(*args, **options)
        assert self.call.state in table[before, what], f"{before}, {what}: {self.call.state}"
        if before is not CallState.WRITING or what is not CallInput.DATA:
            self.due = response

    def tell_nothing(self) -> None:
        """What may be done at any time."""
        before = self.call.state
        self.call.handle_timer(self.now)
        if self.call.state is not before:
            assert self.due is not None, "there was no limit"
            assert self.now >= self.due, "it was not over"
            assert before is not CallState.WAITING, "a wait is no limit"
        self.call.next_item() if self.tape.below(2) else None
        assert self.call.attempts >= 0

    def misuse(self, what: CallInput) -> None:
        """Tell something that is not legal."""
        call, state = self.call, self.call.state
        if (state, what) in call.transitions or call._life.parting is not None or call._life.closed:
            return
        inputs: dict[CallInput, Any] = {
            CallInput.OPENED: lambda: call.opened(None, self.now),
            CallInput.FAIL: lambda: call.fail(OSError("?"), self.now),
        }
        if self.is_pipe:
            inputs[CallInput.QUEUE] = lambda: call.queued(self.now)
            inputs[CallInput.CONNECTED] = lambda: call.connected(self.now)
            inputs[CallInput.WRITTEN] = call.written
            inputs[CallInput.DATA] = lambda: call.receive_data(b"x", self.now)
        else:
            inputs[CallInput.SENT] = lambda: call.sent(self.now)
            inputs[CallInput.HEAD] = lambda: call.receive_head(200, {}, self.now)
            inputs[CallInput.BODY] = lambda: call.receive_body(b"x", self.now)
        if what not in inputs:
            return
        try:
            inputs[what]()
        except ExchangeUsageError as exc:
            assert "call next_action()" in str(exc)
            assert call.state is state
        else:
            raise AssertionError(f"{what} was taken in {state}")

    def interrupt(self) -> None:
        if self.is_pipe or not isinstance(self.standing, OpenFiles):
            self.call.interrupted(KeyboardInterrupt(), self.now)

    def tell_early(self) -> None:
        """Bytes that come between two actions."""
        is_legal = (self.call.state, CallInput.DATA) in self.call.transitions
        if is_legal and self.is_open and not self.has_ended and self.call._life.parting is None:
            self._receive(self.call.receive_data, CallInput.DATA, by_the_book=False)

    def answer(self, action: Any, *, by_the_book: bool = False) -> None:
        """Do it, or fail to."""
        call, tape = self.call, self.tape
        how = 0 if by_the_book else tape.below(8)
        if isinstance(action, Sleep):
            self.now = max(self.now, action.until)
        elif how == 7:
            self._fail()
        elif how == 6 and isinstance(action, Timed) and action.until is not None:
            self.now = max(self.now, action.until)
            call.handle_timer(self.now)
        elif isinstance(action, OpenFiles):
            self.tell(CallInput.OPENED, call.opened, action.body.open(_open), self.now)
        elif isinstance(action, Connect):
            self._connect(action, how)
        elif isinstance(action, Write):
            self.tell(CallInput.WRITTEN, call.written)
        elif isinstance(action, SendRequest):
            self._answer_request(how)
        else:
            told = call.receive_data if self.is_pipe else call.receive_body
            what = CallInput.DATA if self.is_pipe else CallInput.BODY
            self._receive(told, what, by_the_book=by_the_book)

    def _fail(self) -> None:
        exc = FAILURES[self.tape.below(len(FAILURES))]
        was_sending = self.is_sending
        if not isinstance(exc, Exception):
            before = self.call.state
            try:
                self.call.fail(exc, self.now)
            except KeyboardInterrupt:
                assert self.call.state is before
            else:
                raise AssertionError("an interrupt was swallowed")
            self.call.interrupted(exc, self.now)
            return
        self.tell(CallInput.FAIL, self.call.fail, exc, self.now)
        # A request that failed is over.
        self.is_sending = was_sending and False

    def _connect(self, action: Connect, how: int) -> None:
        call = self.call
        if how == 5:
            self.tell(CallInput.QUEUE, (call.queued, call.opening)[self.tape.below(2)], self.now)
            # By the limit that was told it stands from now on.
            self.standing = structs.replace(action, until=self.due)
            return
        http = None if action.fresh else self.kept
        self.kept = None
        self.is_open, self.has_ended = True, False
        self.tell(CallInput.CONNECTED, call.connected, self.now, http)

    def _answer_request(self, how: int) -> None:
        call, tape = self.call, self.tape
        if how == 5:
            self.tell(CallInput.SENT, call.sent, self.now)
            return
        status = STATUSES[tape.below(len(STATUSES))]
        headers = ({}, [(b"retry-after", b"2")], {"content-encoding": "gzip"})[tape.below(3)]
        self.is_open, self.is_sending, self.has_ended = True, False, False
        self.tell(CallInput.HEAD, call.receive_head, status, headers, self.now)

    def _receive(self, told: Any, what: CallInput, *, by_the_book: bool) -> None:
        tape = self.tape
        size = 0 if by_the_book else tape.below(32)
        piece = tape.take(size - 16) if size > 16 else PIECES[size - 1] if size else b""
        cut = not piece and tape.below(2) == 1
        if not piece:
            self.has_ended = True
            if not self.is_pipe:
                self.is_open = False
        self.tell(what, told, piece, self.now, cut=cut)
