"""The kinds of the exceptions of sockets, TLS and HTTP clients, without importing any library.

An exception is recognised by the names of its classes, together with their module if a name alone
is ambiguous; and by numbers and words, if a library has one class for everything. `kind_of` and
`kind_in_args` return the kind of one exception, by which `meshapi_core.failures` decides.

Source: https://docs.python.org/3/library/exceptions.html#os-exceptions,
    https://www.python-httpx.org/exceptions/,
    https://docs.aiohttp.org/en/stable/client_reference.html#client-exceptions,
    https://urllib3.readthedocs.io/en/stable/reference/urllib3.exceptions.html,
    https://curl.se/libcurl/c/libcurl-errors.html,
    https://docs.twisted.org/en/stable/api/twisted.internet.error.html,
    https://www.tornadoweb.org/en/stable/iostream.html,
    https://doc.qt.io/qt-6/qnetworkreply.html#NetworkError-enum,
    https://undici.nodejs.org/#/docs/api/Errors (what fetch says under Node)
"""

import re

from meshapi_core.causes import attribute, members_of, number, text_of, word

__all__ = ["EXACT", "RESET_STREAM", "ROUGH", "TIME", "kind_in_args", "kind_of"]


# The kinds. Those of timeouts all begin like this, and may name the phase.
TIME = "time"

EXACT = frozenset(
    "verify ours plain dns refused reset unreachable empty cut bad large local url handshake"
    " disagreed framing upgrade gave-up".split()
)
"""Kinds that say exactly what happened."""

ROUGH = frozenset("gone connect proxy away".split())
"""Kinds that say roughly what happened: other exceptions in the chain may say more.

"gone": the server closed the connection, before a response or in the middle of it. "connect": no
connection, for any reason. "away": the operating system's ETIMEDOUT. The remaining kinds ("broken",
"failed", "misuse") only say that something is wrong."""

# The most derived class of an exception that is named here decides. A name may be preceded by its
# module, or by the module's top-level package.
_CLASSES: dict[str, str] = {
    # The server's certificate, or its name, was refused.
    "verify": "SSLCertVerificationError CertificateError CertificateVerifyError VerificationError"
    " ClientConnectorCertificateError ServerFingerprintMismatch SimpleVerificationError",
    "ours": "PeerVerifyError",
    "handshake": "SSLError ClientConnectorSSLError OpenSSL.Error",
    TIME: "TimeoutError BlockingIOError socket.timeout Timeout TooSlowError TaskTimeout"
    " TimeoutCancellationError"
    # A host cancels because of a limit; what the program cancels never gets here.
    " HTTPTimeoutError AbortError twisted.internet.defer.CancelledError",
    "time:read": "TimeoutException ReadTimeout ReadTimeoutError SocketTimeoutError",
    "time:write": "WriteTimeout",
    "time:connect": "ConnectTimeout ConnectTimeoutError ConnectionTimeoutError"
    " twisted.internet.error.TimeoutError twisted.internet.error.ConnectingCancelledError",
    "time:pool": "PoolTimeout EmptyPoolError",
    "dns": "gaierror herror DNSError DNSLookupError UnknownHostError NameResolutionError"
    " ClientConnectorDNSError",
    "refused": "ConnectionRefusedError",
    "reset": "ConnectionResetError BrokenPipeError ConnectionAbortedError ConnectionLost",
    "connect": "ConnectError ClientConnectorError ClientProxyConnectionError NewConnectionError"
    " TCPTimedOutError NoRouteError",
    "empty": "RemoteDisconnected",
    "gone": "ServerDisconnectedError StreamClosedError HTTPStreamClosedError ConnectionDone"
    " EndOfStream IncompleteReadError EOFError ChunkedEncodingError"
    " ClientPayloadError",
    "cut": "IncompleteRead ContentLengthError PotentialDataLoss _DataLoss",
    "broken": "OSError ConnectionError BrokenResourceError NetworkError urllib3.ProtocolError",
    "proxy": "ProxyError ClientHttpProxyError",
    "bad": "BadStatusLine BadHttpMessage UnknownProtocol ParseError",
    "framing": "InvalidChunkLength TransferEncodingError",
    "large": "LineTooLong",
    # httpx and h11 have one class for everything that a server does wrong.
    "words": "RemoteProtocolError httpx.ProtocolError httpx2.ProtocolError",
    "local": "LocalProtocolError requests.InvalidHeader niquests.InvalidHeader",
    "url": "UnsupportedProtocol InvalidURL InvalidSchema MissingSchema LocationValueError"
    " NonHttpUrlClientError",
    # All other exceptions of httpx: their texts do not quote headers.
    "failed": "httpx.HTTPError httpx2.HTTPError httpx.StreamError httpx2.StreamError",
}
_KINDS = {name: kind for kind, names in _CLASSES.items() for name in names.split()}

