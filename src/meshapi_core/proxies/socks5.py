"""Asks a SOCKS5 proxy for a tunnel. Bytes in, bytes out, no I/O.

    GREETING ─▶ (CREDENTIALS) ─▶ REPLY ─▶ open, or `failure`

In each of these states, one message of the proxy is due. Its first bytes tell its length, which is
262 bytes at most. What follows the last message is `trailing_data`. The first byte that breaks the
protocol ends it.

Source: https://www.rfc-editor.org/rfc/rfc1928 (sections 3, 4, 5 and 6),
    https://www.rfc-editor.org/rfc/rfc1929#section-2 (user name and password)
"""

from enum import Enum
from typing import TYPE_CHECKING, Final, Optional, Union

from meshapi_core._secret import SecretBytes
from meshapi_core.machines.actions import Finished, Read, Write
from meshapi_core.messages import Failure
from meshapi_core.proxies.refusals import ask_for_credentials, early_bytes, refused

if TYPE_CHECKING:
    from meshapi_core.proxies.proxy import Proxy
    from meshapi_core.proxies.routes import Route

__all__ = ["SOCKS5Tunnel"]

_VERSION: Final = 5
_NEGOTIATION: Final = 1  # the version of the messages about user name and password
_CONNECT: Final = 1
_NO_CREDENTIALS, _CREDENTIALS, _NONE_ACCEPTED = 0, 2, 0xFF
_IPV4, _NAME, _IPV6 = 1, 3, 4
_SIZES: Final = {_IPV4: 4, _IPV6: 16}

# RFC 1928, section 6: the reason, and whether another attempt may succeed.
_REASONS: Final = {
    1: ("general failure", True),
    2: ("its rules do not allow this server or port", False),
    3: ("the server's network is unreachable", True),
    4: ("the server is unreachable, or its name could not be resolved", True),
    5: ("the server refused the connection", True),
    6: ("the server did not respond to it", True),
    7: ("it does not support CONNECT", False),
    8: ("it does not support this kind of address", False),
}


class _State(Enum):
    GREETING = "which method it chooses"
    CREDENTIALS = "whether it accepts the credentials"
    REPLY = "whether the server is connected"
    OPEN = "nothing more"


