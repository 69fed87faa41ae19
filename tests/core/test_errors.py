import copy
import inspect
import pickle
import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshapi_core import errors
from meshapi_core.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    BadRequestError,
    ConflictError,
    ContentTooLargeError,
    InternalServerError,
    MeshAPIError,
    ProtocolError,
    RateLimitError,
    RealtimeConnectionClosed,
    RealtimeError,
    RedirectError,
    ResponseDecodeError,
    StreamInterruptedError,
    ToolCallsPendingError,
    ToolLoopLimitError,
)
from meshapi_core.headers import Headers

CLASSES: list[type[MeshAPIError]] = sorted(
    (
        value
        for value in vars(errors).values()
        if inspect.isclass(value) and issubclass(value, MeshAPIError)
    ),
    key=lambda cls: cls.__name__,
)

scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text()
json_values = st.recursive(
    scalars, lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner), max_leaves=8
)
facts = st.fixed_dictionaries(
    {},
    optional={
        "status": st.integers(),
        "error_code": st.none() | st.text(),
        "request_id": st.text(),
        "details": st.none() | st.lists(json_values),
        "provider_error": json_values,
        "retry_after_seconds": st.none() | st.floats(0, 1e9),
        "provider_code": st.none() | st.text(),
        "partial": json_values,
    },
)


def made(cls: type[MeshAPIError], message: str, facts: Mapping[str, Any]) -> MeshAPIError:
    """An error of this class, with those of the facts that its constructor accepts."""
    if issubclass(cls, RealtimeError):
        request_id = facts.get("request_id")
        return cls(facts.get("error_code"), message, "session.x", request_id, message)
    if issubclass(cls, RealtimeConnectionClosed):
        return cls(1006, message, clean=True, **facts)
    if issubclass(cls, APITimeoutError):
        return cls(message, phase="read", **facts)
    if issubclass(cls, APIStatusError):
        headers = Headers([("X-Request-Id", "req_1")])
        return cls(message, headers=headers, raw={"error": None}, **facts)
    if issubclass(cls, ToolCallsPendingError):
        return cls(message, pending=(), checkpoint={}, **facts)
    if issubclass(cls, ToolLoopLimitError):
        return cls(
            message, limit="max_turns", checkpoint={}, messages=[], turns=1, usage=None, **facts
        )
    return cls(message, **facts)


class UserError(RateLimitError):
    """A subclass in a program, whose __init__ takes something other than a message."""

    def __init__(self, tenant: int, *, plan: str) -> None:
        super().__init__(f"tenant {tenant} has used up its plan {plan}", status=429)
        self.tenant = tenant
        self.plan = plan


# Properties


@given(st.sampled_from(CLASSES), st.text(), facts)
def test_pickling_and_copying_keep_the_class_and_every_attribute(cls, message, given_facts):
    error: Any = made(cls, message, given_facts)
    error.added_by_the_caller = "kept"
    copies = [copy.copy(error), copy.deepcopy(error)]
    copies += [
        pickle.loads(pickle.dumps(error, protocol))
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1)
    ]
    for copied in copies:
        assert copied is not error
        assert type(copied) is cls
        assert vars(copied) == vars(error)
        assert copied.args == error.args
        assert str(copied) == str(error)


@given(st.text(st.characters()) | st.text(st.sampled_from("\r\n\x1b\x00\x85\u2028\u202e\ud800a")))
@example("a" * 500)
@example("a" * 501)
@example("\x1b" * 500)
@example("\N{GRINNING FACE}" * 501)
def test_a_message_is_one_short_line_that_can_be_printed(text):
    error = MeshAPIError(text)
    assert len(str(error)) <= 500
    assert len(str(error).splitlines()) <= 1
    assert not any(ord(char) < 0x20 or 0x7F <= ord(char) < 0xA0 for char in str(error))
    str(error).encode("utf-8")
    assert str(error) == error.message == error.args[0]
    assert str(MeshAPIError(str(error))) == str(error), "cleaning twice changes nothing"


@given(st.text(st.characters(min_codepoint=0x20, max_codepoint=0x7E), max_size=500))
@example("Überlänge: 模型不存在 \N{GRINNING FACE}\u200d")
def test_an_ordinary_message_is_not_changed(text):
    assert str(MeshAPIError(text)) == text


# The line in a log