# curl's error numbers.
_CURL: dict[int, str] = {
    **dict.fromkeys((1, 3), "url"),
    **dict.fromkeys((5, 6), "dns"),
    **dict.fromkeys((7, 45, 96), "connect"),
    **dict.fromkeys((28, 42), TIME),
    **dict.fromkeys((35, 59), "handshake"),
    **dict.fromkeys((51, 60, 77, 82, 83, 90, 91), "verify"),
    **dict.fromkeys((58, 98), "ours"),
    **dict.fromkeys((55, 56), "reset"),
    **dict.fromkeys((16, 92, 95), "gave-up"),
    8: "bad",
    18: "cut",
    52: "empty",
    97: "proxy",
}
_CURL_CONNECTING = re.compile(r"(?i)connection time|resolving timed|connect to|connect after")

# The members of Qt's QNetworkReply.NetworkError and QAbstractSocket.SocketError. For a refused
# certificate, they only say that the handshake failed.
_QT_NAMES: dict[str, str] = {
    "verify": "SslHandshakeFailedError",
    TIME: "TimeoutError SocketTimeoutError OperationCanceledError",
    "dns": "HostNotFoundError",
    "refused": "ConnectionRefusedError",
    "connect": "NetworkSessionFailedError",
    "gone": "RemoteHostClosedError",
    "broken": "TemporaryNetworkFailureError UnknownNetworkError NetworkError",
    "proxy": "ProxyConnectionRefusedError ProxyConnectionClosedError ProxyNotFoundError"
    " ProxyTimeoutError ProxyConnectionTimeoutError ProxyAuthenticationRequiredError"
    " UnknownProxyError",
    "bad": "ProtocolFailure",
    "url": "ProtocolUnknownError",
}
_QT = {name: kind for kind, names in _QT_NAMES.items() for name in names.split()}

# The codes of Node's errors, which are the causes of the errors that its fetch throws.
_NODE: tuple[tuple[str, str], ...] = (
    ("ECONNREFUSED", "refused"),
    ("ENOTFOUND|EAI_", "dns"),
    ("ECONNRESET|EPIPE", "reset"),
    ("EHOSTUNREACH|ENETUNREACH|UND_ERR_CONNECT_TIMEOUT", "connect"),
    ("UND_ERR_SOCKET", "gone"),
    ("ERR_SSL_WRONG_VERSION|ERR_SSL_PACKET_LENGTH", "plain"),
    ("ERR_TLS_CERT|CERT_|UNABLE_TO_|DEPTH_ZERO_SELF|SELF_SIGNED", "verify"),
    ("ERR_SSL_|EPROTO", "handshake"),
    ("HPE_", "bad"),
)
# Thrown because of a host's AbortController, or AbortSignal.timeout().
_ABORTED = ("AbortError", "TimeoutError")
_FETCH_FAILED = re.compile(
    r"(?:TypeError: )?(?:fetch failed|Failed to fetch|NetworkError when|Load failed|network error)"
)

# EHOSTUNREACH, ENETUNREACH and EHOSTDOWN: on Linux, on macOS and the BSDs, on Windows. The builtin
# exceptions have no class for them, and the core may not import `errno`.
_UNREACHABLE = frozenset({113, 101, 112, 65, 51, 64, 10065, 10051, 10064})
_ERRNO = re.compile(r"\[Errno (\d{1,5})\]")

