"""The meaning of exceptions: made-up chains here, real ones in `test_real_failures`."""

import errno
import socket
import ssl
import sys
from typing import Any

import pytest
from house.fresh import run_python
from hypothesis import assume, example, given
from hypothesis import strategies as st

from meshapi_core import (
    Advice,
    APIConnectionError,
    APITimeoutError,
    Failure,
    MeshAPIError,
    ProtocolError,
    Timeout,
    failure_of,
    hint_at_tls,
    timed_out,
)
from meshapi_core.failures import unexpected_status
from meshapi_core.redaction import conceal

STAGES = ("pool", "connect", "request", "response")

TOKEN = "rsk_test_f41lur3s"

# Their texts quote names and kinds, which whoever looks for the mistake needs.
MISTAKES = (TypeError, AttributeError, NameError)


class Mute(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no words")


class Sly(Exception):
    """Its attributes raise, or make a new exception on each access."""

    @property
    def reason(self) -> Exception:
        return Sly()

    @property
    def os_error(self) -> Exception:
        raise RuntimeError("no attribute")

    @property
    def exceptions(self) -> Any:
        return [3, None, Sly()]

    errno = "none"
    verify_code: Any = ()


class Group(Exception):
    """Like ExceptionGroup, which Python 3.9 does not have."""

    def __init__(self, exceptions: "list[Exception]") -> None:
        super().__init__("some", exceptions)
        self.exceptions = tuple(exceptions)


def named(name: str, *bases: type, module: str = "lib.errors", **fields: Any) -> Any:
    """A class like that of a library that may not be installed."""
    return type(name, bases or (Exception,), {"__module__": module, **fields})


CURL = named("error", module="pycurl")


def refused_certificate() -> Any:
    exc = ssl.SSLCertVerificationError(1, "[SSL: CERTIFICATE_VERIFY_FAILED] certificate verify")
    exc.verify_code, exc.verify_message = 18, "self-signed certificate"
    return exc


LEAVES = st.sampled_from(
    [
        lambda: OSError(errno.ECONNREFUSED, "refused"),
        lambda: OSError(errno.ECONNRESET, "reset"),
        lambda: OSError(errno.ETIMEDOUT, "timed out"),
        lambda: OSError("no number"),
        lambda: OSError({}, []),
        TimeoutError,
        EOFError,
        lambda: ValueError(f"Invalid header value b'Bearer {TOKEN}'"),
        lambda: TypeError(TOKEN),
        Mute,
        Sly,
        lambda: KeyError(None),
        lambda: UnicodeError("\udc80"),
        lambda: ssl.SSLError(1, "[SSL: TLSV1_ALERT] alert"),
        lambda: ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number"),
        CURL,
        lambda: CURL(7, "Failed to connect"),
        lambda: CURL("7", None),
        lambda: named("JsException", module="pyodide.ffi")("TypeError: fetch failed"),
        lambda: named("Error", module="OpenSSL.SSL")([("SSL routines", "", "")]),
    ]
)


def by_cause(exc: Exception) -> Exception:
    outer = RuntimeError("wrapped")
    outer.__cause__ = exc
    return outer


def by_context(exc: Exception) -> Exception:
    outer = LookupError("while handling")
    outer.__context__ = exc
    return outer


def by_attribute(name: str) -> Any:
    def wrap(exc: Exception) -> Exception:
        outer = named("Wrapper")("wrapped")
        setattr(outer, name, exc)
        return outer  # type: ignore[no-any-return]

    return wrap


class _TwistedFailure(BaseException):
    def __init__(self, value: Exception) -> None:
        super().__init__("failure")
        self.value = value


def by_reasons(exc: Exception) -> Exception:
    outer = named("ResponseNeverReceived", module="twisted.web._newclient")("wrapped")
    outer.reasons = [_TwistedFailure(exc)]
    return outer  # type: ignore[no-any-return]


WRAPPERS = st.sampled_from(
    [
        by_cause,
        by_context,
        lambda exc: Group([ValueError(), exc]),
        lambda exc: named("MaxRetryError", module="urllib3.exceptions")("pool", exc),
        lambda exc: named("ConnectionError", OSError, module="requests.exceptions")(exc),
        lambda exc: named("BrokenResourceError", module="trio")(exc),
        *map(by_attribute, ("reason", "os_error", "certificate_error", "real_error")),
        by_reasons,
    ]
)


@st.composite
def chains(draw: Any) -> Exception:
    exc: Exception = draw(LEAVES)()
    for wrap in draw(st.lists(WRAPPERS, max_size=6)):
        exc = wrap(exc)
    if draw(st.booleans()):
        # A cycle.
        exc.__context__ = exc.__context__ or by_cause(exc)
    return exc


@pytest.mark.slow
@given(chains(), st.sampled_from(STAGES), st.booleans(), st.booleans())
@example(Sly(), "request", True, True)
def test_every_exception_is_a_failure(exc, stage, reused, late):
    failure = failure_of(exc, stage, reused=reused, late=late)
    assert isinstance(failure, Failure)
    assert isinstance(failure.error, APIConnectionError)
    assert failure.error.error_code
    assert failure.error.__cause__ is exc
    assert failure.stage in ("pool", "closed", "connect", "verify", "request", "response")
    # A response that had begun is not forgotten.
    if stage == "response":
        assert failure.stage in ("response", "verify", "closed")
    assert failure.timed_out is isinstance(failure.error, APITimeoutError)


@pytest.mark.slow
@given(chains(), st.sampled_from(STAGES))
@example(ValueError(TOKEN), "request")
@example(by_cause(TypeError(TOKEN)), "request")
def test_no_error_quotes_what_may_be_a_header(exc, stage):
    assume(not isinstance(exc, MISTAKES))
    assert TOKEN not in str(failure_of(exc, stage).error)


@pytest.mark.parametrize("stage", ["request", "response"])
@pytest.mark.parametrize("kind", MISTAKES)
def test_a_mistake_of_the_program_is_quoted_and_its_secrets_are_concealed(kind, stage):
    error = failure_of(kind(f"no 'x' in '{TOKEN}'"), stage).error
    assert error.message == f"the HTTP client failed: {kind.__name__}: no 'x' in '{TOKEN}'"
    # The machine that decides on the attempts does this, because it knows the secrets: see
    # `tests/backends/transports/test_mistakes.py`.
    assert conceal(error, (TOKEN,)).message.endswith(f"{kind.__name__}: no 'x' in '***'")


@pytest.mark.slow
@given(st.lists(WRAPPERS, max_size=12), st.sampled_from(STAGES), st.booleans())
def test_a_refused_certificate_is_never_lost(wrappers, stage, reused):
    exc = refused_certificate()
    for wrap in wrappers:
        exc = wrap(exc)
    failure = failure_of(exc, stage, reused=reused, where="x", advice=Advice("; net", "; trust"))
    assert failure.stage == "verify"
    assert failure.error.error_code == "tls_verify"
    assert failure.error.message == (
        "the TLS certificate of x was not accepted: self-signed certificate; trust"
    )


@pytest.mark.slow
@given(st.lists(WRAPPERS, max_size=12), st.sampled_from(["pool", "connect", "request"]))
def test_a_server_without_tls_is_never_lost(wrappers, stage):
    exc: Exception = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1)")
    for wrap in wrappers:
        exc = wrap(exc)
    failure = failure_of(exc, stage)
    assert (failure.stage, failure.error.error_code) == ("verify", "tls_handshake")
    assert "use http://" in failure.error.message
    assert "_ssl.c" not in failure.error.message