def words_of(error: MeshAPIError) -> list[str]:
    """The facts in parentheses after the message."""
    prefix, line = error.message, str(error)
    if isinstance(error, RealtimeError):
        prefix = f"realtime[{error.code}]: {prefix}"
    assert line.startswith(prefix)
    return re.findall(r"[^ (),]+", line[len(prefix) :])


identifiers = st.from_regex(r"[a-z]{2,8}_[a-z0-9]{4,8}", fullmatch=True)


@given(
    st.sampled_from(CLASSES),
    st.text(st.sampled_from("AB \n\u2028")),
    st.integers(100, 599),
    identifiers,
    identifiers,
)
def test_the_line_has_status_code_and_request_id_once(cls, message, status, code, request_id):
    error = made(cls, message, {"status": status, "error_code": code, "request_id": request_id})
    line = str(error)
    assert len(line.splitlines()) == 1
    assert line.count(code) == line.count(f" {request_id})") == 1 or code in request_id
    assert line.count(f"({status} ") == (0 if error.status == 0 else 1)
    assert words_of(copy.copy(error)) == words_of(error)


@given(st.sampled_from(CLASSES), st.text(), facts)
@example(MeshAPIError, "m (404 model_not_found, request req_1)", {})
def test_facts_in_the_message_of_a_relay_are_not_repeated(cls, message, given_facts):
    """A server may send the whole line as its message, and the same facts again."""
    error = made(cls, message, {**given_facts, "status": 404, "error_code": "model_not_found"})
    line = MeshAPIError.__str__(error)
    again = made(APIStatusError, line, {**given_facts, "error_code": "model_not_found"})
    again.status = error.status
    if len(line) < 500:
        assert str(again) == line


@pytest.mark.parametrize(
    ("facts", "line"),
    [
        ({}, "m"),
        ({"status": 404}, "m (404)"),
        ({"error_code": "dns"}, "m (dns)"),
        ({"request_id": "req_1"}, "m (request req_1)"),
        ({"status": 404, "error_code": "gone"}, "m (404 gone)"),
        ({"status": 404, "request_id": "req_1"}, "m (404, request req_1)"),
        ({"error_code": "gone", "request_id": "req_1"}, "m (gone, request req_1)"),
        (
            {"status": 404, "error_code": "gone", "request_id": "req_1"},
            "m (404 gone, request req_1)",
        ),
    ],
)
def test_missing_facts_are_left_out_of_the_line(facts, line):
    assert str(MeshAPIError("m", **facts)) == line


@pytest.mark.parametrize(
    ("message", "line"),
    [
        ("HTTP 409", "HTTP 409 (conflict, request req_1)"),
        ("a conflict, see req_1", "a conflict, see req_1 (409 conflict)"),
        ("409 rows, req_10", "409 rows, req_10 (409 conflict, request req_1)"),
        ("", "(409 conflict, request req_1)"),
    ],
)
def test_what_the_message_names_is_not_repeated(message, line):
    error = ConflictError(message, status=409, error_code="conflict", request_id="req_1")
    assert str(error) == line


# The tree


def test_the_tree_in_the_docstring_is_the_tree_in_the_code():
    path: list[str] = []
    drawn = set()
    for line in (errors.__doc__ or "").splitlines():
        if line.startswith(("MeshAPIError", "├", "└", "│")):
            depth = (len(line) - len(line.lstrip("│├└─ "))) // 4
            name = line.lstrip("│├└─ ").split()[0]
            path[depth:] = [name]
            drawn.add((name, path[depth - 1] if depth else "Exception"))
    # These are beside the functions that raise them.
    elsewhere = {
        ("BudgetExceededError", "MeshAPIError"),
        ("ToolArgumentsError", "ResponseDecodeError"),
    }
    assert elsewhere < drawn
    drawn -= elsewhere
    assert drawn == {(cls.__name__, cls.__bases__[0].__name__) for cls in CLASSES}
    beside = {"InvalidParamsError", "ParamsWarning", "ResponseWarning", "StreamUsageError"}
    assert set(errors.__all__) == {name for name, _ in drawn} | beside


def test_a_handler_for_failed_calls_does_not_hide_a_mistake_in_the_program():
    assert issubclass(errors.StreamUsageError, RuntimeError)
    assert not issubclass(errors.StreamUsageError, MeshAPIError)


def test_every_class_says_in_its_docstring_what_it_means():
    assert [cls.__name__ for cls in CLASSES if not cls.__dict__.get("__doc__")] == []


# Examples