# OpenSSL's reasons if the first bytes are not a TLS record; the last one since version 3.2.
_NO_TLS = frozenset(
    "WRONG_VERSION_NUMBER UNKNOWN_PROTOCOL PACKET_LENGTH_TOO_LONG HTTP_REQUEST"
    " RECORD_LAYER_FAILURE".split()
)
_NO_TLS_WORDS = re.compile("|".join(sorted(_NO_TLS - {"HTTP_REQUEST"})))
_UNVERIFIED = re.compile("CERTIFICATE_VERIFY_FAILED|SSL_CERTIFICATE_PROBLEM")

# Alerts by which a server refuses our certificate, or asks for one.
_ALERT = re.compile("ALERT_(?:BAD_CERTIFICATE|UNKNOWN_CA|CERTIFICATE_|UNSUPPORTED_CERTIFICATE)")

# Reasons that always belong to a handshake: the two sides could not agree on something.
_DISAGREED = re.compile(
    "HANDSHAKE_FAILURE|PROTOCOL_VERSION|UNSUPPORTED_PROTOCOL|NO_PROTOCOLS|UNRECOGNIZED_NAME"
    "|NO_SHARED|INSUFFICIENT_SECURITY"
)

RESET_STREAM = "<StreamReset"
"""The beginning of h2's text if a server resets one stream of a connection."""

# In h11's texts about lengths and codings that do not say where a body ends.
_FRAMING = ("Content-Length", "Transfer-Encoding")

# h11's texts; urllib3-future has no classes for them either.
_CUT = ("peer closed connection", "incomplete chunked read")
_NOT_HTTP = "illegal status line"

# urllib3's and aiohttp's texts for a missing chunk; their class covers all bad chunks.
_ENDED_IN_CHUNK = re.compile("got length b''|Not enough data")

# http.client and curl have no class for a proxy that opens no tunnel.
_TUNNEL = re.compile(r"(?i)tunnel (?:connection )?failed")

# Python's exceptions for wrong arguments, which their texts may quote.
_MISUSE = (ValueError, TypeError, LookupError, AttributeError, AssertionError)


def kind_of(exc: BaseException) -> str:
    """Return the kind of an exception; "" if its class is unknown."""
    # Whatever the class: an exception that quotes OpenSSL wraps OpenSSL's.
    if _UNVERIFIED.search(_normal(text_of(exc))):
        return "verify"
    for cls in type(exc).__mro__:
        module, name = word(cls, "__module__"), cls.__name__
        top = module.partition(".")[0]
        if top == "pycurl" or (top == "curl_cffi" and number(exc, "code")):
            return _kind_by_number(exc)
        if top in ("pyodide", "_pyodide") and name.startswith("Js"):
            return _kind_of_fetch(exc)
        for key in (f"{module}.{name}", f"{top}.{name}", name):
            if key in _KINDS:
                return _refined(_KINDS[key], exc)
    misuse = type(exc).__module__ == "builtins" and isinstance(exc, _MISUSE)
    return "misuse" if misuse else ""


def kind_in_args(exc: BaseException) -> str:
    """Return the kind for a member of Qt's enumerations in an exception's arguments, else ""."""
    for each in members_of(attribute(exc, "args")):
        name = "" if isinstance(each, BaseException) else word(each, "name")
        if name in _QT:
            plain = _NO_TLS_WORDS.search(_normal(text_of(exc)))
            return "plain" if plain else _QT[name]
    return ""


def _refined(kind: str, exc: BaseException) -> str:
    """Return a kind, made more exact by what else the exception says."""
    if kind == "handshake":
        return _kind_of_tls(exc)
    if kind == TIME:
        return _kind_of_time(exc)
    if kind == "broken":
        return _kind_of_system(exc)
    if kind == "words":
        return _kind_of_words(exc)
    if kind == "framing" and _ENDED_IN_CHUNK.search(text_of(exc)):
        return "cut"
    if type(exc).__name__ == "IncompleteReadError" and attribute(exc, "partial"):
        return "cut"
    if kind in ("connect", "gone") and isinstance(exc, OSError):
        # aiohttp's and tornado's may have the error number of the exception that they wrap.
        exact = _kind_of_system(exc)
        return kind if exact == "broken" else exact
    return kind


