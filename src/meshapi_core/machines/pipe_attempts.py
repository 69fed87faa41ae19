"""An attempt over byte pipes: without a connection yet (`Connecting`), and on one (`Conversation`).

This module also has the steps that a `PipeCall` takes up to the head of a response, and the
handling of their failures. One rule applies to all of them: what the server sent before the
connection broke comes before the failure.
"""

from collections.abc import Iterator
from typing import Any, Optional

from meshapi_core.config import Timeout
from meshapi_core.errors import APIConnectionError, APITimeoutError, ProtocolError
from meshapi_core.failures import Phase, hint_at_tls, timed_out, unexpected_status
from meshapi_core.http11.connection import HTTP11Connection, ResponseHead
from meshapi_core.machines.actions import Connect, Read, Release, Write
from meshapi_core.machines.common_steps import (
    attempt_failed,
    body_failed,
    explained,
    read_or_expire,
)
from meshapi_core.machines.exchange import Send
from meshapi_core.machines.lifecycle import Failing, Lifecycle, Step
from meshapi_core.machines.pace import HeadPace
from meshapi_core.machines.states import CallState
from meshapi_core.machines.timer import LAST_WORD, earliest
from meshapi_core.messages import SUCCESS, Failure, Response, Stage
from meshapi_core.proxies.refusals import name_proxy, other_methods, wants_credentials
from meshapi_core.signals import NEED_DATA

__all__ = ["FAILINGS", "STEPS", "Conversation", "Connecting"]


# Looked up for each call. By the name of its class, a member takes ten times as long up to 3.11.
_WRITING, _HEAD = CallState.WRITING, CallState.HEAD


class Connecting:
    """An attempt that has no connection yet."""

    reused = False
    queues = False
    """Whether it waits for a free one. `Timeout.pool` limits that, `Timeout.connect` the rest."""

    _pool_until: Optional[float] = None
    _connect_until: Optional[float] = None

    @property
    def stage(self) -> Stage:
        """How far it has come."""
        return "pool" if self.queues else "connect"

    def phase(self, state: CallState) -> Phase:
        """Which limit applies."""
        return "pool" if self.queues else "connect"

    told_phase = phase

    def silence(self, now: float) -> None:
        """None: nothing was sent."""

    def timed_out(self, phase: Phase, timeout: Timeout, now: float) -> APITimeoutError:
        """The error for a limit that ran out."""
        return timed_out(phase, timeout)

    def queue(self, send: Send, now: float) -> Optional[float]:
        """Wait for a free connection. Returns when that time runs out."""
        # All waits in the queue share one limit. What is opened after one has a limit of its own.
        self._connect_until = None
        if self._pool_until is None and send.timeout.pool is not None:
            self._pool_until = now + send.timeout.pool
        self.queues = True
        return earliest(self._pool_until, send.deadline)

    def open(self, send: Send, now: float) -> Optional[float]:
        """Open a connection. Returns when that time runs out, counted from the first call."""
        self.queues = False
        # An interrupted Connect is given again, and gets no more time by that.
        if self._connect_until is None and send.timeout.connect is not None:
            self._connect_until = now + send.timeout.connect
        until, deadline = self._connect_until, send.deadline
        return until if deadline is None else earliest(until, deadline)

    def reading(self, until: Optional[float]) -> Any:
        """None: there is nothing to read."""

    def give_back(self) -> None:
        """None: there is no connection."""

    def give_up(self) -> None:
        """None: there is no connection."""


class Conversation:
    """One request and its response on one connection.

    Args:
        http: the machine of the connection.
        now: when the request begins.
    """

    unheard = False
    """Whether bytes, or the end of input, have come that no step has looked at."""
    cut = False
    """Whether the input ended without TLS's close_notify."""
    ended = False
    """Whether the input has ended."""
    pieces: Iterator[bytes] = iter(())
    """What is still to be written."""
    piece: Optional[bytes] = None
    """What is being written."""
    piece_until: Optional[float] = None
    """When the time to write that piece runs out."""
    written = 0
    """How many pieces have been written."""
    pace: Optional[HeadPace] = None
    """The limit of the head; None until the wait for it begins."""
    unwritten: Failure
    """Why the request could not be written; set in LAST_WORD, and in HEAD after a failed write."""
    last_word_until = 0.0
    """Until when to wait for the server to say why."""

    def __init__(self, http: HTTP11Connection, now: float) -> None:
        self.http = http
        self.began = now
        self.reused = http.served > 0
        # All requests set these. Many objects that are made before the first of them gets an
        # attribute have a dict each for it, of 500 bytes.
        self.unheard = self.ended = False
        self.written = 0
        self.piece = None

    @property
    def stage(self) -> Stage:
        """How far it has come."""
        # Any byte counts: a server that has begun to respond has seen the request.
        return "response" if self.http.answered else "request"

    def phase(self, state: CallState) -> Phase:
        """Which limit applies."""
        return "write" if state is _WRITING else "read"

    told_phase = phase

    @property
    def is_written(self) -> bool:
        """Whether the whole request has been written: its last piece was taken, and reported."""
        # `sent` alone says only that the last piece was taken, of which a part may be on its way.
        return self.http.sent and self.piece is None and self.written > 0

    def silence(self, now: float) -> float:
        """Seconds since the request began."""
        return now - self.began

    def timed_out(self, phase: Phase, timeout: Timeout, now: float) -> APITimeoutError:
        """The error for a limit that ran out."""
        return timed_out(phase, timeout)

    def reading(self, until: Optional[float]) -> Read:
        """The action that reads."""
        return Read(until=until)

    def give_back(self) -> Release:
        """The action for a response that has been read to its end."""
        # The connection's machine knows the bytes, but not whether the last of them were written.
        # After an incomplete request, the server would read the next one as the rest of its body
        # (RFC 9112, section 9.5).
        http, reusable = self.http, self.http.reusable and self.is_written
        if reusable:
            http.start_next_cycle()
        return Release(reusable=reusable, http=http)

    def give_up(self) -> Release:
        """The action for a connection of which nobody will read any more."""
        return Release(reusable=False, http=self.http)