def test_the_constructor_of_the_official_sdk_works():
    error = MeshAPIError(
        "m",
        status=1,
        error_code="c",
        request_id="r",
        details=None,
        provider_error=None,
        retry_after_seconds=None,
    )
    assert (error.message, error.status, error.error_code, error.request_id) == ("m", 1, "c", "r")
    assert str(error) == "m (1 c, request r)"
    assert error.details == []
    assert error.provider_error is error.retry_after_seconds is None


def test_a_message_alone_is_enough():
    error = MeshAPIError("m")
    assert vars(error) == {
        "message": "m",
        "status": 0,
        "error_code": "unknown_error",
        "request_id": "",
        "details": [],
        "provider_error": None,
        "provider_code": None,
        "retry_after_seconds": None,
        "partial": None,
        "headers": {},
    }


@pytest.mark.parametrize(
    ("cls", "code"),
    [
        (APIConnectionError, "connection_error"),
        (ProtocolError, "bad_response"),
        (StreamInterruptedError, "stream_interrupted"),
        (ResponseDecodeError, "parse_error"),
        (BadRequestError, "unknown_error"),
    ],
)
def test_an_error_without_a_code_gets_that_of_its_class(cls, code):
    assert cls("m").error_code == code
    assert cls("m", error_code="mine").error_code == "mine"


@pytest.mark.parametrize("phase", ["connect", "read", "write", "pool", "idle", "total"])
def test_a_timeout_names_its_phase(phase):
    error = APITimeoutError("too slow", phase=phase)
    assert (error.phase, error.error_code) == (phase, f"{phase}_timeout")
    assert isinstance(error, APIConnectionError)


def test_details_belong_to_their_error():
    first, second, given_details = MeshAPIError("a"), MeshAPIError("b"), [1]
    third = MeshAPIError("c", details=given_details)
    first.details.append("x")
    given_details.append(2)
    assert second.details == []
    assert third.details == [1]


def test_server_text_cannot_forge_a_log_line_through_any_short_attribute():
    forged = "x\r\n2026-11-20 INFO all is well\x1b[2J"
    error = RateLimitError(forged, error_code=forged, request_id=forged, provider_code=forged)
    for text in (str(error), repr(error), error.error_code, error.request_id, error.provider_code):
        assert "\n" not in text
        assert "\r" not in text
        assert "\x1b" not in text
    assert str(error) == r"x\r\n2026-11-20 INFO all is well\x1b[2J"


def test_a_request_id_that_is_set_later_cannot_forge_a_log_line_either():
    error = StreamInterruptedError("broken")
    error.request_id = "a\x85b\x9b2J"  # a header may have the controls of Latin-1
    assert str(error) == r"broken (stream_interrupted, request a\x85b\x9b2J)"


def test_a_long_message_is_cut():
    assert str(MeshAPIError("a" * 501)) == "a" * 497 + "..."


def test_an_error_class_of_a_user_is_pickled_and_copied_too():
    """By default, Python calls __init__ with the message alone, which fails here."""
    error = UserError(7, plan="free")
    for copied in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
        assert type(copied) is UserError
        assert (copied.tenant, copied.plan, copied.status) == (7, "free", 429)
        assert str(copied) == "tenant 7 has used up its plan free (429)"


def test_a_deep_copy_shares_nothing_and_a_shallow_one_shares_the_details():
    error = MeshAPIError("m", details=[{"loc": ["body"]}])
    assert copy.copy(error).details is error.details
    assert copy.deepcopy(error).details[0] is not error.details[0]


def test_headers_of_a_pickled_error_still_ignore_case():
    error = RedirectError("m", headers=Headers([("X-Request-Id", "req_1")]))
    assert pickle.loads(pickle.dumps(error)).headers["x-REQUEST-id"] == "req_1"


def test_one_except_clause_catches_everything():
    for cls in CLASSES:
        with pytest.raises(MeshAPIError):
            raise made(cls, "m", {})
    assert issubclass(ContentTooLargeError, APIStatusError)
    assert issubclass(InternalServerError, APIStatusError)


# Realtime sessions


def test_a_realtime_error_says_its_code_and_what_it_is_about():
    error = RealtimeError("unknown_parameter", "No such field", "session.x", "req_1", "event_1")
    assert str(error) == "realtime[unknown_parameter]: No such field (request req_1)"
    assert (error.code, error.error_code) == ("unknown_parameter", "unknown_parameter")
    assert (error.param, error.request_id, error.event_id) == ("session.x", "req_1", "event_1")
    assert (error.message, error.status) == ("No such field", 0)
    assert not isinstance(error, APIConnectionError), "the session goes on"