@pytest.mark.slow
def test_a_chain_of_thousands_is_read_to_its_end():
    exc = refused_certificate()
    for _ in range(5000):
        exc = by_cause(exc)
    assert failure_of(exc, "request").stage == "verify"


@pytest.mark.skipif(sys.version_info < (3, 11), reason="needs groups")
def test_groups_are_looked_into():
    group = ExceptionGroup("g", [ExceptionGroup("g", [OSError(errno.ECONNREFUSED, "no")])])  # noqa: F821
    failure = failure_of(group, "connect")
    assert failure.error.error_code == "connect_refused"


# Exceptions that are not failures


@pytest.mark.parametrize(
    "exc",
    [KeyboardInterrupt(), SystemExit(1), GeneratorExit(), named("Cancelled", BaseException)()],
)
def test_an_exception_that_the_program_wants_is_raised_again(exc):
    with pytest.raises(type(exc)) as caught:
        failure_of(exc, "request")
    assert caught.value is exc


@pytest.mark.parametrize(
    "cls",
    [
        named("Timeout", BaseException, module="gevent.timeout"),
        named("Timeout", BaseException, module="eventlet.timeout"),
        named("TaskTimeout", named("CancelledError", BaseException), module="curio.errors"),
    ],
)
def test_timeouts_that_are_not_exceptions_are_failures(cls):
    failure = failure_of(cls(), "request")
    assert failure.timed_out
    assert failure.error.error_code == "read_timeout"


