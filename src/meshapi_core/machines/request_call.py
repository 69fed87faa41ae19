"""One request and its response over byte pipes: for connections of ours that serve as a transport.

A `RequestCall` is a `PipeCall` of one attempt, and any host of a `PipeCall` can drive it. Its
response is the result, whatever the status, and its items are the pieces of the body as they come.
Up to the head, the time limits are those of any attempt. From there on, the reader of the body
knows them (`ClientCall` does), and sets the end of each read by `limit_reads`.

An error says less than its `Failure`: `failure` has that, for the machine that decides on retries.
"""

from collections import deque
from typing import Any, Optional, Union

from typing_extensions import Buffer

from meshapi_core.config import Timeout
from meshapi_core.headers import Headers, find_request_id
from meshapi_core.machines.exchange import ExchangeUsageError, Send
from meshapi_core.machines.lifecycle import Lifecycle
from meshapi_core.machines.pipe_call import PipeCall
from meshapi_core.machines.responses import Source, StreamedResponse
from meshapi_core.machines.states import CallState
from meshapi_core.messages import Failure, Request, Response
from meshapi_core.redaction import conceal
from meshapi_core.service import MESHAPI, Service
from meshapi_core.signals import END_OF_STREAM, NEED_DATA, EndOfStream, NeedData

__all__ = ["RequestCall"]


class RequestCall(PipeCall[bytes]):
    """One request over a byte pipe, from connecting to the last piece of its response.

    Args:
        request: what to send. A streamed body must be open.
        timeout: the time limits up to the head of the response.
        deadline: a time that no phase up to the head may pass; None is never.
        fresh: whether to open a new connection for it.
    """

    _closing: Optional[Failure] = None

    def __init__(
        self,
        request: Request,
        *,
        timeout: Timeout,
        deadline: Optional[float] = None,
        fresh: bool = False,
    ) -> None:
        send = Send(request, timeout, deadline, fresh)
        self._only = _OnlyAttempt(send)
        self._life = _RequestLife(self._rules, self._only, send, None)

    @property
    def failure(self) -> Optional[Failure]:
        """Why there is no response, or only a part of one.

        None while nothing has failed, and where the request's own body could not be read.
        """
        if self._only.failure is not None:
            return self._only.failure
        decoder: Any = self.decoder
        failure: Optional[Failure] = None if decoder is None else decoder.failure
        return failure or self._closing

    @property
    def further_secrets(self) -> tuple[str, ...]:
        """What errors must not show beside the secrets of the request: a proxy's password."""
        return self._only.further_secrets

    @property
    def cut(self) -> bool:
        """Whether the end of the input may have cut the body off; see `Response.cut`."""
        response = self._life.response
        return response is not None and response.cut

    @property
    def proxy(self) -> str:
        """What the proxy is called that forwarded the request; "" if there is none."""
        response = self._life.response
        return "" if response is None else response.head.proxy

    def limit_reads(self, until: Optional[float]) -> None:
        """From now on, wait for the body until this time; None is without end."""
        response = self._life.response
        if isinstance(response, _PassedResponse):
            response.read_until = until

    def close(self, failure: Failure, now: float) -> None:
        """End the request. See `PipeCall.close`."""
        if self._closing is None:
            self._closing = failure
        super().close(failure, now)


class _OnlyAttempt:
    """In the place of an exchange: one attempt, whose failure is final."""

    streaming = True
    upgrades = False
    # Whoever decides on the attempts conceals secrets, and knows how long they take.
    secrets = ()
    further_secrets: tuple[str, ...] = ()
    began = None
    elapsed = 0.0
    attempts = 0
    failure: Optional[Failure] = None

    def __init__(self, send: Send) -> None:
        self._send = send

    def next_action(self, now: float) -> Send:
        if self.failure is not None:
            raise self.failure.error
        self.attempts = 1
        return self._send

    def receive(self, event: Union[Response, Failure], now: float) -> None:
        assert isinstance(event, Failure), "a response does not come here"
        # Only this attempt knows the password of its proxy.
        conceal(event.error, self.further_secrets)
        self.failure = event

    def token(self, value: object) -> None:
        raise ExchangeUsageError("token: no token was asked for")


class _RequestLife(Lifecycle):
    """The life of one request."""

    def receive_head(
        self,
        status: int,
        headers: Headers,
        source: Source,
        now: float,
        *,
        cut: bool = False,
        proxy: str = "",
    ) -> None:
        self.state = CallState.BODY
        self.timer.until = None
        self.response = _PassedResponse(
            Response(status, headers, proxy=proxy), _Pieces(status, headers), self.send, source
        )
        self.response.cut = cut


class _PassedResponse(StreamedResponse[bytes]):
    """A response of any status, whose body is passed on as it comes."""

    read_until: Optional[float] = None
    """When the reader gives up."""

    def _wait(self, now: float) -> None:
        # The limits are the reader's.
        pass

    @property
    def until(self) -> Optional[float]:
        return self.read_until

    @property
    def last_until(self) -> Optional[float]:
        # The reader grants the moment for what came while it was interrupted.
        return self.read_until


class _Pieces:
    """The "decoder" of a body that is passed on."""

    complete = False
    failure: Optional[Failure] = None

    def __init__(self, status: int, headers: Headers) -> None:
        self.status = status
        self.headers = headers
        self.request_id = find_request_id(headers)
        self.secrets: tuple[str, ...] = ()
        self.service: Service = MESHAPI
        self._pieces: deque[bytes] = deque()

    def receive_data(self, data: Buffer) -> None:
        piece = bytes(data)
        if piece:
            self._pieces.append(piece)
        else:
            self.complete = True

    def receive_cut(self) -> None:
        self.complete = True

    def receive_failure(self, failure: Failure) -> None:
        if self.failure is None:
            self.failure = failure

    def next_event(self) -> Union[bytes, NeedData, EndOfStream]:
        if self._pieces:
            return self._pieces.popleft()
        if self.complete:
            return END_OF_STREAM
        if self.failure is not None:
            raise self.failure.error
        return NEED_DATA

    def partial(self) -> None:
        """None: nobody asks for it."""
