"""An `aiohttp.ClientSession` of the caller's as a transport, on asyncio. It stays open.

The session decides on connections, certificates and tracing, and adds its default headers and
cookies to requests to the API; ours take precedence. Requests to signed URLs carry nothing of the
session's, but use its connections. What a session may set to change responses is overridden for
each request: `raise_for_status`, `auto_decompress`, and the sizes of lines and headers.

Source: https://docs.aiohttp.org/en/stable/client_reference.html
"""

import sys
from typing import Any, Optional
from weakref import WeakSet

from meshapi_backends._failures import TransportError, mark_foreign, seconds_until
from meshapi_backends._http_clients.failures import Attempt, without_request
from meshapi_backends._http_clients.requests import Progress
from meshapi_backends._networks.current import current_network
from meshapi_backends._scopes import Calls, WaitEnded
from meshapi_core import (
    Failure,
    Headers,
    MeshAPIError,
    OpenBody,
    Request,
    Secret,
    Timeout,
    client_closed,
    type_name,
)

# Bytes of a line and of a header that are accepted; aiohttp's own default is 8190.
_LARGEST = 64 * 1024

# Headers that aiohttp makes up where we send none.
_AUTOMATIC = ("Accept", "Accept-Encoding", "Content-Type", "User-Agent")


class AiohttpTransport:
    """Sends requests through an `aiohttp.ClientSession` of yours, on asyncio.

    The session stays open when the client or the transport is closed, and belongs to one event
    loop. Redirects are not followed.

    Args:
        session: an open session, without `auth=`.

    Raises:
        TypeError: the session is something else, or has `auth`.
    """

    def __init__(self, session: Any) -> None:
        if not any(
            cls.__name__ == "ClientSession" and cls.__module__.partition(".")[0] == "aiohttp"
            for cls in type(session).__mro__
        ):
            hint = "; write ClientSession(), not the class" if isinstance(session, type) else ""
            raise TypeError(
                f"session: expected aiohttp.ClientSession, got {type_name(session)}{hint}"
            )
        if getattr(session, "auth", None) is not None:
            raise TypeError(
                "session: has auth=..., but the client sends its own token; make a session"
                " without auth"
            )
        self._session = session
        self._library: Any = sys.modules["aiohttp"]
        self._open: WeakSet[AiohttpResponse] = WeakSet()
        self._closed = False
        self.calls = Calls()

    @property
    def closed(self) -> bool:
        """Whether `aclose` has been called, or the session was closed."""
        return self._closed or bool(self._session.closed)

    def closed_failure(self) -> Failure:
        """The failure of a call after that."""
        return client_closed() if self._closed else client_closed("the aiohttp session")

    async def send(
        self,
        request: Request,
        *,
        timeout: Timeout,
        deadline: Optional[float] = None,
        fresh: bool = False,
    ) -> "AiohttpResponse":
        """Send through the session. See `AsyncTransport`.

        Raises:
            TypeError: another event loop is running than the session's.
        """
        # aiohttp cannot be told to open a new connection, so `fresh` has no effect here.
        if self.closed:
            raise TransportError(self.closed_failure())
        network = current_network()
        self._check_loop(network.token())
        attempt = Attempt(request, timeout, Progress(network.now))
        limit = network.limit(seconds_until(deadline, network.now))
        session = self._session_for(request)
        response: Any = None
        try:
            with self.calls.waiting() as scope:
                try:
                    with scope.waiting(limit.cancel), limit:
                        response = await session.request(
                            request.method,
                            sys.modules["yarl"].URL(request.plain_url, encoded=True),
                            **self._options(attempt),
                        )
                    scope.check()
                except WaitEnded as exc:
                    raise TransportError(exc.failure) from None
                except Exception as exc:
                    self.explain(attempt, exc, has_head=False)
                    raise
            if response is None or limit.cancelled_caught:
                raise TimeoutError
            made = AiohttpResponse(self, attempt, response)
        except BaseException:
            if response is not None:
                response.close()
            raise
        finally:
            if session is not self._session:
                session.detach()
        self._open.add(made)
        return made

    def _check_loop(self, token: object) -> None:
        # The attribute is private in aiohttp 3, where the public one warns.
        loop = getattr(self._session, "_loop", token)
        if loop is not token:
            here = type_name(token)
            why = (
                "aiohttp runs on asyncio only; on trio, use AsyncHTTPCoreTransport or the client's"
                " own connections"
                if here.startswith("trio")
                else "the session belongs to another event loop than the one that runs here"
                f" ({here}); make a session and a client in each loop"
            )
            exc = TypeError(f"AiohttpTransport: {why}")
            mark_foreign(exc)
            raise exc

    def _session_for(self, request: Request) -> Any:
        """The session, or for a signed URL one without its headers and cookies."""
        session = self._session
        if any(isinstance(value, Secret) for _, value in request.headers):
            return session
        return self._library.ClientSession(
            connector=session.connector,
            connector_owner=False,
            cookie_jar=self._library.DummyCookieJar(),
            trust_env=session.trust_env,
            trace_configs=session.trace_configs,
        )

    def _options(self, attempt: Attempt) -> dict[str, Any]:
        request, timeout = attempt.request, attempt.timeout
        # Plain: aiohttp formats headers, and would send the asterisks of a Secret.
        headers = request.plain_headers()
        body: Any = request.body or None
        if isinstance(body, OpenBody):
            headers.append(("Content-Length", str(len(body))))
            body = _Pieces(body)
        waits = (timeout.connect, timeout.pool)
        connect = None if None in waits else sum(each or 0.0 for each in waits)
        limits = self._library.ClientTimeout(
            total=None,
            connect=connect,
            sock_connect=timeout.connect,
            sock_read=timeout.read,
            # From this limit on, aiohttp would round up to whole seconds.
            ceil_threshold=float("inf"),
        )
        options: dict[str, Any] = {
            "data": body,
            "headers": headers,
            "skip_auto_headers": _AUTOMATIC,
            "allow_redirects": False,
            "raise_for_status": False,
            "auto_decompress": False,
            "max_line_size": _LARGEST,
            "max_field_size": _LARGEST,
            "timeout": limits,
        }
        proxy = getattr(self._session, "_default_proxy", None)
        if proxy is not None:
            options["proxy"] = proxy
            options["proxy_auth"] = getattr(self._session, "_default_proxy_auth", None)
        if request.origin.host.endswith("."):
            # The dot of a fully qualified name, which certificates and SNI do not have.
            options["server_hostname"] = request.origin.host[:-1]
        return options

    def explain(self, attempt: Attempt, exc: Exception, *, has_head: bool) -> None:
        """Raise the error to raise in place of an exception, if there is another."""
        if isinstance(exc, (MeshAPIError, TransportError)):
            return
        if self.closed:
            raise TransportError(self.closed_failure()) from None
        failure = attempt.failure(exc, has_head=has_head)
        if failure is None:
            mark_foreign(exc)  # of a middleware or a trace of the session's
            return
        without_request(exc, None)
        raise TransportError(failure) from exc

    async def aclose(self) -> None:
        """Close the responses that are being read; the session stays open."""
        self._closed = True
        self.calls.end(client_closed())
        for response in list(self._open):
            response.abort()

    def __repr__(self) -> str:
        return f"<{type(self).__name__}>"


