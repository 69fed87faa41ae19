"""The upgrade of a WebSocket connection: its request out, its response in.

Theory of operation. The upgrade is an HTTP/1.1 exchange and goes through `HTTP11Connection`, so it
has the limits and the errors of any other call. Its states:

    WAITING ──valid 101──▶ (upgraded)
     │  └─────invalid 101, not HTTP, the end of input──▶ (failed)
     └──any other head──▶ REFUSED ──the whole body, its end, or 64 KiB of it──▶ (failed)

The head alone tells that the server refused. The body only explains why, so as much of it is read
as arrives: if it breaks off, is too long or too late, the error is still the one of the status.

`check_upgrade` says what makes a 101 valid. It also checks upgrades that the host has made itself.

Source: https://www.rfc-editor.org/rfc/rfc6455 sections 1.3, 4.1 and 4.2.2
"""

from typing import Optional, Union

from msgspec import Struct
from wsproto.utilities import generate_accept_token

from meshapi_core._secret import SecretBytes
from meshapi_core.content_codings import decoded_in_part
from meshapi_core.envelopes import error_from_response
from meshapi_core.errors import APIConnectionError, APITimeoutError, MeshAPIError, ProtocolError
from meshapi_core.headers import Headers, find_request_id
from meshapi_core.http11.connection import HTTP11Connection, ResponseHead
from meshapi_core.messages import Request, Response
from meshapi_core.signals import END_OF_BODY, NEED_DATA, NeedData

__all__ = ["Handshake", "Upgraded", "check_upgrade", "refused_upgrade"]

# Bytes of the body of a refusal: more than any error envelope needs, too few to fill memory.
_MAX_REFUSAL = 64 * 1024


class Upgraded(Struct, frozen=True):
    """The upgrade succeeded: from here the connection carries frames.

    Fields:
        subprotocol: the subprotocol that the server chose; None if it chose none.
        headers: the headers of the response.
        received: the bytes that arrived after the response: the first frames.
    """

    subprotocol: Optional[str]
    headers: Headers
    received: bytes = b""


class Handshake:
    """One upgrade, from its request to the end of its response. Raises its error once.

    Args:
        request: a GET with all the headers of an upgrade, including Sec-WebSocket-Key.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self._http = HTTP11Connection()
        # Set in the state REFUSED: the head of the refusal, and its body so far.
        self._refusal: Optional[ResponseHead] = None
        self._body = bytearray()
        self.receive_data = self._http.receive_data

    @property
    def kept(self) -> int:
        """How many bytes of a refusal's body are kept."""
        return len(self._body)

    def send(self) -> bytes:
        """Return the bytes of the request; their repr hides them, as they hold the token."""
        return SecretBytes(b"".join(self._http.send(self._request)))

    def next_event(self) -> Union[Upgraded, NeedData]:
        """Return the finished upgrade, or NEED_DATA if its response is not complete.

        Raises:
            MeshAPIError: the upgrade failed.
        """
        while True:
            try:
                event = self._http.next_event()
            except APIConnectionError:
                if self._refusal is None:
                    raise
                # The body of a refusal broke off. Its status still says why there is no upgrade.
                event = END_OF_BODY
            if event is NEED_DATA:
                return NEED_DATA
            if isinstance(event, ResponseHead):
                if event.status == 101:
                    chosen = check_upgrade(self._request, event.headers)
                    # A server may send its first frames right behind the 101.
                    return Upgraded(chosen, event.headers, self._http.trailing_data)
                self._refusal = event
            elif isinstance(event, bytes):
                self._body += event
            if event is END_OF_BODY or len(self._body) > _MAX_REFUSAL:
                raise self._refused()

    def last_event(self, limit: Optional[float]) -> Upgraded:
        """Return the finished upgrade, now that its time limit has run out.

        Args:
            limit: the time limit in seconds, for the error.

        Raises:
            MeshAPIError: the upgrade failed, or its response is still not complete.
        """
        event = self.next_event()
        if event is not NEED_DATA:
            return event
        if self._refusal is not None:
            # The status tells that the server refused; the rest of the body is not waited for.
            raise self._refused()
        late = f"no response to the WebSocket upgrade within {limit} s"
        raise APITimeoutError(late, phase="read")

    def _refused(self) -> MeshAPIError:
        assert self._refusal is not None
        head, body = self._refusal, bytes(self._body)
        response, _ = decoded_in_part(Response(head.status, head.headers, body))
        return refused_upgrade(response)


def refused_upgrade(response: Response) -> MeshAPIError:
    """Return the error for an upgrade whose response has another status than 101."""
    status, headers = response.status, response.headers
    if 200 <= status < 300:
        return ProtocolError(
            f"the server responded with HTTP {status} and did not switch to WebSocket",
            status=status,
            error_code="handshake_status",
            request_id=find_request_id(headers),
            headers=headers,
        )
    return error_from_response(status, headers, response.body, received_at=response.received_at)


def check_upgrade(request: Request, headers: Headers) -> Optional[str]:
    """Return the subprotocol that a 101 chose; None if it chose none.

    Raises:
        ProtocolError: the response is not valid for this request. Its `error_code` is
            handshake_upgrade, handshake_accept, handshake_extension or handshake_subprotocol.
    """
    # The numbers are those of the list in section 4.1 that follows "Once the client's opening
    # handshake has been sent". Its first item, the status, is the caller's.
    sent = dict(request.headers)
    # 2: "an ASCII case-insensitive match for the value 'websocket'".
    if headers.get("upgrade", "").strip().lower() != "websocket":
        raise _bad_handshake("upgrade", 'expected the header "Upgrade: websocket"')
    # 3: Connection contains the token "Upgrade", in any case.
    if "upgrade" not in _tokens(headers.get("connection", "").lower()):
        raise _bad_handshake("upgrade", 'expected the header "Connection: Upgrade"')
    # 4: the accept value proves that the server has read this key. The values of a header that
    # comes twice are joined, so a second one makes it not match.
    expected = generate_accept_token(sent["sec-websocket-key"].encode("ascii")).decode("ascii")
    if headers.get("sec-websocket-accept", "").strip() != expected:
        raise _bad_handshake("accept", "its Sec-WebSocket-Accept does not match the key")
    # 5: the client offers no extension, not even compression (RFC 7692).
    if headers.get("sec-websocket-extensions", "").strip():
        raise _bad_handshake("extension", "the server chose an extension that was not offered")
    # 6: the subprotocol must be one that the client has offered.
    chosen = headers.get("sec-websocket-protocol", "").strip()
    if chosen and chosen not in _tokens(str.__str__(sent.get("sec-websocket-protocol", ""))):
        raise _bad_handshake("subprotocol", "the server chose a subprotocol that was not offered")
    return chosen or None


def _tokens(value: str) -> list[str]:
    return [word.strip() for word in value.split(",")]


def _bad_handshake(what: str, why: str) -> ProtocolError:
    return ProtocolError(
        f"the response to the WebSocket upgrade is wrong: {why}", error_code=f"handshake_{what}"
    )