class SOCKS5Tunnel:
    """A tunnel through a SOCKS5 proxy. See `Tunnel`.

    Args:
        route: the server and the proxy.
        host: the server's address, if it was resolved here; None is the host of `route`.
    """

    failure: Optional[Failure] = None

    def __init__(self, route: "Route", host: Optional[str] = None) -> None:
        assert route.proxy is not None
        self._route = route
        self._proxy: Proxy = route.proxy
        self._host = route.origin.host if host is None else host
        self._state = _State.GREETING
        self._received = bytearray()
        methods = [_NO_CREDENTIALS]
        if self._proxy.username is not None:
            methods.append(_CREDENTIALS)
        self._unsent: bytes = bytes((_VERSION, len(methods), *methods))

    @property
    def trailing_data(self) -> bytes:
        """See `Tunnel`."""
        return bytes(self._received) if self._state is _State.OPEN else b""

    def next_action(self) -> Union[Write, Read, Finished]:
        """See `Tunnel`."""
        self._advance()
        if self.failure is None and self._unsent:
            data, self._unsent = self._unsent, b""
            return Write(data=data)
        ended = self._state is _State.OPEN or self.failure is not None
        return Finished() if ended else Read()

    def receive_data(self, data: bytes) -> None:
        """See `Tunnel`."""
        if self._state is _State.OPEN or self.failure is not None:
            return
        if not data:
            reason = f"it closed the connection before it said {self._state.value}"
            if self._state is _State.GREETING and self._proxy.username is None:
                # Some do so instead of refusing every method that was offered.
                reason += "; if it wants a user name and a password, put them into its URL"
            self._refuse(reason, again=True)
            return
        self._received += data
        self._advance()

    def _advance(self) -> None:
        # One message at a time: the next is due when what it responds to has been sent.
        if self._unsent or not self._received or self.failure is not None:
            return
        if self._state is _State.GREETING:
            self._choose()
        elif self._state is _State.CREDENTIALS:
            self._check()
        elif self._state is _State.REPLY:
            self._conclude()

    # Each step looks at the message that is due, if all of it is there.

    def _choose(self) -> None:
        method = self._second_byte(_VERSION)
        offered = self._proxy.username is not None
        if method is None:
            return
        if method == _NONE_ACCEPTED:
            what = "it accepts no user name and password" if offered else "it wants credentials"
            self._refuse_credentials(what)
        elif method == _CREDENTIALS and offered:
            self._unsent = self._credentials()
            self._go_on(2, _State.CREDENTIALS)
        elif method == _NO_CREDENTIALS:
            self._unsent = self._request()
            self._go_on(2, _State.REPLY)
        else:
            self._refuse_bytes(f"it chose the method {method}, which was not offered")

    def _check(self) -> None:
        status = self._second_byte(_NEGOTIATION)
        if status is None:
            return
        if status == 0:
            self._unsent = self._request()
            self._go_on(2, _State.REPLY)
        else:
            # RFC 1929, section 2: any other status is a refusal.
            self._refuse_credentials("it does not accept the user name and the password")

    def _conclude(self) -> None:
        code, received = self._second_byte(_VERSION), self._received
        if code is None:
            return
        if code != 0:
            # Some proxies close after the code: the rest of the message is not waited for.
            reason, again = _REASONS.get(code, ("an unknown reason", False))
            self._refuse(f"{reason} (SOCKS reply {code})", again=again)
        elif len(received) > 2 and received[2] != 0:
            self._refuse_bytes(f"its reserved byte is {received[2]}")
        elif len(received) > 3 and received[3] not in (_IPV4, _NAME, _IPV6):
            self._refuse_bytes(f"its address is of the unknown type {received[3]}")
        elif len(received) > 4:
            self._open()

    def _open(self) -> None:
        # Type, address and port of the proxy's end, which mean nothing to us.
        received = self._received
        size = 1 + received[4] if received[3] == _NAME else _SIZES[received[3]]
        end = 4 + size + 2
        if len(received) < end:
            return
        if len(received) > end and self._route.origin.scheme != "https":
            self.failure = early_bytes()
        else:
            self._go_on(end, _State.OPEN)

    def _second_byte(self, version: int) -> Optional[int]:
        """The second byte of a message, which decides; None if it is not there, or never will."""
        received = self._received
        if received and received[0] != version:
            hint = "; it speaks HTTP: write http://" if received.startswith(b"H") else ""
            self._refuse_bytes(f"its message begins with {received[0]}, not with {version}{hint}")
            return None
        return received[1] if len(received) > 1 else None

    def _go_on(self, size: int, state: _State) -> None:
        del self._received[:size]
        self._state = state

    def _credentials(self) -> SecretBytes:
        name = str.encode(self._proxy.username or "", "utf-8", "replace")
        word = str.encode(self._proxy.password or "", "utf-8", "replace")
        return SecretBytes(bytes((_NEGOTIATION, len(name))) + name + bytes((len(word),)) + word)

    def _request(self) -> bytes:
        address = _packed(self._host)
        if address is not None:
            where = bytes((_IPV4 if len(address) == _SIZES[_IPV4] else _IPV6,)) + address
        else:
            # At most 253 bytes: see `meshapi_core.urls`.
            name = self._host.encode("ascii")
            where = bytes((_NAME, len(name))) + name
        port = self._route.origin.port.to_bytes(2, "big")
        return bytes((_VERSION, _CONNECT, 0)) + where + port

    def _refuse_bytes(self, what: str) -> None:
        self._refuse(f"it does not speak SOCKS5: {what}", again=False)

    def _refuse_credentials(self, what: str) -> None:
        given = self._proxy.username is not None
        hint = ask_for_credentials(given=given, variable=self._route.variable)
        hint = hint.replace("http://", f"{self._proxy.scheme}://")
        self.failure = refused(self._route.where, what + hint, again=False, credentials=True)

    def _refuse(self, reason: str, *, again: bool) -> None:
        self.failure = refused(self._route.where, reason, again=again)


def _packed(host: str) -> Optional[bytes]:
    """An IP address as bytes; None for a name."""
    from ipaddress import ip_address

    try:
        return ip_address(host.partition("%")[0]).packed
    except ValueError:
        return None
