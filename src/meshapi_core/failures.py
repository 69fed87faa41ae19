"""What a host's exception says about an attempt: the typed error, and how far the attempt came.

The exception and all that it came from or holds is weighed in this order:

    the server's certificate or name was refused    `tls_verify`, stage `verify`
    the server refused ours                         `tls_handshake`, stage `verify`
    the server speaks no TLS at all                 `tls_handshake`, stage `verify`
    the nearest exception that says what happened   by its kind
    the nearest that says roughly what happened     by its kind
    none of them says anything                      `connection_error`, the stage that was said

What was merely being handled when an exception was raised (`__context__`) is asked last, except
for certificates: it may belong to an earlier attempt. A refusal, a name that was not found and a
connection that could not be opened are of the stage `connect` also where the host, whose HTTP
client connects by itself, says `request`: nothing was sent. Once a response has begun none of this
can be, and the stage stays what it was.

`meshapi_core._exceptions` knows the exceptions, `meshapi_core.causes` how they hang together.
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
from meshapi_core.messages import client_closed as client_closed
from meshapi_core.messages import interrupted as interrupted
from meshapi_core.messages import stream_closed as stream_closed

__all__ = ["Advice", "Phase", "failure_of", "hint_at_tls", "timed_out", "unexpected_status"]

Phase = Literal["connect", "read", "write", "pool", "idle", "total"]
"""What was waited for; the fields of `Timeout`."""


class Advice(Struct, frozen=True):
    """What only the host knows, added to a message where it fits; "" adds nothing.

    Fields:
        network: where a connection could not be opened, such as "; HTTPS_PROXY is set, but not
            used".
        trust: where the authority of a certificate is not known, such as "; set SSL_CERT_FILE".
    """

    network: str = ""
    trust: str = ""


_NO_ADVICE = Advice()

# Where nobody says which limits are in force.
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
    """Say what an exception means for the attempt that it ended.

    A `MeshAPIError` stays the error, also where a group or another exception wraps it; any other
    exception becomes the cause of one. The messages quote what the network said, and nothing that
    may quote a header's value.

    Args:
        exc: what a socket, TLS or an HTTP client raised.
        stage: how far the attempt had come, as far as the host knows: "request" where its HTTP
            client connects by itself.
        where: who was being connected to, such as "https://api.example", or "the proxy
            10.0.0.1:3128", which must begin like that.
        timeout: the limits in force, for the words of a time-out.
        phase: which of them was waited for; None leaves that to the class of the exception and
            to the stage.
        late: the whole call's deadline has passed: then a time-out is that of `total`.
        reused: the connection had served a response before.
        silence: seconds since the first byte of the request; None where nobody measured it.
        advice: what the host knows besides.
        handshaking: the connection was open and TLS was being agreed on.

    Raises:
        BaseException: `exc` itself, where it is no `Exception` (KeyboardInterrupt, a cancellation):
            that is the program's will and no failure. The time-outs of gevent, eventlet and curio,
            and what Twisted gives to an errback, are none either, and are taken all the same.
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
    """The error for a phase that took too long, which may be the whole call's fault.

    Args:
        phase: what was waited for.
        timeout: the limits in force.
        late: the whole call's deadline has passed.
        reason: what else is known, in a few words.
    """
    if late:
        phase = "total"
    seconds = getattr(timeout, phase)
    took = "too long" if seconds is None else f"longer than {seconds:g} s"
    reason = reason.lstrip("; ")
    because = f": {reason}" if reason else ""
    # Without a limit of ours, a longer one of ours changes nothing.
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


def unexpected_status(status: int, where: str = "the server") -> Failure:
    """A status that is no server's answer to a request: 407, 101, and what is not in 200 to 599.

    Args:
        status: of the response.
        where: who was being connected to; see `failure_of`.
    """
    if status == 407:
        error, stage = _refused_by_proxy("407 Proxy Authentication Required", where)
        return Failure(error, stage)
    if status == 101:
        return Failure(_unasked_upgrade(), "response")
    message = f"the response has the status {status}, which is not an HTTP status"
    return Failure(ProtocolError(message, error_code="bad_response"), "response")