def _normal(text: str) -> str:
    """Return a text in the form of OpenSSL's names."""
    return text.upper().replace(" ", "_")


def _kind_of_tls(exc: BaseException) -> str:
    text = _normal(text_of(exc))
    if word(exc, "reason") in _NO_TLS or _NO_TLS_WORDS.search(text):
        return "plain"
    if _ALERT.search(text):
        return "ours"
    return "disagreed" if _DISAGREED.search(text) else "handshake"


def _kind_of_time(exc: BaseException) -> str:
    if isinstance(exc, BlockingIOError):
        # From a socket whose timeout was rounded to 0.
        return TIME
    if isinstance(exc, OSError) and attribute(exc, "errno") is not None:
        # The operating system's ETIMEDOUT, not a limit of ours.
        return "away"
    if type(exc).__name__ == "HTTPTimeoutError":
        text = text_of(exc)
        for said, phase in (("connecting", "connect"), ("queue", "pool")):
            if said in text:
                return f"{TIME}:{phase}"
    return TIME


def _kind_of_system(exc: BaseException) -> str:
    """Return the kind of an unspecific OSError, by its text, its number, or numbers in its text."""
    text = text_of(exc)
    if _TUNNEL.search(text):
        return "proxy"
    if _FETCH_FAILED.match(text):
        return "failed"
    if text.startswith(_NOT_HTTP):
        return "bad"
    if text.startswith(_CUT):
        return "cut"
    errno = attribute(exc, "errno")
    numbers = [errno] if isinstance(errno, int) else [int(each) for each in _ERRNO.findall(text)]
    kinds = {_kind_of_number(each) for each in numbers}
    if len(kinds) == 1:
        return kinds.pop()
    # asyncio's text if several addresses failed, here for different reasons.
    return "connect" if "Connect call failed" in text else "broken"


def _kind_of_number(errno: int) -> str:
    if errno in _UNREACHABLE:
        return "unreachable"
    # Python chooses the class by the number.
    name = type(OSError(errno, "")).__name__
    return "away" if name == "TimeoutError" else _KINDS.get(name, "broken")


def _kind_by_number(exc: BaseException) -> str:
    """Return the kind of curl's errors: pycurl's begin with the number, curl_cffi's have `code`."""
    args = members_of(attribute(exc, "args"))
    first = args[0] if args and isinstance(args[0], int) else 0
    kind, text = _CURL.get(number(exc, "code") or first, "broken"), text_of(exc)
    if _TUNNEL.search(text):
        return "proxy"
    if kind == TIME and _CURL_CONNECTING.search(text):
        return f"{TIME}:connect"
    if kind == "connect" and "refused" in text:
        return "refused"
    if kind == "url" and "HTTP/0.9" in text:
        # curl takes a missing status line for HTTP/0.9, which had none.
        return "bad"
    return _kind_of_tls(exc) if kind == "handshake" else kind


def _kind_of_fetch(exc: BaseException) -> str:
    """Return the kind of an error that JavaScript threw; under Node, its cause has a code."""
    text = text_of(exc)
    if text.partition(":")[0] in _ABORTED or word(exc, "name") in _ABORTED:
        return TIME
    for thrown in (exc, attribute(exc, "js_error")):
        code = word(attribute(thrown, "cause"), "code")
        for pattern, kind in _NODE:
            if re.match(pattern, code):
                return kind
    if text.startswith("TypeError: terminated"):
        return "cut"
    return "failed" if _FETCH_FAILED.match(text) else ""


def _kind_of_words(exc: BaseException) -> str:
    text = text_of(exc)
    if text.startswith("Server disconnected"):
        return "empty"
    if text.startswith(_CUT):
        return "cut"
    if text.startswith((RESET_STREAM, "<ConnectionTerminated")):
        return "gave-up"
    if "_SWITCH_UPGRADE" in text:
        return "upgrade"
    if number(exc, "error_status_hint") == 431:
        return "large"
    return "framing" if any(name in text for name in _FRAMING) else "bad"
