# Generated from _async/client_host.py by `python tools/mirror.py --write`: edit that file.
"""The host of a call over a transport that has an HTTP client. See `host`."""

from typing import Any, ClassVar, Generic, Optional, TypeVar

from meshapi_backends._sync.host import Acts, Host
from meshapi_backends._sync.networks import Network
from meshapi_backends._sync.transports import Transport, TransportResponse
from meshapi_backends._failures import TransportError, is_interrupt
from meshapi_backends._guards import check_request
from meshapi_backends._mistakes import Returned, check_piece, check_response
from meshapi_backends._scopes import Calls
from meshapi_core import (
    Abort,
    ClientCall,
    Failure,
    ReadBody,
    SendRequest,
    Sleep,
)

T = TypeVar("T")


class ClientHost(Host[T], Generic[T]):
    """Drives one call over a transport that has an HTTP client.

    After an interrupted read, the call can go on if the response is `resumable`; otherwise it has
    failed.

    Args:
        call: the machine.
        transport: sends the requests.
        network: the clock, and how to sleep.
    """

    def __init__(
        self, call: ClientCall[T], transport: Transport, network: Network
    ) -> None:
        super().__init__(network)
        self.call: ClientCall[T] = call
        self._transport = transport
        self._response: Optional[TransportResponse] = None

    def _abort(self, action: Abort, now: float) -> float:
        self._give_up()
        return now

    def _sleep(self, action: Sleep, now: float) -> float:
        return self._wait(action, now, getattr(self._transport, "calls", None) or Calls())

    def _send(self, action: SendRequest, now: float) -> float:
        call = self.call
        try:
            check_request(action.request.origin, self._transport)
            with self._scope.running():
                sending: Any = self._transport.send(
                    action.request,
                    timeout=action.timeout,
                    deadline=call.deadline,
                    fresh=action.fresh,
                    **self._told(action),
                )
                response = Returned.send(sending, self._transport)
                check_response(response, self._transport)
        except BaseException as exc:
            if not self._tell(exc):
                call.interrupted(exc, self._network.now())
                raise
        else:
            now = self._network.now()
            self._response = response
            secrets = getattr(response, "secrets", ())
            if secrets:
                call.hide(secrets)
            where = getattr(response, "where", "")
            call.receive_head(
                response.status,
                response.headers,
                now,
                where=where or "the server",
                credentials=getattr(response, "proxy_credentials", False),
            )
            return now
        return self._network.now()

    def _told(self, action: SendRequest) -> dict[str, Any]:
        """More arguments, for transports that say that they take them. See `Transport`."""
        told: dict[str, Any] = {}
        if getattr(self._transport, "tells_sent", False):
            told.update(until=action.until, sent=self.call.sent)
        if getattr(self._transport, "changes_requests", False):
            told.update(attempt=action.attempt, hide=self.call.hide)
        return told

    def _tell(self, exc: BaseException) -> bool:
        """Tell the call what the transport raised; False for an exception of the program's."""
        now = self._network.now()
        if isinstance(exc, TransportError):
            self.call.receive_failure(_explained(exc), now)
        elif isinstance(exc, Exception) and not is_interrupt(exc):
            self.call.fail(exc, now)
        else:
            return False
        return True

    def _read(self, action: ReadBody, now: float) -> float:
        response, call = self._response, self.call
        if response is None:
            return now  # ended from outside
        try:
            reading: Any = response.read(action.until)
            data = Returned.read(reading, self._transport)
            if data.__class__ is not bytes:
                check_piece(data, self._transport)
        except BaseException as exc:
            if self._tell(exc):
                return self._network.now()
            resumable = bool(getattr(response, "resumable", False))
            call.interrupted(exc, self._network.now(), resumable=resumable)
            if not resumable:
                # At once, because nobody may drive this call again.
                self._give_up()
            raise
        else:
            now = self._network.now()
            if data or self._scope.failure is None:
                cut = not data and getattr(response, "cut", False)
                call.receive_body(data, now, cut=cut)
        return now

    def _give_up(self) -> None:
        response, self._response = self._response, None
        if response is not None:
            response.abort()

    _acts: ClassVar[Acts] = {
        **Host._acts,
        Abort: _abort,
        ReadBody: _read,
        SendRequest: _send,
        Sleep: _sleep,
    }


def _explained(exc: TransportError) -> Failure:
    # So that the error which the caller catches has the system's exception as its cause.
    error = exc.failure.error
    if exc.__cause__ is not error:
        error.__cause__ = exc.__cause__
    return exc.failure