# What to do


def _connect(life: Lifecycle, now: float) -> Optional[Connect]:
    send, connecting, timer = life.send, life.attempt, life.timer
    assert isinstance(connecting, Connecting)
    # The exchange has checked this, but opening files and failed connections take time.
    if send.deadline is not None and now >= send.deadline:
        life.expire(now)
        return None
    if not connecting.queues:
        # A host with a queue may then call `queued`, and `opening` when it is the call's turn.
        timer.until = connecting.open(send, now)
    elif timer.until is not None and now >= timer.until:
        # It came back from the queue without a connection, and asks again: its limit runs on.
        life.expire(now)
        return None
    request = send.request
    return Connect(
        origin=request.origin,
        fresh=send.fresh,
        named_by=request.named_by,
        upgrades=life.exchange.upgrades,
        until=timer.until,
    )


def _write(life: Lifecycle, now: float) -> Any:
    conversation = life.attempt
    assert isinstance(conversation, Conversation)
    # RFC 9112, section 9.5: while it sends a body, a client should watch for an error response, and
    # stop sending when it sees one.
    if conversation.unheard and _hears_head(life, now):
        return None
    # A piece that was interrupted is given again, with the limit that it had.
    if conversation.piece is None:
        try:
            conversation.piece = next(conversation.pieces, None)
        except BaseException as exc:
            # A file could not be read, or reading it was interrupted. Its generator is finished, so
            # the body can't be completed, and its Content-Length has been sent: nothing goes on.
            life.fail_for_good(exc)
            if not isinstance(exc, Exception):
                raise
            return None
        if conversation.piece is None:
            life.state = _HEAD
            return _await_head(life, now)
        # `write` limits each piece, so that an upload has all the time it needs while it proceeds.
        limit, deadline = life.send.timeout.write, life.send.deadline
        conversation.piece_until = None if limit is None else now + limit
        if deadline is not None:
            if now >= deadline:
                life.expire(now)
                return None
            conversation.piece_until = earliest(conversation.piece_until, deadline)
    life.timer.until = conversation.piece_until
    return Write(data=conversation.piece, until=conversation.piece_until)


def _await_head(life: Lifecycle, now: float) -> Any:
    conversation, send, timer = life.attempt, life.send, life.timer
    assert isinstance(conversation, Conversation)
    if conversation.unheard and _hears_head(life, now):
        return None
    pace = conversation.pace
    if pace is None:
        pace = conversation.pace = HeadPace(send.timeout.read, now)
        if send.answer_within is not None:
            life.answer_until = now + send.answer_within
    elif not timer.asked:
        # Something has come since the last Read. It restarts the limit only if it is a whole
        # interim response, not if it is some bytes of a head.
        pace.receive_interim(conversation.http.interim, now)
    deadline = send.deadline
    until = pace.until if deadline is None else earliest(pace.until, deadline)
    if life.answer_until is not None:
        until = earliest(until, life.answer_until)
    if timer.asked or (until is not None and now >= until):
        return read_or_expire(life, until, deadline, now)
    # What `read_or_expire` does where there is time, in line for the sake of speed.
    timer.asked = True
    timer.until = until
    return Read(until=until)