class AiohttpResponse:
    """A response of aiohttp's. See `AsyncTransportResponse`."""

    # aiohttp takes the end of a connection for the end of a body that has no length.
    cut = False
    # A wait of aiohttp's for the next bytes loses none when it is cancelled.
    resumable = True

    def __init__(self, transport: AiohttpTransport, attempt: Attempt, response: Any) -> None:
        self._transport = transport
        self._attempt = attempt
        self._response = response
        self._closed = self._ended = False
        self.status: int = response.status
        self.headers = Headers(response.raw_headers)
        self.where = attempt.where
        # For the finaliser, in which no loop may be running.
        self._network = current_network()
        self._loop = self._network.token()
        _stop_timer(response)

    async def read(self, until: Optional[float] = None) -> bytes:
        """The next piece of the body. See `AsyncTransportResponse.read`."""
        if self._closed:
            if not self._ended and self._transport.closed:
                raise TransportError(self._transport.closed_failure())
            return b""
        network = self._network
        piece: Optional[bytes] = None
        try:
            with network.limit(seconds_until(until, network.now)):
                piece = await self._response.content.readany()
            if piece is None:
                raise TimeoutError
        except Exception as exc:
            self.abort()
            self._transport.explain(self._attempt, exc, has_head=True)
            raise
        if not piece:
            # aiohttp has taken the connection back.
            self._closed = self._ended = True
        return piece

    def abort(self) -> None:
        """Give up the response. See `AsyncTransportResponse.abort`."""
        if not self._closed:
            self._closed = True
            self._response.close()

    def __del__(self) -> None:
        if not self._closed:
            # aiohttp's response is part of a cycle, and would be closed much later. This may be
            # another thread.
            self._network.call_soon(self._loop, self._response.close)


def _stop_timer(response: Any) -> None:
    """Switch off aiohttp's limit for reading, which also runs while nobody reads.

    It has kept the limit of the head. `AiohttpResponse.read` has limits of its own.
    """
    connection = response.connection
    protocol = None if connection is None else connection.protocol
    if protocol is not None and hasattr(protocol, "_read_timeout"):
        protocol._read_timeout = None
        protocol.start_timeout()


class _Pieces:
    """The pieces of a body, as aiohttp wants them: not a generator, which a loop would finalise."""

    def __init__(self, body: OpenBody) -> None:
        self._pieces = body.pieces()

    def __aiter__(self) -> "_Pieces":
        return self

    async def __anext__(self) -> bytes:
        for piece in self._pieces:
            return piece
        raise StopAsyncIteration