def test_a_failure_of_twisted_is_the_exception_that_it_holds():
    failed = _TwistedFailure(ConnectionRefusedError(errno.ECONNREFUSED, "refused"))
    failure = failure_of(failed, "request")
    assert (failure.error.error_code, failure.stage) == ("connect_refused", "connect")


# Errors that are ours already


@pytest.mark.parametrize(
    ("error", "stage"),
    [
        (ProtocolError("x", error_code="framing"), "request"),
        (APIConnectionError("x", error_code="client_closed"), "closed"),
        (APIConnectionError("x", error_code="tls_verify"), "verify"),
        (APITimeoutError("x", phase="pool"), "pool"),
        (APITimeoutError("x", phase="connect"), "connect"),
        (APITimeoutError("x", phase="read"), "request"),
    ],
)
def test_an_error_of_ours_stays_the_error(error, stage):
    failure = failure_of(error, "request", reused=True, silence=0.1)
    assert failure.error is error
    assert failure.error.__cause__ is None
    assert failure.stage == stage
    assert failure.reused is (stage == "request")


def test_an_error_of_ours_stays_the_error_if_a_group_wraps_it():
    """As a trio nursery does."""
    error = ProtocolError("x", error_code="framing")
    for exc in (Group([error]), by_cause(error)):
        assert failure_of(exc, "response").error is error
        assert error.__cause__ is None
    # In the context, it may belong to an earlier attempt.
    assert failure_of(by_context(error), "request").error is not error


# Time


TIMEOUT = Timeout(connect=1, read=2, write=3, pool=4, idle=5, total=6)


@pytest.mark.parametrize(
    ("stage", "phase", "expected"),
    [
        ("pool", None, ("pool", "pool")),
        ("connect", None, ("connect", "connect")),
        ("request", None, ("read", "request")),
        ("request", "write", ("write", "request")),
        ("request", "connect", ("connect", "connect")),
        ("response", None, ("read", "response")),
        ("response", "idle", ("idle", "response")),
    ],
)
def test_a_limit_is_of_its_phase(stage, phase, expected):
    failure = failure_of(TimeoutError(), stage, timeout=TIMEOUT, phase=phase)
    assert (failure.error.phase, failure.stage) == expected
    assert f"longer than {getattr(TIMEOUT, expected[0])} s; to allow" in failure.error.message
    assert f"Timeout({expected[0]}=...)" in failure.error.message
    late = failure_of(TimeoutError(), stage, timeout=TIMEOUT, phase=phase, late=True)
    assert (late.error.phase, late.stage) == ("total", expected[1])
    assert late.error.message.startswith("the whole call took longer than 6 s; ")


def test_the_operating_systems_limit_is_not_one_of_ours():
    away = OSError(errno.ETIMEDOUT, "Connection timed out")
    assert isinstance(away, TimeoutError)
    failure = failure_of(away, "connect", timeout=TIMEOUT)
    assert (failure.error.error_code, failure.stage) == ("connect_failed", "connect")
    assert not failure.timed_out
    failure = failure_of(away, "request", timeout=TIMEOUT)
    assert (failure.error.error_code, failure.stage) == ("reset", "request")


