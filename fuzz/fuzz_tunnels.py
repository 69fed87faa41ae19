"""Both tunnel machines, with any bytes of a proxy in any pieces.

The first byte of the input chooses the machine and the server; the rest is what the proxy sends.
"""

import random
from typing import Any

from held import held
from pieces import byte_by_byte, cut

from meshapi_core import Finished, Origin, Proxies, Read, Write
from meshapi_core.proxies.refusals import early_bytes

ACCEPTED: tuple[type[Exception], ...] = ()

DICTIONARY = (
    b"HTTP/1.1 200 OK\r\n",
    b"HTTP/1.1 407 Proxy Authentication Required\r\n",
    b"HTTP/1.0 200 Connection established\r\n\r\n",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"HTTP/1.1 100 Continue\r\n\r\n",
    b"\r\n\r\n",
    b"\x05\x00",
    b"\x05\x02",
    b"\x05\xff",
    b"\x01\x00",
    b"\x01\x01",
    b"\x05\x00\x00\x01\x7f\x00\x00\x01\x00\x50",
    b"\x05\x00\x00\x03\x01x\x00\x50",
    b"\x05\x05\x00\x01\x00\x00\x00\x00\x00\x00",
)

_PROXIES = (
    "http://proxy.example:3128",
    "http://user:secret-1234@proxy.example:3128",
    "socks5h://proxy.example",
    "socks5h://user:secret-1234@proxy.example",
)
_SERVERS = (Origin("https", "gateway.example", 443), Origin("http", "gateway.example", 80))
_MOST_HELD = 1024 * 1024
"""Bytes that a machine may keep: the limit of a head and what surrounds it, many times over."""


def one(data: bytes) -> None:
    """Check one input.

    Raises:
        AssertionError: A machine raised, kept too much, showed the password, or came to another
            outcome when the bytes came in other pieces.
    """
    choice, said = (data[0], data[1:]) if data else (0, b"")
    whole = outcome(choice, [said] if said else [])
    assert outcome(choice, byte_by_byte(said)) == whole
    assert outcome(choice, cut(said, random.Random(choice))) == whole


def outcome(choice: int, pieces: list[bytes]) -> tuple[Any, ...]:
    """What comes of these bytes: the code and message of a failure, or what is in the tunnel."""
    proxies = Proxies.through(_PROXIES[choice % len(_PROXIES)])
    server = _SERVERS[choice // len(_PROXIES) % len(_SERVERS)]
    # An upgrade is tunnelled to any server.
    tunnel = proxies.route(server, upgrades=True).tunnel()
    rest = list(pieces)
    left = b""
    while True:
        action = tunnel.next_action()
        if isinstance(action, Write):
            assert action.data
            assert b"\r\nauthorization" not in action.data.lower()
            continue
        if isinstance(action, Finished):
            left = b"".join(rest)
            break
        assert isinstance(action, Read)
        tunnel.receive_data(rest.pop(0) if rest else b"")
    assert isinstance(tunnel.next_action(), Finished), "an end is final"
    assert held(tunnel) < _MOST_HELD
    # Before a request in plain text, nobody may have sent anything. What comes in a later piece is
    # seen by the machine of the connection.
    is_open = tunnel.failure is None
    if _is_early(tunnel) or (is_open and server.scheme == "http" and tunnel.trailing_data + left):
        return ("early",)
    if tunnel.failure is not None:
        error = tunnel.failure.error
        if "secret" in _PROXIES[choice % len(_PROXIES)]:
            assert "secret-1234" not in f"{error} {error!r} {vars(error)}"
        # Not the message, which quotes what has come so far.
        return type(error), error.error_code, tunnel.failure.stage
    return ("open", tunnel.trailing_data + left)


def _is_early(tunnel: Any) -> bool:
    failure = tunnel.failure
    return failure is not None and failure.error.message == early_bytes().error.message