def hint_at_tls(error: MeshAPIError) -> None:
    """Say in the error of a server that hung up on a plain request that it may want TLS.

    One that answers with a TLS alert is known by that, in `HTTP11Connection`.
    """
    if error.error_code in ("disconnected", "reset"):
        error.message += "; if the server speaks TLS at this port, use https:// in the base URL"
        error.args = (error.message,)


class _ClassifiedCause(NamedTuple):
    """What one exception of the chain says."""

    kind: str
    link: Link

    @property
    def exc(self) -> BaseException:
        return self.link.exc


def _classified_causes(link: Link) -> Iterator[_ClassifiedCause]:
    for kind in (kind_of(link.exc), kind_in_args(link.exc)):
        if kind:
            yield _ClassifiedCause(kind, link)


# Kinds that only a response, or what was to be one, can be of.
_HTTP = frozenset({"bad", "framing", "large", "upgrade", "gave-up"})

_TLS = frozenset({"handshake", "disagreed", "plain"})

_CODES = {"dns": "dns", "refused": "connect_refused", "reset": "reset"}

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
    """An attempt that failed: the arguments of `failure_of`, and what the chain says."""

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
        """How far the attempt came that ended with an error of ours."""
        if self._final() is not None or error.error_code == "tls_verify":
            return "verify"
        if error.error_code in ("client_closed", "stream_closed"):
            return "closed"
        if isinstance(error, APITimeoutError) and self.stage != "response":
            return _EARLY.get(error.phase, self.stage)
        return self.stage

    def explained(self, exc: BaseException) -> tuple[MeshAPIError, Stage]:
        """The error for any other exception, and how far the attempt came."""
        final = self._final()
        if final is not None:
            return self._refused_identity(final), "verify"
        fact = self._nearest() or _ClassifiedCause("", Link(exc, implied=False))
        if fact.kind.startswith(TIME):
            return self._timed_out(fact)
        if fact.kind == "url":
            message = f"the HTTP client does not take this URL: {type(exc).__name__}"
            return APIConnectionError(message, error_code="connect_failed"), "closed"
        if fact.kind == "local":
            # Without its text, which may quote a header's value.
            message = "the HTTP client could not write the request"
            return ProtocolError(message, error_code="framing"), self.stage
        if fact.kind == "proxy" and self.stage != "response":
            return _refused_by_proxy(_reason_of_proxy(fact.exc), self.where)
        if self._not_connected(fact):
            return self._connect_failure(fact, exc), "connect"
        # Where a response was cut, it had begun, whatever a client that gives it whole says.
        at = "response" if fact.kind == "cut" and self.stage == "request" else self.stage
        return self._broken_off(fact, exc), at

    def _final(self) -> Optional[_ClassifiedCause]:
        """What makes every further attempt useless, however deep it is wrapped."""
        kinds = ["verify", "ours"]
        # Whoever has answered over TLS speaks it.
        if self.stage != "response" and not self.reused:
            kinds.append("plain")
        found = [fact for kind in kinds for fact in self.facts if fact.kind == kind]
        # Libraries that wrap it repeat its words, the standard library's own knows most.
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
        """Whether nothing can have been sent."""
        if self.stage not in ("pool", "connect", "request") or fact.kind in _HTTP:
            return False
        if self.stage != "request" or fact.kind in ("dns", "refused", "connect"):
            return True
        if any(each.kind == "connect" and not each.link.implied for each in self.facts):
            return True
        # What of these comes later is about a connection that was there.
        began = self.reused or self.silence is not None
        return fact.kind in ("unreachable", "disagreed") and not began

    def _refused_identity(self, fact: _ClassifiedCause) -> MeshAPIError:
        exc = fact.exc
        said = word(exc, "verify_message") or text_of(exc) or type(exc).__name__
        said = without_place(said).rstrip(".")
        if fact.kind == "ours":
            message = f"{self.where} does not accept this client's TLS certificate: {said}"
            return APIConnectionError(message, error_code="tls_handshake")
        if fact.kind == "plain":
            # The other side has not learned TLS by the next attempt.
            plain = re.sub("^https(?=://)", "http", self.where)
            url = f"{plain} in the base URL" if plain.startswith("http://") else "http://"
            message = (
                f"{self.where} does not speak TLS ({said}); if it speaks plain HTTP, use {url}"
            )
            return APIConnectionError(message, error_code="tls_handshake")
        hint = hint_at_certificate(
            number(exc, "verify_code"), said, self.advice.trust, proxied=self._proxied
        )
        message = f"the TLS certificate of {self.where} was not accepted: {said}{hint}"
        return APIConnectionError(message, error_code="tls_verify")

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
            return APIConnectionError(message, error_code="tls_handshake")
        why = self._reason_not_connected(code, self._words(fact.exc))
        message = f"cannot connect to {self.where}: {why}{self.advice.network}"
        return APIConnectionError(message, error_code=code)

    def _reason_not_connected(self, code: str, said: str) -> str:
        if code == "dns":
            return f"the host name could not be resolved ({said})"
        if code != "connect_refused":
            return said
        # Every kind of event loop has words of its own for it.
        if self._proxied:
            return "connection refused; is the proxy running?"
        if _LOCAL.match(self.where):
            return "connection refused; is the gateway running?"
        return "connection refused"

    @property
    def _proxied(self) -> bool:
        return self.where.startswith(_A_PROXY)

    def _broken_off(self, fact: _ClassifiedCause, exc: BaseException) -> MeshAPIError:
        error = self._broken(fact, exc)
        if not self._proxied or self.stage == "response":
            return error
        message = f"{self.where} broke off: {error.message}"
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
            # Without its text, which may quote a header's value.
            return APIConnectionError(f"the HTTP client failed: {type(exc).__name__}")
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
        """Whether what an HTTP client was given made it fail."""
        return any(
            each.kind in ("local", "misuse") and not each.link.implied for each in self.facts
        )

    def _words(self, exc: BaseException) -> str:
        """What an exception says, or the nearest one that may be quoted."""
        for each in (exc, *(fact.exc for fact in self.facts)):
            if may_be_quoted(each):
                text = text_of(each)
                if text:
                    return without_place(text)
        return type(exc).__name__


_A_PROXY = "the proxy "

# Without a password, or against its rules, a proxy never will.
_FINAL = re.compile(r"(?:^|\D)(?:401|403|407)(?:\D|$)|AuthenticationRequired")
_WANTS_PASSWORD = re.compile(r"(?:^|\D)407(?:\D|$)|AuthenticationRequired")


def _refused_by_proxy(reason: str, where: str) -> tuple[MeshAPIError, Stage]:
    proxy = where if where.startswith(_A_PROXY) else "the proxy"
    message = f"{proxy} did not open a connection: {reason}"
    if _WANTS_PASSWORD.search(reason):
        message += "; give the HTTP client's proxy a user name and a password"
    error = APIConnectionError(message, error_code="proxy_failed")
    return error, "verify" if _FINAL.search(reason) else "connect"


def _reason_of_proxy(exc: BaseException) -> str:
    status = number(exc, "status")
    if status:
        # aiohttp's, whose text has the whole URL besides.
        return f"{status} {word(exc, 'message')}"
    return text_of(exc) or type(exc).__name__


def _unasked_upgrade() -> MeshAPIError:
    message = "the server switched protocols (101), which the request did not ask for"
    return ProtocolError(message, error_code="unexpected_upgrade")
