"""Addresses for tests of connecting: what was tried, and an address that never responds."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from meshapi_backends._networks.addresses import Address
from meshapi_core import StartAttempt


class Recorded:
    """A `Dialing` that notes which addresses are tried."""

    def __init__(self, dialing: Any, tried: list[Any]) -> None:
        self._dialing = dialing
        self._tried = tried

    def __getattr__(self, name: str) -> Any:
        return getattr(self._dialing, name)

    def next_action(self, now: float) -> Any:
        action = self._dialing.next_action(now)
        if isinstance(action, StartAttempt):
            self._tried.append(action.address)
        return action


@contextmanager
def silent_address(host: str = "127.0.0.1") -> Iterator[Address]:
    """An address where connecting neither succeeds nor fails; on Linux only.

    A listener whose queue is full drops what asks for a connection.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family)
    queued = [socket.socket(family) for _ in range(2)]
    try:
        listener.bind((host, 0))
        listener.listen(0)
        address: Any = listener.getsockname()
        for sock in queued:
            sock.setblocking(False)
            sock.connect_ex(address)
        yield Address(family, address)
    finally:
        for sock in (listener, *queued):
            sock.close()