def test_the_timeout_of_older_sockets_is_a_limit():
    cls = named("timeout", OSError, module="socket")
    assert failure_of(cls("timed out"), "request").timed_out
    # From another library, the name says nothing.
    assert not failure_of(named("timeout", OSError)("timed out"), "request").timed_out


def test_without_a_limit_a_timeout_says_no_number():
    assert timed_out("read", Timeout(read=None)).message.endswith("took too long")
    assert "None" not in str(failure_of(TimeoutError(), "connect").error)


def test_a_proxy_is_named_if_connecting_to_it_took_too_long():
    failure = failure_of(TimeoutError("x"), "connect", where="the proxy p:1", timeout=TIMEOUT)
    assert failure.error.message.startswith(
        "opening a connection took longer than 1 s: to the proxy p:1; to allow more time, "
    )


# Messages


NO_TLS = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1006)")
NO_RECORD = ssl.SSLError(1, "[SSL: RECORD_LAYER_FAILURE] record layer failure (_ssl.c:1029)")
NO_NAME = socket.gaierror(-2, "Name or service not known")


def certificate(code: int, message: str) -> Exception:
    exc = refused_certificate()
    exc.verify_code, exc.verify_message = code, message
    return exc


@pytest.mark.parametrize(
    ("exc", "where", "message"),
    [
        (
            NO_TLS,
            "https://x:8000",
            (
                "https://x:8000 does not speak TLS ([SSL: WRONG_VERSION_NUMBER] wrong version"
                " number); if it speaks plain HTTP, use http://x:8000 in the base URL"
            ),
        ),
        (
            NO_RECORD,
            "the proxy p:1",
            (
                "the proxy p:1 does not speak TLS ([SSL: RECORD_LAYER_FAILURE] record layer"
                " failure); if it speaks plain HTTP, use http://"
            ),
        ),
        (
            certificate(20, "unable to get local issuer certificate"),
            "https://x",
            (
                "the TLS certificate of https://x was not accepted: unable to get local issuer"
                " certificate; trust"
            ),
        ),
        (
            certificate(10, "certificate has expired"),
            "https://x",
            (
                "the TLS certificate of https://x was not accepted: certificate has expired; the"
                " server needs a new one, unless the clock of this machine is wrong"
            ),
        ),
        (
            certificate(62, "Hostname mismatch, certificate is not valid for 'x'."),
            "https://x",
            (
                "the TLS certificate of https://x was not accepted: Hostname mismatch, certificate"
                " is not valid for 'x'; check the host name in the base URL"
            ),
        ),
        (
            CURL(60, "SSL: no alternative certificate subject name matches target host name 'x'"),
            "the proxy p:1",
            (
                "the TLS certificate of the proxy p:1 was not accepted: SSL: no alternative"
                " certificate subject name matches target host name 'x'"
            ),
        ),
        (
            NO_NAME,
            "https://x",
            (
                "cannot connect to https://x: the host name could not be resolved ([Errno -2] Name"
                " or service not known); net"
            ),
        ),
        (
            ConnectionRefusedError(111, "Connect call failed ('127.0.0.1', 8000)"),
            "http://127.0.0.1:8000",
            (
                "cannot connect to http://127.0.0.1:8000: connection refused; is the gateway"
                " running?; net"
            ),
        ),
        (
            ConnectionRefusedError(111, "refused"),
            "http://localhost",
            "cannot connect to http://localhost: connection refused; is the gateway running?; net",
        ),
        (
            ConnectionRefusedError(111, "refused"),
            "https://localhost.example",
            "cannot connect to https://localhost.example: connection refused; net",
        ),
        (
            ConnectionRefusedError(111, "refused"),
            "the proxy p:1",
            "cannot connect to the proxy p:1: connection refused; is the proxy running?; net",
        ),
    ],
)
def test_a_message_says_what_happened_and_what_to_do(exc, where, message):
    advice = Advice("; net", "; trust")
    assert failure_of(exc, "connect", where=where, advice=advice).error.message == message