@pytest.mark.parametrize("code", [None, ""])
def test_the_code_of_a_realtime_error_is_never_empty(code):
    error = RealtimeError(code, "m")
    assert error.code == "unknown_error"
    assert str(error) == "realtime[unknown_error]: m"
    assert (error.param, error.request_id, error.event_id) == (None, "", None)
    assert RealtimeError("c", "m", None, None, None).request_id == ""


def test_text_of_a_realtime_error_is_one_line():
    error = RealtimeError("a\nb", "c\nd", "e\nf", "g\nh", "i\nj")
    for text in (str(error), error.code, error.param, error.request_id, error.event_id):
        assert text is not None
        assert "\n" not in text
    closed = RealtimeConnectionClosed(1011, "a\nb")
    assert "\n" not in str(closed) + closed.reason


def test_the_end_of_a_realtime_session_says_its_code_and_reason():
    error = RealtimeConnectionClosed(1012, "restarting", clean=True, request_id="req_1")
    assert (error.code, error.reason, error.clean) == (1012, "restarting", True)
    assert (error.error_code, error.request_id) == ("connection_closed", "req_1")
    assert error.message == "the realtime session is over, code 1012: restarting"
    assert str(error) == f"{error.message} (connection_closed, request req_1)"
    plain = RealtimeConnectionClosed(1006, error_code="disconnected")
    assert (plain.reason, plain.clean, plain.error_code) == ("", False, "disconnected")
    assert (
        str(plain)
        == "the realtime session is over, code 1006: the connection was lost (disconnected)"
    )
    assert isinstance(error, APIConnectionError)


@given(st.text(), st.text(), st.none() | st.text())
def test_any_realtime_error_can_be_pickled_and_copied(code, message, param):
    for error in (
        RealtimeError(code, message, param, message, param),
        RealtimeConnectionClosed(4000, message, clean=True, error_code=code),
    ):
        for copied in (pickle.loads(pickle.dumps(error)), copy.copy(error), copy.deepcopy(error)):
            assert type(copied) is type(error)
            assert vars(copied) == vars(error)
            assert str(copied) == str(error)


# Envelopes for relays


@given(st.sampled_from(CLASSES), st.text(), facts)
def test_every_error_has_an_envelope_for_a_relays_client(cls, message, facts):
    error = made(cls, message, facts)
    envelope = error.envelope()
    inner = envelope["error"]
    assert (inner["code"], inner["message"]) == (error.error_code, error.message)
    assert envelope.get("request_id", "") == error.request_id
    assert inner.get("details", []) == error.details
    assert inner.get("retry_after_seconds") == error.retry_after_seconds
    assert "provider_error" not in inner
    assert "partial" not in inner


@pytest.mark.parametrize(
    ("raw", "words"),
    [
        ({"error": {"type": "invalid", "param": "n"}}, {"type": "invalid", "param": "n"}),
        ({"error": {"type": "invalid", "param": None}}, {"type": "invalid"}),
        ({"error": {"type": 7, "param": ["n"]}}, {}),
        ({"error": "text", "type": "https://example.com/problem"}, {}),
        ({"type": "error"}, {}),
        ("text", {}),
        (None, {}),
        ({"error": {"param": "a\nb"}}, {"param": "a\\nb"}),
    ],
)
def test_an_envelope_has_the_type_and_param_that_the_server_said(raw, words):
    inner = APIStatusError("no", error_code="c", raw=raw).envelope()["error"]
    assert inner == {"code": "c", "message": "no", **words}


def test_an_envelope_of_an_event_names_its_parameter():
    envelope = RealtimeError("bad", "no", "session.voice", "req_1").envelope()
    error = {"code": "bad", "message": "no", "param": "session.voice"}
    assert envelope == {"error": error, "request_id": "req_1"}


def test_an_envelope_can_be_changed():
    error = APIStatusError("no", details=[1])
    error.envelope()["error"]["details"].append(2)
    assert error.details == [1]


def test_an_error_says_how_many_attempts_there_were_if_there_were_several():
    error = APIConnectionError("cannot connect", error_code="connect_refused")
    error.attempts = 1
    assert str(error) == "cannot connect (connect_refused)"
    error.attempts = 4
    assert str(error) == "cannot connect (connect_refused, 4 attempts)"
