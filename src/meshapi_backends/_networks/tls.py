"""TLS in memory: the standard library's SSL object between two BIOs, and its usual settings."""

import ssl
from functools import lru_cache
from typing import Optional

# One TLS record holds 16 KiB at most (RFC 8446 section 5.1); several are read at once.
_READ_SIZE = 64 * 1024


@lru_cache(maxsize=1)
def default_context() -> ssl.SSLContext:
    """The settings where the caller gives none, made once.

    Certificates checked against the system's authorities, host names checked, TLS 1.2 at least.
    `SSL_CERT_FILE` and `SSL_CERT_DIR` are honoured, as everywhere in Python.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    return context


class TLSState:
    """One side of a connection: encrypts and decrypts; whoever has it moves the bytes.

    Attributes:
        cut: the input has ended without a close_notify.
    """

    def __init__(self, context: ssl.SSLContext, host: str) -> None:
        self.cut = False
        self._ended = False
        self._over = False
        self._incoming = ssl.MemoryBIO()
        self._outgoing = ssl.MemoryBIO()
        # Without the dot of a complete name, which SNI and certificates don't have (RFC 6066
        # section 3). The Host header keeps it, as curl's does.
        name = host[:-1] if host.endswith(".") else host
        self._ssl = context.wrap_bio(self._incoming, self._outgoing, server_hostname=name)

    def shake_hands(self) -> bool:
        """Go on with the handshake: True when it is done, False where it needs data.

        Raises:
            ssl.SSLError: the peer is not who it should be, or speaks something else.
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
        """What must go to the peer; it is given once."""
        return self._outgoing.read() if self._outgoing.pending else b""

    def read(self) -> Optional[bytes]:
        """Some decrypted bytes; `b""` at the end, be it said or not (`cut`); None: no more.

        Many servers close without a goodbye. Where the framing of HTTP and of WebSockets tells a
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
            # Python 3.9 says this of an end without a close_notify, too; a close_notify is read
            # before the end of input is.
            self.cut = self.cut or (self._ended and not self._over)
            self._over = True
        return data

    def write(self, data: memoryview) -> memoryview:
        """Encrypt; what is left of them has to wait for data from the peer."""
        while data:
            try:
                data = data[self._ssl.write(data) :]
            except ssl.SSLWantReadError:
                break
        return data

    @property
    def readable(self) -> bool:
        """Whether something has arrived that nobody has read."""
        return bool(self._ssl.pending() or self._incoming.pending)