# Stages


@pytest.mark.parametrize(
    ("number", "code"),
    [
        (errno.ECONNREFUSED, "connect_refused"),
        (errno.EHOSTUNREACH, "connect_failed"),
        (errno.ENETUNREACH, "connect_failed"),
        (errno.EHOSTDOWN, "connect_failed"),
    ],
)
def test_nothing_was_sent_without_a_connection(number, code):
    """By this system's error number, even if a library uses its own class for it."""
    for exc in (OSError(number, "no"), named("ClientOSError", OSError)(number, "no")):
        for stage in ("pool", "connect", "request"):
            failure = failure_of(exc, stage, reused=False)
            assert (failure.error.error_code, failure.stage) == (code, "connect")
        assert failure_of(exc, "response").stage == "response"


def test_a_route_that_is_lost_later_does_not_undo_what_was_sent():
    lost = OSError(errno.EHOSTUNREACH, "No route to host")
    assert failure_of(lost, "request", silence=0.5).stage == "request"
    assert failure_of(lost, "request", reused=True).stage == "request"


def test_an_earlier_attempt_says_nothing_about_this_one():
    """A host may retry while it handles the first exception."""
    broke = ConnectionResetError("peer")
    broke.__context__ = ConnectionRefusedError("first address")
    assert failure_of(broke, "request").stage == "request"
    broke = named("ReadError", named("NetworkError", module="httpx"), module="httpx")("")
    broke.__context__ = named("ConnectError", module="httpx")("first")
    assert failure_of(broke, "request").stage == "request"


def test_an_exception_in_a_handler_is_explained_by_the_one_it_handled():
    exc = named("HostError", module="host")("it failed")
    exc.__context__ = ConnectionRefusedError(errno.ECONNREFUSED, "refused")
    failure = failure_of(exc, "request", where="x")
    assert (failure.error.error_code, failure.stage) == ("connect_refused", "connect")


def test_a_kept_connection_and_its_silence_are_passed_on():
    failure = failure_of(ConnectionResetError("x"), "request", reused=True, silence=0.2)
    assert (failure.reused, failure.silence) == (True, 0.2)
    reset_stream = named("RemoteProtocolError", module="httpx")("<StreamReset stream_id:1>")
    failure = failure_of(reset_stream, "request", reused=True, silence=0.2)
    assert (failure.reused, failure.error.error_code) == (False, "reset")


def test_a_server_that_refuses_our_certificate_is_not_asked_again():
    exc = ssl.SSLError(1, "[SSL: TLSV13_ALERT_CERTIFICATE_REQUIRED] tlsv13 alert certificate")
    for stage in STAGES:
        failure = failure_of(exc, stage)
        assert (failure.stage, failure.error.error_code) == ("verify", "tls_handshake")


def test_an_ending_that_only_tls_calls_an_error_is_of_the_handshake_while_connecting():
    exc = ssl.SSLEOFError(8, "EOF occurred in violation of protocol (_ssl.c:997)")
    assert failure_of(exc, "connect").error.error_code == "tls_handshake"
    assert failure_of(exc, "request").error.error_code == "reset"


def test_only_an_unknown_authority_gets_the_advice_to_trust_one():
    """It does not help with a certificate that has expired or is for another name."""
    expired = refused_certificate()
    expired.verify_code, expired.verify_message = 10, "certificate has expired"
    assert "trust" not in str(failure_of(expired, "connect", advice=Advice(trust="; trust")).error)
    told = CURL(60, "SSL certificate problem: unable to get local issuer certificate")
    assert failure_of(told, "connect", advice=Advice(trust="; trust")).error.message.endswith(
        "; trust"
    )
    for proxied in ("https://x", "the proxy https://x"):
        said = failure_of(told, "connect", where=proxied).error.message
        assert 'write tls="/path/to/ca.pem", the path of its certificate' in said
    assert "tls=" not in failure_of(expired, "connect").error.message


