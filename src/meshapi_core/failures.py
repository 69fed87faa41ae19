"""The meaning of a host's exception for an attempt: a typed error, and how far the attempt got.

Of an exception, its causes and the exceptions that it holds, the first rule that fits decides:

    the server's certificate or name was refused    `tls_verify`, stage `verify`
    the server refused our certificate              `tls_handshake`, stage `verify`
    the server does not speak TLS                   `tls_handshake`, stage `verify`
    the nearest exception of an exact kind          by its kind
    the nearest exception of a rough kind           by its kind
    no exception of a known kind                    `connection_error`, the stage that was passed

An exception that was merely being handled when another was raised (`__context__`) counts last,
except for certificates: it may belong to an earlier attempt. A host whose HTTP client connects by
itself passes the stage `request`. If the connection was refused, the host name was not found or no
connection could be opened, the stage becomes `connect`: nothing was sent. Once a response has
begun, none of these is possible, and the stage stays as it was.

`meshapi_core._exceptions` knows the kinds of exceptions, `meshapi_core.causes` how they are linked.
"""

import re
from collections.abc import Iterator
from typing import Literal, NamedTuple, Optional

from msgspec import Struct

from meshapi_core._certificates import hint_at_certificate, without_place
from meshapi_core._exceptions import EXACT, RESET_STREAM, ROUGH, TIME, kind_in_args, kind_of
from meshapi_core.causes import Link, attribute, links_of, may_be_quoted, number, text_of, word
from meshapi_core.config import Timeout
from meshapi_core.errors import APIConnectionError, APITimeoutError, MeshAPIError, ProtocolError
from meshapi_core.messages import Failure, Stage
from meshapi_core.proxies.refusals import A_PROXY, no_tunnel, not_passed_on

__all__ = ["Advice", "Phase", "failure_of", "hint_at_tls", "timed_out", "unexpected_status"]

Phase = Literal["connect", "read", "write", "pool", "idle", "total"]
"""The phases of a call that time limits are about: the fields of `Timeout`."""


class Advice(Struct, frozen=True):
    """What only the host knows. Texts are appended to messages where they fit; "" for none.

    Fields:
        network: for a connection that could not be opened, such as "; HTTPS_PROXY is set, but not
            used".
        trust: for a certificate from an unknown authority; "" says how to trust one.
        credentials: whether the host's HTTP client gave its proxy a user name and a password.
    """

    network: str = ""
    trust: str = ""
    credentials: bool = False


_NO_ADVICE = Advice()

# For callers that do not say which limits are in force.
_UNSAID = Timeout(connect=None, read=None, write=None, pool=None)


def failure_of(
    exc: BaseException,
    stage: Stage,
    *,
    where: str = "the server",
    timeout: Timeout = _UNSAID,
    phase: Optional[Phase] = None,
    late: bool = False,
    reused: bool = False,
    silence: Optional[float] = None,
    advice: Advice = _NO_ADVICE,
    handshaking: bool = False,
) -> Failure:
    """Return the typed error for the exception that ended an attempt, and its stage.

    A `MeshAPIError` is kept, even if a group or another exception wraps it; any other exception is
    the cause of a new error. Messages quote the network, and nothing that may contain a header.

    Args:
        exc: what a socket, TLS or an HTTP client raised.
        stage: how far the attempt had got; "request" if the host's HTTP client connects by itself.
        where: the other end of the connection, such as "https://api.example", or "the proxy
            10.0.0.1:3128"; a proxy must begin like that.
        timeout: the limits in force, for the message of a timeout.
        phase: the phase that was under way; None derives it from the exception and the stage.
        late: whether the deadline of the whole call has passed; a timeout is then one of `total`.
        reused: whether the connection had served a response before.
        silence: seconds since the first byte of the request; None if they were not measured.
        advice: what else the host knows.
        handshaking: whether the connection was open, and a TLS handshake under way.

    Raises:
        BaseException: `exc` itself, if it is not an `Exception` (KeyboardInterrupt, a
            cancellation): that is the program's will and not a failure. The timeouts of gevent,
            eventlet and curio, and the failures of Twisted, become errors all the same.
    """
    chain = list(links_of(exc))
    facts = [fact for link in chain for fact in _classified_causes(link)]
    if not (isinstance(exc, Exception) or _is_reported(exc)):
        raise exc
    case = _FailedAttempt(
        stage, where, timeout, phase, late, reused, silence, advice, handshaking, facts
    )
    known = (link.exc for link in chain if not link.implied)
    own = next((each for each in known if isinstance(each, MeshAPIError)), None)
    if own is not None:
        error, at = own, case.stage_of(own)
    else:
        error, at = case.explained(exc)
        error.__cause__ = exc
    if at not in ("request", "response"):
        return Failure(error, at)
    # An HTTP/2 server that resets a stream has seen the request.
    seen = text_of(exc).startswith(RESET_STREAM)
    return Failure(error, at, reused=reused and not seen, silence=silence)