def _hears_head(life: Lifecycle, now: float) -> bool:
    """Look at what has come, and return whether the wait for a head is over."""
    conversation = life.attempt
    assert isinstance(conversation, Conversation)
    conversation.unheard = False
    try:
        event: Any = conversation.http.next_event()
    except APIConnectionError as exc:
        fail(life, life.failed(exc, now), now)
        return True
    if event is NEED_DATA:
        return False
    head: ResponseHead = event
    upgrades = life.exchange.upgrades
    if head.status < 400 and (conversation.reused or upgrades) and not conversation.is_written:
        # RFC 9112, sections 6.3 and 9.2: bytes that were left over from another exchange must not
        # be taken for a response to this one. A server may refuse a request early, by an error, but
        # it cannot grant one that it has not got. On a new connection nothing can be left over; but
        # no protocol can be changed in the middle of a request (RFC 9110, section 7.8).
        error = ProtocolError(
            "the server responded before the request was sent", error_code="desync"
        )
        silence = conversation.silence(now)
        fail(life, Failure(error, "request", reused=conversation.reused, silence=silence), now)
    elif upgrades and head.status < SUCCESS.stop:
        # RFC 9110, section 7.8. After a 101 the connection speaks the other protocol, and is the
        # host's: no Release. A 2xx instead means that the server ignored the Upgrade: the reader of
        # the upgrade makes an error of it, for which its body does not matter.
        life.switched = head.headers
        life.exchange.receive(Response(head.status, head.headers), now)
        life.state = CallState.READY
    elif (via := conversation.http.via) is not None and wants_credentials(
        head.status, head.headers
    ):
        hint = other_methods(head.headers) or via.hint
        fail(life, unexpected_status(head.status, via.where, hint), now)
    else:
        # The connection passes over interim responses: this is the final head, the only one. From
        # here on its `next_event` returns the body.
        source: Any = conversation.http.next_event
        proxy = "" if via is None else via.where
        life.receive_head(head.status, head.headers, source, now, cut=conversation.cut, proxy=proxy)
    return True


def _hear_last_word(life: Lifecycle, now: float) -> Optional[Read]:
    # The first bytes lead to HEAD, whose usual limits hold for the rest (`receive_data`).
    conversation = life.attempt
    assert isinstance(conversation, Conversation)
    if now < conversation.last_word_until:
        life.timer.until = conversation.last_word_until
        return Read(until=conversation.last_word_until)
    life.expire(now)
    return None


# What follows if it failed


def fail(life: Lifecycle, failure: Failure, now: float) -> None:
    """End the attempt, with a hint in its error if the server seems to expect TLS."""
    conversation = life.attempt
    via = conversation.http.via if isinstance(conversation, Conversation) else None
    if via is not None:
        name_proxy(failure.error, via.where)
    if (
        isinstance(conversation, Conversation)
        and not conversation.http.answered
        and not conversation.reused
        # A server that wants TLS does not read a long request.
        and conversation.written <= 1
        and life.send.request.origin.scheme == "http"
        and via is None
    ):
        hint_at_tls(failure.error)
    life.fail_attempt(failure, now)


def _write_failed(life: Lifecycle, failure: Failure, now: float, over: float) -> None:
    conversation, deadline = life.attempt, life.send.deadline
    assert isinstance(conversation, Conversation)
    if failure.stage == "closed" or (deadline is not None and now >= deadline):
        fail(life, failure, now)
        return
    # A server that refuses a large request responds first and then closes (RFC 9112, section 9.6).
    # So a failed write does not fail the attempt yet: the reason may be there to be read.
    conversation.unwritten = failure
    last = now + LAST_WORD
    conversation.last_word_until = last if deadline is None else min(last, deadline)
    # Not by way of LAST_WORD if something is there already: HEAD looks at it without a Read.
    life.state = _HEAD if conversation.unheard else CallState.LAST_WORD


def _last_word_failed(life: Lifecycle, failure: Failure, now: float, over: float) -> None:
    conversation = life.attempt
    assert isinstance(conversation, Conversation)
    # There is no response. The failed write says more than the failed read after it.
    fail(life, failure if failure.stage == "closed" else conversation.unwritten, now)


def _head_failed(life: Lifecycle, failure: Failure, now: float, over: float) -> None:
    # A head may have come with the bytes before the failure, which no step has looked at.
    if not _hears_head(life, now):
        if failure.timed_out and life.answer_until is not None and over >= life.answer_until:
            failure = explained(failure, life.unanswered())
        fail(life, failure, now)
    elif life.state is CallState.BODY:
        # It had: so the failure is one in the body, all of which may have come as well.
        body_failed(life, failure, now, now)


STEPS: dict[CallState, Step] = {
    CallState.CONNECTING: _connect,
    CallState.WRITING: _write,
    CallState.LAST_WORD: _hear_last_word,
    CallState.HEAD: _await_head,
}

FAILINGS: dict[CallState, Failing] = {
    CallState.CONNECTING: attempt_failed,
    CallState.WRITING: _write_failed,
    CallState.LAST_WORD: _last_word_failed,
    CallState.HEAD: _head_failed,
}
