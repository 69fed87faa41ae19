"""TLS in memory: the standard library's SSL object between two BIOs."""

import ssl
from typing import Optional

# A TLS record holds at most 16 KiB (RFC 8446, section 5.1); several are read at once.
_READ_SIZE = 64 * 1024


def blocks(context: ssl.SSLContext) -> bool:
    """Whether a handshake with a context may block: truststore's has the system verify.

    macOS and Windows may ask servers of the authority while they verify, and while they do, the
    context is locked. Elsewhere truststore reads a file for each connection.
    """
    # Not `__class__`, which its contexts override.
    return type(context).__module__.partition(".")[0] == "truststore"


class TLSState:
    """The client's side of a TLS connection. It encrypts and decrypts; its owner moves the bytes.

    Attributes:
        blocks: `shake_hands` may block.
        cut: the input has ended without a close_notify.
    """

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self.blocks = blocks(context)
        self.cut = False
        self._ended = False
        self._over = False
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        # Without the dot of a fully qualified name, which SNI and certificates do not have (RFC
        # 6066, section 3). The Host header keeps it, as with curl.
        name = host[:-1] if host.endswith(".") else host
        self._ssl = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)

    def shake_hands(self) -> bool:
        """Continue the handshake: True when it is done, False if it needs more data.

        Raises:
            ssl.SSLError: the certificate is not accepted, or the peer does not speak our TLS.
        """
        try:
            self._ssl.do_handshake()
        except ssl.SSLWantReadError:
            return False
        return True

    def receive_data(self, data: bytes) -> None:
        """Take received bytes; `b""` is the end of input."""
        if data:
            self._incoming.write(data)
        else:
            self._ended = True
            self._incoming.write_eof()

    def data_to_send(self) -> bytes:
        """The bytes to send to the peer; each is returned once."""
        return self._outgoing.read() if self._outgoing.pending else b""

    def read(self) -> Optional[bytes]:
        """Some decrypted bytes; `b""` at the end of input, cut or not; None where more is needed.

        Many servers close without a close_notify. Where the framing of HTTP or WebSocket tells a
        complete message from a cut one, that is no worse than the end of a TCP stream.
        """
        try:
            data = self._ssl.read(_READ_SIZE)
        except ssl.SSLWantReadError:
            return None
        except ssl.SSLZeroReturnError:
            data = b""
        except ssl.SSLEOFError:
            self.cut = True
            return b""
        if not data:
            # Python 3.9 returns this for an end without a close_notify, too. A close_notify is read
            # before the end of input.
            self.cut = self.cut or (self._ended and not self._over)
            self._over = True
        return data

    def write(self, data: memoryview) -> memoryview:
        """Encrypt some bytes, and return the rest, which has to wait for data from the peer."""
        while data:
            try:
                data = data[self._ssl.write(data) :]
            except ssl.SSLWantReadError:
                break
        return data

    @property
    def readable(self) -> bool:
        """Whether bytes have arrived that have not been read yet."""
        return bool(self._ssl.pending() or self._incoming.pending)