def _is_reported(exc: BaseException) -> bool:
    return kind_of(exc).startswith(TIME) or isinstance(attribute(exc, "value"), Exception)


def timed_out(
    phase: Phase, timeout: Timeout, *, late: bool = False, reason: str = ""
) -> APITimeoutError:
    """Return the error for a phase that took too long.

    Args:
        phase: the phase that was under way.
        timeout: the limits in force.
        late: whether the deadline of the whole call has passed; the error is then about `total`.
        reason: what else is known, in a few words.
    """
    if late:
        phase = "total"
    seconds = getattr(timeout, phase)
    took = "too long" if seconds is None else f"longer than {seconds:g} s"
    reason = reason.lstrip("; ")
    because = f": {reason}" if reason else ""
    # If the limit was not ours, raising ours changes nothing.
    advice = "" if seconds is None else f"; to allow more time, pass {_MORE_TIME[phase]}"
    return APITimeoutError(f"{_WAITED_FOR[phase]} took {took}{because}{advice}", phase=phase)


_WAITED_FOR: dict[str, str] = {
    "connect": "opening a connection",
    "read": "waiting for the response, or for more of it,",
    "write": "sending the request",
    "pool": "waiting for a free connection",
    "idle": "waiting for the next event of the stream",
    "total": "the whole call",
}

_MORE_TIME: dict[str, str] = {
    phase: f"timeout=Timeout({phase}=...)"
    for phase in ("connect", "read", "write", "idle", "total")
}
_MORE_TIME["pool"] = "timeout=Timeout(pool=...), or limits=Limits(max_connections=...) for more"


def unexpected_status(status: int, where: str = "the server", hint: str = "") -> Failure:
    """Return the failure for a status that no gateway responds with: 407, 101, or not 200 to 599.

    Or for a 401 of a proxy's own: see `wants_credentials`.

    Args:
        status: the status of the response.
        where: the other end of the connection; see `failure_of`.
        hint: what to do about credentials, to be appended; see `not_passed_on`.
    """
    if status in (401, 407):
        return not_passed_on(where if where.startswith(A_PROXY) else "", hint, status)
    if status == 101:
        return Failure(_unasked_upgrade(), "response")
    message = f"the response has the status {status}, which is not an HTTP status"
    return Failure(ProtocolError(message, error_code="bad_response"), "response")


def hint_at_tls(error: MeshAPIError) -> None:
    """Add to the error of a server that closed a plain connection that it may expect TLS.

    If the server responds with a TLS alert instead, `HTTP11Connection` recognises that.
    """
    if error.error_code in ("disconnected", "reset"):
        error.message += "; if the server speaks TLS at this port, use https:// in the base URL"
        error.args = (error.message,)


class _ClassifiedCause(NamedTuple):
    """The kind of one exception in the chain."""

    kind: str
    link: Link

    @property
    def exc(self) -> BaseException:
        return self.link.exc


def _classified_causes(link: Link) -> Iterator[_ClassifiedCause]:
    for kind in (kind_of(link.exc), kind_in_args(link.exc)):
        if kind:
            yield _ClassifiedCause(kind, link)


# Kinds that are only possible once bytes of a response have arrived.
_HTTP = frozenset({"bad", "framing", "large", "upgrade", "gave-up"})

_TLS = frozenset({"handshake", "disagreed", "plain"})

_CODES = {"dns": "dns", "refused": "connect_refused", "reset": "reset"}

# Of a proxy: it cannot be connected to, or TLS with it failed.
_NO_PROXY, _NO_TLS_PROXY = "proxy_refused", "proxy_tls"

# Mistakes in the program, such as in a transport: their texts quote names and kinds, and whatever
# else is secret in them is concealed. A ValueError may be about a header's value, and quote that.
_MISTAKES = (TypeError, AttributeError, NameError)

# Phases before anything is sent.
_EARLY: dict[str, Stage] = {"connect": "connect", "pool": "pool"}

_PHASES: dict[str, Phase] = {
    "connect": "connect",
    "pool": "pool",
    "read": "read",
    "write": "write",
}

_LOCAL = re.compile(r"https?://(?:localhost|127\.[0-9.]+|\[::1\])(?::|$)")


