"""TLS within TLS: the connection to a server, inside the one to an https proxy."""

from typing import Optional

from meshapi_backends._networks.tls import TLSState


class TLSInTLS(TLSState):
    """Two layers as one state, for owners that move the bytes of a single one.

    Args:
        outer: the connection to the proxy; its handshake is done.
        inner: the connection to the server.
    """

    def __init__(self, outer: TLSState, inner: TLSState) -> None:
        # Without the base's: both layers have an SSL object already.
        self._outer = outer
        self._inner = inner
        # What the inner layer has written and the outer has not taken yet.
        self._waiting = memoryview(b"")
        self._outer_ended = False
        self.cut = False
        self.blocks = inner.blocks
        self._pass_on()

    def shake_hands(self) -> bool:
        """See `TLSState`; of the inner layer."""
        return self._inner.shake_hands()

    def receive_data(self, data: bytes) -> None:
        """See `TLSState`."""
        self._outer.receive_data(data)
        self._pass_on()

    def data_to_send(self) -> bytes:
        """See `TLSState`."""
        data = self._inner.data_to_send()
        if data or self._waiting:
            waiting = memoryview(bytes(self._waiting) + data)
            self._waiting = self._outer.write(waiting)
        return self._outer.data_to_send()

    def read(self) -> Optional[bytes]:
        """See `TLSState`; of the inner layer, which ends with the outer one at the latest."""
        data = self._inner.read()
        self.cut = self._inner.cut
        return data

    def write(self, data: memoryview) -> memoryview:
        """See `TLSState`."""
        return self._inner.write(data)

    @property
    def readable(self) -> bool:
        """See `TLSState`."""
        return self._inner.readable

    def _pass_on(self) -> None:
        # Everything at once, so that nothing that has arrived stays in the outer layer unseen.
        while not self._outer_ended:
            data = self._outer.read()
            if data is None:
                return
            self._outer_ended = not data
            self._inner.receive_data(data)
