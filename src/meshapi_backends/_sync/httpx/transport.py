# Generated from _async/httpx/transport.py by `python tools/mirror.py --write`: edit that file.
"""An injected `httpx` or `httpx2` client as a transport. It belongs to the caller and stays open.

The caller's client decides on connections, proxies, certificates, mounts and event hooks, and adds
its default headers, cookies and query parameters to requests to the API. We decide on the URL, the
time limits, the Authorization header and retries. Redirects are not followed. Requests to signed
URLs carry nothing of the client's, but event hooks see them, as they see every request.
"""

from collections import deque
from collections.abc import Callable
from functools import partial
from typing import Any, Optional

from meshapi_backends._sync.httpx.bodies import body_class, checked_class
from meshapi_backends._sync.httpx.response import HTTPXResponse, OpenResponse
from meshapi_backends._sync.transports import TransportResponse
from meshapi_backends._failures import TransportError, mark_foreign
from meshapi_backends._http_clients.failures import Attempt, refused_response, without_request
from meshapi_backends._http_clients.flavours import Flavour, Scope
from meshapi_backends._http_clients.head_waits import HeadWait
from meshapi_backends._http_clients.requests import (
    Progress,
    TimeLimits,
    bare_request,
    header_fields,
    is_offline,
    library_of,
    make_request,
)
from meshapi_backends._http_clients.sockets import hang_up
from meshapi_backends._scopes import Calls, WaitEnded
from meshapi_core import Failure, MeshAPIError, Request, Timeout, client_closed


class HTTPXTransport:
    """A transport that sends through an injected client. See `Transport`.

    Args:
        client: an `httpx.Client` or `httpx2.Client`, or one of a derived class.

    Raises:
        TypeError: the client is something else.
    """

    def __init__(self, client: Any) -> None:
        self.flavour = Flavour()
        self._library = library_of(client, self.flavour.kind)
        self._client = client
        self._body_class = body_class(getattr(self._library, self.flavour.stream))
        self._checked_class = checked_class(getattr(self._library, self.flavour.stream))
        self._open: set[OpenResponse] = set()
        self._dropped: deque[OpenResponse] = deque()
        self._closed = False
        self.calls = Calls()
        self.tells_sent = True

    @property
    def closed(self) -> bool:
        """Whether `close` has been called, or the injected client was closed."""
        return self._is_closed()

    @property
    def offline(self) -> bool:
        """Whether the injected client opens no connections. See `Transport`."""
        return is_offline(self._client)

    def closed_failure(self) -> Failure:
        """The failure of a call after that."""
        return client_closed() if self._closed else client_closed("the httpx client")

    def _is_closed(self) -> bool:
        return self._closed or bool(self._client.is_closed)

    def send(
        self,
        request: Request,
        *,
        timeout: Timeout,
        deadline: Optional[float] = None,
        fresh: bool = False,
        until: Optional[float] = None,
        sent: Optional[Callable[[float], Optional[float]]] = None,
    ) -> TransportResponse:
        """Send through the client. See `Transport`."""
        self._collect_dropped()
        # httpx cannot be told to open a new connection, so `fresh` has no effect here.
        attempt = Attempt(request, timeout, Progress(self.flavour.now))
        return self._send(attempt, deadline if until is None else until, sent)

    def _send(
        self,
        attempt: Attempt,
        until: Optional[float],
        sent: Optional[Callable[[float], Optional[float]]],
    ) -> TransportResponse:
        if self._is_closed():
            raise TransportError(self.closed_failure())
        limits = TimeLimits(attempt.timeout, until, self.flavour.now)
        response = self._head(attempt, limits, sent)
        if not response.is_closed:  # a hook may have read it
            response.stream = self._checked_class(response)
        open_response = OpenResponse(self, response, attempt, limits)
        self._open.add(open_response)
        if self._is_closed():
            open_response.close()
            raise TransportError(self.closed_failure())
        return HTTPXResponse(
            open_response, header_fields(self._library, response), attempt.where
        )

    def _head(
        self,
        attempt: Attempt,
        limits: TimeLimits,
        sent: Optional[Callable[[float], Optional[float]]],
    ) -> Any:
        """The response, not read yet. Closing the stream or the client ends the wait for it."""
        wait = self.flavour.head_wait(self._client)
        limit = self.flavour.limit_exchange(limits.end, wait)
        response: Any = None
        with self.calls.waiting() as scope:
            try:
                with scope.waiting(partial(wait.end, limit)), limit:
                    response = self._exchange(attempt, limits, wait, limit, sent)
            except WaitEnded as exc:
                raise TransportError(exc.failure) from None
            except Exception as exc:
                response = refused_response(exc)
                if response is None and scope.failure is not None:
                    raise TransportError(scope.failure) from exc
                if response is None:
                    error = self.explained(attempt, exc, has_head=False)
                    if error is None:
                        mark_foreign(exc)
                        raise
                    raise error from exc
            finally:
                wait.close()
            if response is None and scope.failure is not None:
                raise TransportError(scope.failure)
        if response is None or limit.cancelled_caught:
            if response is not None:
                # It arrived at the last moment, on a connection that has been shut down.
                self.flavour.start(response.close)
            raise TimeoutError
        return response

    def _exchange(
        self,
        attempt: Attempt,
        limits: TimeLimits,
        wait: HeadWait,
        limit: Scope,
        sent: Optional[Callable[[float], Optional[float]]],
    ) -> Any:
        def trace(step: str, info: object) -> None:
            attempt.progress.note(step, info)
            wait.note(step, info, request)
            if step.endswith("receive_response_headers.started"):
                self.flavour.limit_head(limit, sent(self.flavour.now()) if sent else limits.end)

        extensions: dict[str, Any] = {"timeout": limits, "trace": trace}
        if attempt.request.origin.host.endswith("."):
            # The dot of a fully qualified name, which certificates and SNI do not have.
            extensions["sni_hostname"] = attempt.request.origin.host[:-1]
        request = make_request(self._library, self._client, attempt.request, extensions)
        # Not httpx's own streams, which are generators: trio warns when one is not exhausted.
        request.stream = self._body_class(attempt.request.body)
        return self._client.send(request, stream=True, auth=None, follow_redirects=False)

    def explained(
        self, attempt: Attempt, exc: Exception, *, has_head: bool
    ) -> Optional[TransportError]:
        """The error to raise in place of an exception; None if it is to be raised unchanged."""
        if isinstance(exc, (MeshAPIError, TransportError)):
            return None
        if self._is_closed():
            return TransportError(self.closed_failure())
        failure = attempt.failure(exc, has_head=has_head)
        if failure is None:
            return None
        without_request(exc, bare_request(self._library, attempt.request))
        return TransportError(failure)

    def close(self) -> None:
        """Close the responses that are being read; the injected client stays open."""
        self._closed = True
        self.calls.end(client_closed())
        self._collect_dropped()
        for open_response in list(self._open):
            open_response.close()
        self.flavour.settle()

    def drop(self, open_response: "OpenResponse") -> None:
        """Note that nobody holds a response any more. Safe in a finaliser."""
        hang_up(open_response.response)
        self._dropped.append(open_response)

    def forget(self, open_response: "OpenResponse") -> None:
        """Remove a response that has ended."""
        self._open.discard(open_response)

    def _collect_dropped(self) -> None:
        while self._dropped:
            try:
                open_response = self._dropped.popleft()
            except IndexError:
                return  # another thread took the last one
            open_response.close()