class _FailedAttempt(NamedTuple):
    """An attempt that failed: the arguments of `failure_of`, and the kinds of its exceptions."""

    stage: Stage
    where: str
    timeout: Timeout
    phase: Optional[Phase]
    late: bool
    reused: bool
    silence: Optional[float]
    advice: Advice
    handshaking: bool
    facts: list[_ClassifiedCause]

    def stage_of(self, error: MeshAPIError) -> Stage:
        """Return how far an attempt got that ended with a `MeshAPIError`."""
        if self._final() is not None or error.error_code in ("tls_verify", "proxy_tls"):
            return "verify"
        if error.error_code in ("client_closed", "stream_closed"):
            return "closed"
        if isinstance(error, APITimeoutError) and self.stage != "response":
            return _EARLY.get(error.phase, self.stage)
        return self.stage

    def explained(self, exc: BaseException) -> tuple[MeshAPIError, Stage]:
        """Return the error for any other exception, and how far the attempt got."""
        final = self._final()
        if final is not None:
            return self._refused_identity(final), "verify"
        fact = self._nearest() or _ClassifiedCause("", Link(exc, implied=False))
        if fact.kind.startswith(TIME):
            return self._timed_out(fact)
        if fact.kind == "url":
            message = f"the HTTP client does not accept this URL: {type(exc).__name__}"
            return APIConnectionError(message, error_code="connect_failed"), "closed"
        if fact.kind == "local":
            # Without the exception's text, which may quote a header's value.
            message = "the HTTP client could not write the request"
            return ProtocolError(message, error_code="framing"), self.stage
        if fact.kind == "proxy" and self.stage != "response":
            where, given = self.where if self._proxied else "", self.advice.credentials
            failure = no_tunnel(where, _reason_of_proxy(fact.exc), given=given)
            return failure.error, failure.stage
        if self._not_connected(fact):
            return self._connect_failure(fact, exc), "connect"
        # A response that was cut had begun, whatever an HTTP client that returns whole ones says.
        at = "response" if fact.kind == "cut" and self.stage == "request" else self.stage
        return self._broken_off(fact, exc), at

    def _final(self) -> Optional[_ClassifiedCause]:
        """Return what makes every retry useless, however deep it is wrapped; None if nothing."""
        kinds = ["verify", "ours"]
        # A server that has responded over TLS speaks it.
        if self.stage != "response" and not self.reused:
            kinds.append("plain")
        found = [fact for kind in kinds for fact in self.facts if fact.kind == kind]
        # The standard library's exception knows most; libraries that wrap it repeat its words.
        exact = (fact for fact in found if word(fact.exc, "verify_message"))
        inner = (fact for fact in found if may_be_quoted(fact.exc) and text_of(fact.exc))
        return next(exact, None) or next(inner, None) or next(iter(found), None)

    def _nearest(self) -> Optional[_ClassifiedCause]:
        for implied in (False, True):
            facts = [each for each in self.facts if each.link.implied is implied]
            exact = [each for each in facts if each.kind in EXACT or each.kind.startswith(TIME)]
            rough = [each for each in facts if each.kind in ROUGH]
            rest = [each for each in facts if each.kind != "misuse"]
            if facts and (exact or rough or rest):
                return (exact or rough or rest)[0]
        return next(iter(self.facts), None)

    def _not_connected(self, fact: _ClassifiedCause) -> bool:
        """Return whether nothing can have been sent."""
        if self.stage not in ("pool", "connect", "request") or fact.kind in _HTTP:
            return False
        if self.stage != "request" or fact.kind in ("dns", "refused", "connect"):
            return True
        if any(each.kind == "connect" and not each.link.implied for each in self.facts):
            return True
        # Later, these are about a connection that was open.
        began = self.reused or self.silence is not None
        return fact.kind in ("unreachable", "disagreed") and not began

    def _refused_identity(self, fact: _ClassifiedCause) -> MeshAPIError:
        exc = fact.exc
        said = word(exc, "verify_message") or text_of(exc) or type(exc).__name__
        said = without_place(said).rstrip(".")
        if fact.kind == "ours":
            message = f"{self.where} does not accept this client's TLS certificate: {said}"
            return APIConnectionError(message, error_code=self._tls_code("tls_handshake"))
        if fact.kind == "plain":
            # The server will not speak TLS on a retry either.
            plain = re.sub("^https(?=://)", "http", self.where)
            url = f"{plain} in the base URL" if plain.startswith("http://") else "http://"
            message = (
                f"{self.where} does not speak TLS ({said}); if it speaks plain HTTP, use {url}"
            )
            return APIConnectionError(message, error_code=self._tls_code("tls_handshake"))
        hint = hint_at_certificate(
            number(exc, "verify_code"), said, self.advice.trust, proxied=self._proxied
        )
        message = f"the TLS certificate of {self.where} was not accepted: {said}{hint}"
        return APIConnectionError(message, error_code=self._tls_code("tls_verify"))

    def _timed_out(self, fact: _ClassifiedCause) -> tuple[MeshAPIError, Stage]:
        stage, named = self.stage, fact.kind.partition(":")[2]
        phase: Phase = self.phase or _PHASES.get(stage, "read")
        if self.phase is None and named and stage != "response":
            phase = _PHASES[named]
        reason = ""
        if phase == "connect":
            said = text_of(fact.exc) if type(fact.exc) is TimeoutError else ""
            reason = (f"to {self.where}" if self._proxied else said) + self.advice.network
        error = timed_out(phase, self.timeout, late=self.late, reason=reason)
        return error, _EARLY.get(phase, "request" if stage in _EARLY else stage)

    def _connect_failure(self, fact: _ClassifiedCause, exc: BaseException) -> MeshAPIError:
        code = _CODES.get(fact.kind, "connect_failed")
        if fact.kind in _TLS or (code == "connect_failed" and self.handshaking):
            said = self._words(fact.exc if fact.kind in _TLS else exc)
            message = f"the TLS handshake with {self.where} failed: {said}"
            return APIConnectionError(message, error_code=self._tls_code("tls_handshake"))
        why = self._reason_not_connected(code, self._words(fact.exc))
        message = f"cannot connect to {self.where}: {why}{self.advice.network}"
        return APIConnectionError(message, error_code=_NO_PROXY if self._proxied else code)

    def _tls_code(self, code: str) -> str:
        return _NO_TLS_PROXY if self._proxied else code

    def _reason_not_connected(self, code: str, said: str) -> str:
        if code == "dns":
            whose = "the proxy's" if self._proxied else "the"
            return f"{whose} host name could not be resolved ({said})"
        if code != "connect_refused":
            return said
        # Each kind of event loop says it in different words.
        if self._proxied:
            return "connection refused; is the proxy running?"
        if _LOCAL.match(self.where):
            return "connection refused; is the gateway running?"
        return "connection refused"

    @property
    def _proxied(self) -> bool:
        return self.where.startswith(A_PROXY)

    def _broken_off(self, fact: _ClassifiedCause, exc: BaseException) -> MeshAPIError:
        error = self._broken(fact, exc)
        if not self._proxied or self.stage == "response":
            return error
        message = f"{self.where} failed: {error.message}"
        return APIConnectionError(message, error_code=error.error_code)

    def _broken(self, fact: _ClassifiedCause, exc: BaseException) -> MeshAPIError:
        kind = fact.kind
        if kind == "gone":
            kind = "cut" if self.stage == "response" else "empty"
        if kind == "empty":
            message = "the server closed the connection without a response"
            return APIConnectionError(message, error_code="disconnected")
        if kind == "cut":
            message = "the server closed the connection in the middle of a response"
            return APIConnectionError(message, error_code="truncated")
        if kind == "gave-up":
            message = f"the server gave up: {self._words(fact.exc)}"
            return APIConnectionError(message, error_code="reset")
        if kind in ("bad", "framing", "large", "upgrade"):
            return self._not_http(kind, fact.exc)
        if kind in ("", "misuse") or self._is_misuse:
            said = f"the HTTP client failed: {type(exc).__name__}"
            if isinstance(exc, _MISTAKES) and text_of(exc):
                return APIConnectionError(f"{said}: {text_of(exc)}")
            # Without the text of others, which may quote a header's value.
            return APIConnectionError(said)
        if kind == "failed":
            words = self._words(fact.exc)
            return APIConnectionError(f"the HTTP client failed: {type(exc).__name__}: {words}")
        message = f"the connection broke: {self._words(fact.exc)}"
        return APIConnectionError(message, error_code=_CODES.get(kind, "reset"))

    def _not_http(self, kind: str, exc: BaseException) -> MeshAPIError:
        if kind == "upgrade":
            return _unasked_upgrade()
        if any(each.kind == "large" for each in self.facts):
            message = "the headers of the response are too large for the HTTP client"
            return ProtocolError(message, error_code="headers_too_large")
        framing = kind == "framing" or self.stage == "response"
        code = "framing" if framing else "bad_response"
        return ProtocolError(f"the response is not HTTP: {self._words(exc)}", error_code=code)

    @property
    def _is_misuse(self) -> bool:
        """Whether the HTTP client failed because of what was passed to it."""
        return any(
            each.kind in ("local", "misuse") and not each.link.implied for each in self.facts
        )

    def _words(self, exc: BaseException) -> str:
        """Return the text of an exception, or of the nearest one that may be quoted."""
        for each in (exc, *(fact.exc for fact in self.facts)):
            if may_be_quoted(each):
                text = text_of(each)
                if text:
                    return without_place(text)
        return type(exc).__name__


def _reason_of_proxy(exc: BaseException) -> str:
    status = number(exc, "status")
    if status:
        # aiohttp's, whose text also contains the whole URL.
        return f"{status} {word(exc, 'message')}"
    return text_of(exc) or type(exc).__name__


def _unasked_upgrade() -> MeshAPIError:
    message = "the server switched protocols (101), which the request did not ask for"
    return ProtocolError(message, error_code="unexpected_upgrade")
