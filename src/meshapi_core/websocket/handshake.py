"""The upgrade of a WebSocket connection: its request out, the response in.

Theory of operation. The upgrade is HTTP/1.1 and goes through `HTTP11Connection`, so its limits and
its errors are those of any other call. The states, until it is over:

    WAITING ──101 that is right──▶ (upgraded)
     │  └─────101 that is wrong, no HTTP, the end of input──▶ (failed)
     └──any other head──▶ REFUSED ──the whole body, its end, or 64 KiB of it──▶ (failed)

A refusal is known by its head, so what it says beyond that is read only as far as it comes: where
the body breaks off, is too long or too late, it is still the refusal that the status says.

What a 101 must say to be right is `check_upgrade`, also for an upgrade that somebody else made.

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

# Bytes of the answer to a refused upgrade: more than any error envelope, less than a flood.
_MAX_REFUSAL = 64 * 1024


class Upgraded(Struct, frozen=True):
    """The upgrade is done: what follows is frames.

    Fields:
        subprotocol: what the server chose; None where it chose none.
        headers: of the response.
        received: what came behind it.
    """

    subprotocol: Optional[str]
    headers: Headers
    received: bytes = b""


class Handshake:
    """One upgrade, from its request to the end of its response. Its error is raised once.

    Args:
        request: a GET with all the header fields of an upgrade, Sec-WebSocket-Key included.
    """

    def __init__(self, request: Request) -> None:
        self._request = request
        self._http = HTTP11Connection()
        # Known where it is REFUSED, and then its body as far as it has come.
        self._refusal: Optional[ResponseHead] = None
        self._body = bytearray()
        self.receive_data = self._http.receive_data

    @property
    def kept(self) -> int:
        """Bytes of a refusal's body that are kept."""
        return len(self._body)

    def send(self) -> bytes:
        """Return the bytes of the request; their repr does not show them."""
        return SecretBytes(b"".join(self._http.send(self._request)))

    def next_event(self) -> Union[Upgraded, NeedData]:
        """Go on with what was received.

        Raises:
            MeshAPIError: the upgrade failed.
        """
        while True:
            try:
                event = self._http.next_event()
            except APIConnectionError:
                if self._refusal is None:
                    raise
                event = END_OF_BODY
            if event is NEED_DATA:
                return NEED_DATA
            if isinstance(event, ResponseHead):
                if event.status == 101:
                    chosen = check_upgrade(self._request, event.headers)
                    return Upgraded(chosen, event.headers, self._http.trailing_data)
                self._refusal = event
            elif isinstance(event, bytes):
                self._body += event
            if event is END_OF_BODY or len(self._body) > _MAX_REFUSAL:
                raise self._refused()

    def last_event(self, limit: Optional[float]) -> Upgraded:
        """Go on with what was received, as the time is over.

        Args:
            limit: how many seconds that was, for the error.

        Raises:
            MeshAPIError: the upgrade failed, or was not answered whole by now.
        """
        event = self.next_event()
        if event is not NEED_DATA:
            return event
        if self._refusal is not None:
            # It has said no: that is known, and what it said about it is not waited for.
            raise self._refused()
        late = f"the upgrade to a WebSocket was not answered within {limit} s"
        raise APITimeoutError(late, phase="read")

    def _refused(self) -> MeshAPIError:
        assert self._refusal is not None
        head, body = self._refusal, bytes(self._body)
        response, _ = decoded_in_part(Response(head.status, head.headers, body))
        return refused_upgrade(response)


def refused_upgrade(response: Response) -> MeshAPIError:
    """Return the error of an upgrade that was answered with something else than 101."""
    status, headers = response.status, response.headers
    if 200 <= status < 300:
        return ProtocolError(
            f"the server answered HTTP {status} and did not switch to a WebSocket",
            status=status,
            error_code="handshake_status",
            request_id=find_request_id(headers),
            headers=headers,
        )
    return error_from_response(status, headers, response.body, received_at=response.received_at)


def check_upgrade(request: Request, headers: Headers) -> Optional[str]:
    """Return the subprotocol that a 101 chose, None where it chose none.

    Raises:
        ProtocolError: the response is not one to this request. Its `error_code`: handshake_upgrade,
            handshake_accept, handshake_extension, handshake_subprotocol.

    Source: https://www.rfc-editor.org/rfc/rfc6455#section-4.1, the list behind "Once the client's
        opening handshake has been sent"
    """
    sent = dict(request.headers)
    # 2: "an ASCII case-insensitive match for the value 'websocket'".
    if headers.get("upgrade", "").strip().lower() != "websocket":
        raise _bad_handshake("upgrade", "it does not upgrade to websocket")
    # 3: Connection has a token that is "Upgrade".
    if "upgrade" not in _tokens(headers.get("connection", "").lower()):
        raise _bad_handshake("upgrade", "its Connection field does not say upgrade")
    # 4. The values of a field that is there twice are joined, so a second one is no match.
    expected = generate_accept_token(sent["sec-websocket-key"].encode("ascii")).decode("ascii")
    if headers.get("sec-websocket-accept", "").strip() != expected:
        raise _bad_handshake("accept", "its Sec-WebSocket-Accept does not fit the key")
    # 5: none is offered, compression (RFC 7692) included.
    if headers.get("sec-websocket-extensions", "").strip():
        raise _bad_handshake("extension", "it chose an extension that was not offered")
    # 6.
    chosen = headers.get("sec-websocket-protocol", "").strip()
    if chosen and chosen not in _tokens(str.__str__(sent.get("sec-websocket-protocol", ""))):
        raise _bad_handshake("subprotocol", "it chose a subprotocol that was not offered")
    return chosen or None


def _tokens(value: str) -> list[str]:
    return [word.strip() for word in value.split(",")]


def _bad_handshake(what: str, why: str) -> ProtocolError:
    return ProtocolError(
        f"the answer to the WebSocket upgrade is wrong: {why}", error_code=f"handshake_{what}"
    )