def test_credentials_that_a_proxy_does_not_accept_are_not_asked_for_again():
    refused = named("ProxyError", module="httpcore")("407 Proxy Authentication Required")
    for has_some, said in (
        (False, "give the HTTP client's proxy"),
        (True, "it did not accept the"),
    ):
        advice = Advice(credentials=has_some)
        failure = failure_of(refused, "request", where="the proxy p:1", advice=advice)
        assert (failure.error.error_code, failure.stage) == ("proxy_auth", "verify")
        assert said in failure.error.message


def test_a_host_that_knows_of_a_handshake_makes_a_vague_error_exact():
    vague = named("ConnectError", module="httpx")("it ended")
    failure = failure_of(vague, "request", where="x", handshaking=True)
    assert (failure.error.error_code, failure.stage) == ("tls_handshake", "connect")
    assert failure.error.message == "the TLS handshake with x failed: it ended"
    exact = ConnectionResetError(errno.ECONNRESET, "reset")
    assert failure_of(exact, "connect", handshaking=True).error.error_code == "reset"


def test_after_a_response_over_tls_its_words_mean_a_broken_connection():
    exc = ssl.SSLError(1, "[SSL: WRONG_VERSION_NUMBER] wrong version number (_ssl.c:1)")
    for failure in (failure_of(exc, "response"), failure_of(exc, "request", reused=True)):
        assert failure.error.error_code == "reset"
        assert failure.stage != "verify"


# Libraries that are not installed everywhere


def js(text: str, code: str = "") -> Any:
    exc = named("JsException", module="pyodide.ffi")(text)
    exc.cause = named("JsProxy", object, module="pyodide.ffi", code=code)()
    return exc


