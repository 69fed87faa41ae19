"""TLS in memory: the standard library's SSL object between two BIOs, and the default settings."""

import ssl
from functools import lru_cache
from typing import Optional

# A TLS record holds at most 16 KiB (RFC 8446, section 5.1); several are read at once.
_READ_SIZE = 64 * 1024


@lru_cache(maxsize=1)
def default_context() -> ssl.SSLContext:
    """The SSL context where the caller gives none; made once.

    It checks certificates against the system's authorities, checks host names, and asks for TLS 1.2
    or later. `SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured, as everywhere in Python.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


class TLSState:
    """The client's side of a TLS connection. It encrypts and decrypts; its owner moves the bytes.

    Attributes:
        cut: the input has ended without a close_notify.
    """

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
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
