"""Asks an HTTP proxy for a tunnel: CONNECT. Bytes in, bytes out, no I/O.

The request has two headers, Host and Proxy-Authorization, and nothing that is meant for the server.
Of the response, only the head counts. `HTTP11Connection` reads it, with the limits of any head.

Source: https://www.rfc-editor.org/rfc/rfc9110#section-9.3.6,
    https://www.rfc-editor.org/rfc/rfc9112#section-3.2.3 (the target is host and port)
"""

from typing import TYPE_CHECKING, Final, Optional, Union

from meshapi_core._secret import SecretBytes
from meshapi_core.errors import APIConnectionError
from meshapi_core.http11.connection import HTTP11Connection, ResponseHead
from meshapi_core.machines.actions import Finished, Read, Write
from meshapi_core.messages import SUCCESS, Failure, Origin, Request
from meshapi_core.proxies.refusals import (
    ask_for_credentials,
    early_bytes,
    other_methods,
    own_response,
    refused,
)
from meshapi_core.redaction import concealed

if TYPE_CHECKING:
    from meshapi_core.proxies.routes import Route

__all__ = ["ConnectTunnel"]

# tinyproxy responds with a 401 to a wrong password.
_WANTS_CREDENTIALS: Final = frozenset({401, 407})
# tinyproxy also responds with a 500 if it cannot reach the server.
_WORTH_ANOTHER: Final = frozenset({500, 502, 503, 504})
_MEANINGS: Final = {
    401: "Unauthorized",
    403: "Forbidden; its rules do not allow this server or port",
    405: "Method Not Allowed; is this an HTTP proxy?",
    407: "Proxy Authentication Required",
    500: "Internal Server Error; it failed, or could not reach the server",
    502: "Bad Gateway; it could not reach the server",
    503: "Service Unavailable",
    504: "Gateway Timeout; the server did not respond to it",
}


class ConnectTunnel:
    """A tunnel through an HTTP proxy. See `Tunnel`.

    Args:
        route: the server and the proxy.
    """

    failure: Optional[Failure] = None

    def __init__(self, route: "Route") -> None:
        assert route.proxy is not None
        self._route = route
        self._http = HTTP11Connection()
        # The port is part of Host here, even a default one: no scheme goes with the target.
        server = Origin("", route.origin.host, route.origin.port)
        own = route.proxy.authorization
        request = Request("CONNECT", server, server.authority, () if own is None else (own,))
        # Joined, secret bytes are plain: error trackers would show them.
        self._unsent = SecretBytes(b"".join(self._http.send(request)))
        self._is_open = False

    @property
    def trailing_data(self) -> bytes:
        """See `Tunnel`."""
        return self._http.trailing_data if self._is_open else b""

    def next_action(self) -> Union[Write, Read, Finished]:
        """See `Tunnel`."""
        if self._unsent:
            data, self._unsent = self._unsent, SecretBytes()
            return Write(data=data)
        return Finished() if self._is_open or self.failure is not None else Read()

    def receive_data(self, data: bytes) -> None:
        """See `Tunnel`."""
        if self._is_open or self.failure is not None:
            return
        try:
            self._http.receive_data(data)
            event = self._http.next_event()
        except APIConnectionError as exc:
            self.failure = self._not_understood(exc)
            return
        if not isinstance(event, ResponseHead):
            return
        if event.status not in SUCCESS:
            self.failure = self._refused(event)
        elif self._http.trailing_data and self._route.origin.scheme != "https":
            self.failure = early_bytes()
        else:
            self._is_open = True

    def _refused(self, head: ResponseHead) -> Failure:
        route, status = self._route, head.status
        assert route.proxy is not None
        phrase, _, meaning = _MEANINGS.get(status, "").partition("; ")
        own = own_response(head.headers)
        credentials = status in _WANTS_CREDENTIALS
        code = ""
        if own is not None and own.code and not credentials:
            meaning, code = own.reason or meaning, f" ({own.code})"
        reason = f"{status} {phrase}".rstrip() + (f"; {meaning}" if meaning else "") + code
        if credentials:
            given = route.proxy.username is not None
            reason += other_methods(head.headers) or ask_for_credentials(
                given=given, variable=route.variable
            )
        again = status in _WORTH_ANOTHER
        return refused(route.where, reason, again=again, credentials=credentials)

    def _not_understood(self, exc: APIConnectionError) -> Failure:
        route = self._route
        assert route.proxy is not None
        if exc.error_code == "disconnected":
            reason = "it closed the connection; is it an HTTP proxy?"
            return refused(route.where, reason, again=True)
        # It may quote the first bytes, and a proxy may echo what it was sent.
        said = concealed(exc.message, route.proxy.secrets)
        return refused(route.where, said, again=False)