class _Member:
    """Like a member of an enumeration in PySide6."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __repr__(self) -> str:
        return self.name


def qt(name: str, text: str = "said Qt") -> Exception:
    return RuntimeError(_Member(name), text)


ROWS: "list[tuple[Any, str, str]]" = [
    (CURL(6, "Could not resolve host: nowhere.invalid"), "dns", "connect"),
    (CURL(7, "Failed to connect: Could not connect to server"), "connect_failed", "connect"),
    (CURL(7, "Failed to connect: Connection refused"), "connect_refused", "connect"),
    (CURL(28, "Connection timed out after 1001 milliseconds"), "connect_timeout", "connect"),
    (CURL(28, "Operation timed out after 9 ms with 0 bytes received"), "read_timeout", "request"),
    (CURL(35, "error:0A00010B:SSL routines::wrong version number"), "tls_handshake", "verify"),
    (CURL(35, "error:0A000410:SSL routines::ssl/tls alert handshake failure"),
     "tls_handshake", "connect"),
    (CURL(51, "no match"), "tls_verify", "verify"),
    (CURL(60, "SSL certificate problem: self-signed certificate"), "tls_verify", "verify"),
    (CURL(1, "Received HTTP/0.9 when not allowed"), "bad_response", "request"),
    (CURL(1, "Protocol not supported"), "connect_failed", "closed"),
    (CURL(52, "Empty reply from server"), "disconnected", "request"),
    (CURL(18, "transfer closed with 9 bytes remaining"), "truncated", "response"),
    (CURL(55, "Send failure: Broken pipe"), "reset", "request"),
    (CURL(56, "Recv failure: Connection reset by peer"), "reset", "request"),
    (CURL(56, "CONNECT tunnel failed, response 407"), "proxy_auth", "verify"),
    (CURL(56, "CONNECT tunnel failed, response 401"), "proxy_auth", "verify"),
    (CURL(56, "CONNECT tunnel failed, response 502"), "proxy_connect", "connect"),
    (OSError("Tunnel connection failed: 403 Forbidden"), "proxy_connect", "verify"),
    (CURL(999, "new"), "reset", "request"),
    (qt("SslHandshakeFailedError"), "tls_verify", "verify"),
    (qt("SslHandshakeFailedError", "SSL routines::wrong version number"),
     "tls_handshake", "verify"),
    (qt("ConnectionRefusedError"), "connect_refused", "connect"),
    (qt("HostNotFoundError"), "dns", "connect"),
    (qt("RemoteHostClosedError"), "disconnected", "request"),
    (qt("TimeoutError"), "read_timeout", "request"),
    (qt("OperationCanceledError"), "read_timeout", "request"),
    (qt("ProxyAuthenticationRequiredError", "AuthenticationRequired"), "proxy_auth", "verify"),
    (OSError(_Member("HostNotFoundError"), "x"), "dns", "connect"),
    (js("TypeError: fetch failed"), "connection_error", "request"),
    (js("TypeError: Failed to fetch"), "connection_error", "request"),
    (js("TypeError: fetch failed", "ECONNREFUSED"), "connect_refused", "connect"),
    (js("TypeError: fetch failed", "ENOTFOUND"), "dns", "connect"),
    (js("TypeError: fetch failed", "ECONNRESET"), "reset", "request"),
    (js("TypeError: fetch failed", "UND_ERR_SOCKET"), "disconnected", "request"),
    (js("TypeError: fetch failed", "UND_ERR_CONNECT_TIMEOUT"), "connect_failed", "connect"),
    (js("TypeError: fetch failed", "DEPTH_ZERO_SELF_SIGNED_CERT"), "tls_verify", "verify"),
    (js("TypeError: fetch failed", "ERR_TLS_CERT_ALTNAME_INVALID"), "tls_verify", "verify"),
    (js("TypeError: fetch failed", "ERR_SSL_WRONG_VERSION_NUMBER"), "tls_handshake", "verify"),
    (js("TypeError: terminated"), "truncated", "response"),
    (js("AbortError: This operation was aborted"), "read_timeout", "request"),
    (js("TimeoutError: signal timed out"), "read_timeout", "request"),
    (js("SyntaxError: no"), "connection_error", "request"),
    (OSError("fetch failed"), "connection_error", "request"),
    (named("TimeoutError", module="twisted.internet.error")(), "connect_timeout", "connect"),
    (named("TimeoutError", module="twisted.internet.defer")(), "read_timeout", "request"),
    (named("TCPTimedOutError", module="twisted.internet.error")(), "connect_failed", "connect"),
    (named("ConnectionRefusedError", module="twisted.internet.error")(),
     "connect_refused", "connect"),
    (named("ConnectionDone", module="twisted.internet.error")(), "disconnected", "request"),
    (named("Error", module="OpenSSL.SSL")([("SSL routines", "", "certificate verify failed")]),
     "tls_verify", "verify"),
    (named("VerificationError", module="service_identity.exceptions")(), "tls_verify", "verify"),
    (named("HTTPTimeoutError", module="tornado.simple_httpclient")("Timeout while connecting"),
     "connect_timeout", "connect"),
    (named("HTTPTimeoutError", module="tornado.simple_httpclient")("Timeout in request queue"),
     "pool_timeout", "pool"),
    (named("EmptyPoolError", module="urllib3.exceptions")("x"), "pool_timeout", "pool"),
    (named("TooSlowError", module="trio")(), "read_timeout", "request"),
    (named("BrokenResourceError", module="trio")(), "reset", "request"),
    (OSError("Multiple exceptions: [Errno 111] Connect call failed ('::1', 1, 0, 0), [Errno 101]"
             " Connect call failed ('127.0.0.1', 1)"), "connect_failed", "connect"),
    (named("LocalProtocolError", module="httpx")(f"Illegal header value b'{TOKEN}'"),
     "framing", "request"),
    (named("InvalidHeader", OSError, ValueError, module="requests.exceptions")(TOKEN),
     "framing", "request"),
    (named("InvalidURL", ValueError, module="aiohttp")(TOKEN), "connect_failed", "closed"),
    (named("Odd", module="host")(TOKEN), "connection_error", "request"),
    (Exception(TOKEN), "connection_error", "request"),
]  # fmt: skip


@pytest.mark.parametrize(("exc", "code", "stage"), ROWS, ids=lambda each: str(each)[:60])
def test_each_library_says_it_in_its_own_way(exc, code, stage):
    failure = failure_of(exc, "request")
    assert (failure.error.error_code, failure.stage) == (code, stage)
    assert TOKEN not in str(failure.error)
    assert failure.error.__cause__ is exc


def test_a_closed_stream_is_an_end_without_a_response_or_in_the_middle_of_one():
    for name in (
        "StreamClosedError",
        "ConnectionDone",
        "ClientPayloadError",
        "IncompleteReadError",
    ):
        exc = named(name)()
        assert failure_of(exc, "request").error.error_code == "disconnected"
        assert failure_of(exc, "response").error.error_code == "truncated"


def test_messages_are_those_of_the_failure_and_not_of_its_wrapper():
    inner = OSError(errno.ECONNREFUSED, "Connection refused")
    outer = named("MaxRetryError", module="urllib3.exceptions")("url: /?sig=secret", inner)
    failure = failure_of(outer, "request", where="https://x", advice=Advice("; use a proxy"))
    assert failure.error.message == ("cannot connect to https://x: connection refused; use a proxy")


@pytest.mark.parametrize(
    ("words", "code"),
    [
        ("401 Unauthorized", "proxy_auth"),
        ("407 Proxy Authentication Required", "proxy_auth"),
        ("Invalid username/password", "proxy_auth"),
        ("Requested NO AUTHENTICATION REQUIRED, but got NO ACCEPTABLE METHODS.", "proxy_auth"),
        ("403 Forbidden", "proxy_connect"),
        ("Proxy Server could not connect: Connection refused.", "proxy_connect"),
    ],
)
def test_a_proxy_that_refuses_is_told_by_the_words_of_httpcore(words, code):
    exc = named("ProxyError", module="httpcore")(words)
    failure = failure_of(exc, "connect", where="the proxy p:1")
    assert failure.error.error_code == code
    # A password is not tried twice.
    assert (failure.stage == "verify") is ("refused" not in words)
    assert ("give the HTTP client's proxy a user name" in str(failure.error)) is (
        code == "proxy_auth"
    )


# The rest


def test_statuses_that_no_gateway_responds_with():
    failure = unexpected_status(407, "the proxy p:1")
    assert (failure.stage, failure.error.error_code) == ("verify", "proxy_auth")
    assert "the proxy p:1" in str(failure.error)
    failure = unexpected_status(401, "the proxy p:1")
    assert (failure.stage, failure.error.error_code) == ("verify", "proxy_auth")
    assert "did not pass the request on: 401 Unauthorized" in str(failure.error)
    assert unexpected_status(101).error.error_code == "unexpected_upgrade"
    assert unexpected_status(700).error.error_code == "bad_response"


def test_a_hint_at_tls_is_for_servers_that_hang_up():
    error: MeshAPIError = APIConnectionError("x", error_code="disconnected")
    hint_at_tls(error)
    assert "https://" in str(error)
    assert error.args == (error.message,)
    error = APIConnectionError("x", error_code="dns")
    hint_at_tls(error)
    assert error.message == "x"


@pytest.mark.slow
def test_nothing_is_imported_to_recognise_an_exception():
    printed = run_python(
        "import builtins, sys",
        "from meshapi_core import failure_of",
        "real, before, asked = builtins.__import__, set(sys.modules), []",
        "def hook(name, *args, **options):",
        "    asked.append(name)",
        "    return real(name, *args, **options)",
        "builtins.__import__ = hook",
        "names = ('SSLCertVerificationError', 'ConnectTimeout', 'StreamClosedError', 'error')",
        "for name in names:",
        "    for module in ('ssl', 'httpx', 'tornado.iostream', 'pycurl', 'pyodide.ffi'):",
        "        cls = type(name, (OSError,), {'__module__': module})",
        "        for stage in ('pool', 'connect', 'request', 'response'):",
        "            failure_of(cls(7, 'x'), stage)",
        "failure_of(TimeoutError(), 'request')",
        "print(asked, set(sys.modules) - before, {'socket', 'ssl'} & set(sys.modules))",
    )
    assert printed.split("\n")[0] == "[] set() set()"
