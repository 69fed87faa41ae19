"""Tokens that a function returns, in the machines. `tests/client/test_token_functions.py` has what
a program sees of it."""

import json
from typing import Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.bodies import FileSource
from meshapi_core.calls import Call
from meshapi_core.config import MeshAPIConfig, Timeout
from meshapi_core.errors import (
    AuthenticationError,
    InternalServerError,
    InvalidParamsError,
    MeshAPIError,
)
from meshapi_core.machines.actions import Connect, GetToken, Item, Read, Release, SendRequest
from meshapi_core.machines.client_call import ClientCall
from meshapi_core.machines.exchange import Exchange, ExchangeUsageError
from meshapi_core.machines.pipe_call import PipeCall
from meshapi_core.messages import client_closed
from meshapi_core.multipart import FilePart, Multipart
from meshapi_core.readers import JSONReader
from meshapi_core.realtime import RealtimeCall
from support.client_host import ClientHost, Head
from support.machine_calls import POST, STREAM, File, upload
from support.pipe_host import PipeHost
from support.randomness import always, seeded
from support.wire import make_response

OLD, NEW = "rsk_test_old_token_1", "rsk_test_new_token_2"
GOOD = b'{"choices":[]}'
FORM: "Call[Any]" = Call(
    method="POST",
    path="/v1/x",
    body=Multipart((("model", "m"),), (FilePart("file", FileSource(File(1, [b"x"])), "a.txt"),)),
    reader=JSONReader(dict),
)


def refusal(text: str = "no") -> bytes:
    body = {"error": {"code": "unauthorized", "message": text}}
    return make_response(401, json.dumps(body).encode())


def source(*tokens: object) -> Any:
    left = [*tokens]

    def ask() -> object:
        token = left.pop(0)
        if isinstance(token, BaseException):
            raise token
        return token

    return ask


def pipe(call: Any, tokens: Any, *responses: bytes, **fields: Any) -> PipeHost:
    return PipeHost(call, [[response] for response in responses], token=source(*tokens), **fields)


def test_it_is_asked_for_once_a_call_and_sent():
    host = pipe(POST, [OLD], make_response(503, b"{}"), make_response(200, GOOD))
    assert len(host.run()) == 1
    assert [action.again for action in host.asked] == [False]
    assert [f"Bearer {OLD}".encode() in head for head in host.sent] == [True, True]


@pytest.mark.parametrize("call", [POST, STREAM, FORM])
def test_after_a_401_the_call_goes_on_with_another_one(call):
    host = pipe(call, [OLD, NEW], refusal(), make_response(404, b"{}"), max_retries=0)
    error = host.run()
    assert error.status == 404
    assert [action.again for action in host.asked] == [False, True]
    old, new = host.sent
    # The same bytes but for the token: its key, and the boundary of its form.
    assert old.replace(OLD.encode(), NEW.encode()) == new
    assert b"idempotency-key: " in old.lower()
    assert host.call.attempts == 2


def test_the_second_attempt_is_no_retry():
    busy = make_response(503, b"{}")
    host = pipe(POST, [OLD, NEW], refusal(), busy, busy, busy, max_retries=2)
    assert isinstance(host.run(), InternalServerError)
    assert len(host.sent) == 4
    assert len(host.slept) == 2


def test_a_second_401_is_final():
    host = pipe(POST, [OLD, NEW], refusal("first"), refusal("second"))
    error = host.run()
    assert isinstance(error, AuthenticationError)
    assert error.message == "second"
    assert len(host.sent) == 2


def test_the_same_token_again_makes_the_401_final():
    host = pipe(POST, [OLD, OLD], refusal("first"))
    error = host.run()
    assert error.message == "first"
    assert len(host.sent) == 1


def test_no_error_shows_any_of_the_tokens():
    for tokens, responses in (
        ([OLD, OLD], [refusal(f"bad {OLD}")]),
        ([OLD, NEW], [refusal("no"), refusal(f"bad {OLD} and {NEW}")]),
        ([OLD, NEW], [refusal("no"), make_response(200, f"{OLD}{NEW}".encode())]),
    ):
        error = pipe(POST, tokens, *responses).run()
        told = repr([error, vars(error), error.__cause__])
        assert OLD not in told
        assert NEW not in told


def test_a_stream_conceals_both_of_them():
    event = {"error": {"message": f"bad {OLD} and {NEW}"}}
    body = f"data: {json.dumps(event)}\n\n".encode()
    host = pipe(STREAM, [OLD, NEW], refusal(), make_response(200, body, kind="text/event-stream"))
    assert host.run().message == "bad *** and ***"


@pytest.mark.parametrize(
    ("value", "told"),
    [
        ("", "a function that returns an API key, got an empty string"),
        (None, "a function that returns str, got NoneType"),
        (b"rsk_test_1", "a function that returns str, got bytes; write x.decode()"),
        (7, "a function that returns str, got int"),
        ("rsk_test_1\n", "the function returned a token that cannot be sent: it has whitespace"),
        ("Bearer rsk_test_1", "the function returned a token that cannot be sent: leave out"),
        ("rsk_test_é", "the function returned a token that cannot be sent: it contains"),
    ],
)
@pytest.mark.parametrize("again", [False, True])
def test_a_value_that_is_no_token_is_refused_and_not_shown(value, told, again):
    tokens, responses = ([OLD, value], [refusal()]) if again else ([value], [])
    host = pipe(POST, tokens, *responses)
    for _ in range(2):
        with pytest.raises(InvalidParamsError) as caught:
            host.run()
        assert caught.value.field == "token"
        assert told in str(caught.value)
        assert "rsk_test" not in repr([caught.value, vars(caught.value)])
    assert isinstance(caught.value.__cause__, AuthenticationError if again else type(None))


class Gone(Exception):
    pass


@pytest.mark.parametrize("again", [False, True])
def test_what_the_function_raises_is_raised_unchanged(again):
    for kind in (PipeCall, ClientCall):
        config = MeshAPIConfig(base_url="http://localhost:8000", token=lambda: OLD)
        call: Any = kind(POST, config, now=0.0, random_bytes=always(0.5))
        assert isinstance(call.next_action(0.0), GetToken)
        if again:
            call.token(OLD)
            refuse(call)
            assert call.next_action(0.0).again
        gone = Gone()
        call.fail(gone, 0.0)
        for _ in range(2):
            with pytest.raises(Gone) as caught:
                call.next_action(0.0)
            assert caught.value is gone


def refuse(call: Any) -> None:
    while not isinstance(action := call.next_action(0.0), (Read, GetToken)):
        if isinstance(action, SendRequest):
            call.receive_head(401, {}, 0.0)
            call.receive_body(b"", 0.0)
        elif isinstance(action, Connect):
            call.connected(0.0)
        else:
            call.written()
    if isinstance(action, Read):
        call.receive_data(refusal(), 0.0)
        assert isinstance(call.next_action(0.0), Release)


def test_an_interrupt_while_it_is_asked_for_ends_nothing():
    config = MeshAPIConfig(base_url="http://localhost:8000", token=lambda: OLD)
    call: Any = PipeCall(POST, config, now=0.0, random_bytes=always(0.5))
    assert isinstance(call.next_action(0.0), GetToken)
    with pytest.raises(KeyboardInterrupt):
        call.fail(KeyboardInterrupt(), 0.0)
    assert isinstance(call.next_action(0.0), GetToken)
    call.token(OLD)
    assert isinstance(call.next_action(0.0), Connect)


def test_the_time_for_it_counts_for_the_call():
    config = MeshAPIConfig(
        base_url="http://localhost:8000", token=lambda: OLD, timeout=Timeout(total=5)
    )
    for kind in (PipeCall, ClientCall):
        call: Any = kind(POST, config, now=0.0, random_bytes=always(0.5))
        action = call.next_action(1.0)
        assert action.seconds(1.0) == 4.0
        call.handle_timer(5.0)
        for _ in range(2):
            with pytest.raises(MeshAPIError) as caught:
                call.next_action(5.0)
            assert caught.value.error_code == "total_timeout"


def test_a_call_that_is_closed_meanwhile_needs_no_token():
    config = MeshAPIConfig(base_url="http://localhost:8000", token=lambda: OLD)
    call: Any = PipeCall(POST, config, now=0.0, random_bytes=always(0.5))
    call.next_action(0.0)
    call.close(client_closed(), 0.0)
    call.token(OLD)
    with pytest.raises(MeshAPIError) as caught:
        call.next_action(0.0)
    assert caught.value.error_code == "client_closed"


def test_an_upload_to_a_signed_url_needs_none():
    host = PipeHost(upload(File(1, [b"x"])), [[refusal()]], token=source())
    assert host.run().status == 401
    assert host.asked == []


def test_a_plain_token_is_never_asked_for():
    host = PipeHost(POST, [[refusal()]])
    assert host.run().status == 401
    assert host.asked == []
    with pytest.raises(ExchangeUsageError):
        host.call.token(OLD)


def test_it_works_with_an_http_client_as_well():
    host = ClientHost(
        POST,
        [[Head(401), b""], [Head(200), GOOD, b""]],
        token=source(OLD, NEW),
        max_retries=0,
    )
    assert len(host.run()) == 1
    tokens = [dict(action.request.plain_headers())["authorization"] for action in host.sent]
    assert tokens == [f"Bearer {OLD}", f"Bearer {NEW}"]


@pytest.mark.parametrize("auth", ["query", "subprotocol", "header"])
def test_an_upgrade_puts_it_where_it_belongs(auth):
    config = MeshAPIConfig(base_url="http://localhost:8000", token=lambda: OLD)
    call: Any = RealtimeCall(model="m", auth=auth)
    life: Exchange[Any] = Exchange(call, config, now=0.0, random_bytes=seeded(1))
    assert isinstance(life.next_action(0.0), GetToken)
    life.token(OLD)
    sent: Any = life.next_action(0.0)
    raw = (str.__str__(sent.request.target), *map(str.__str__, dict(sent.request.headers).values()))
    assert any(OLD in text for text in raw)
    assert OLD not in repr(sent)


def test_a_token_that_is_no_subprotocol_is_refused():
    config = MeshAPIConfig(base_url="http://localhost:8000", token=lambda: OLD)
    call: Any = RealtimeCall(model="m", auth="subprotocol")
    life: Exchange[Any] = Exchange(call, config, now=0.0, random_bytes=seeded(1))
    life.next_action(0.0)
    life.token("rsk_test/with/slashes")
    with pytest.raises(InvalidParamsError) as caught:
        life.next_action(0.0)
    assert "slashes" not in repr([caught.value, vars(caught.value)])


@given(
    st.lists(st.sampled_from([200, 401, 503]), min_size=1, max_size=6),
    st.lists(st.sampled_from([OLD, NEW]), min_size=2, max_size=2),
)
def test_there_are_never_more_than_two_questions_or_more_attempts_than_allowed(statuses, tokens):
    statuses = [*statuses, 200]
    responses = [make_response(status, GOOD) for status in statuses]
    host = pipe(POST, tokens, *responses, max_retries=3)
    outcome = host.run()
    assert len(host.asked) <= 2
    assert len(host.sent) <= 5
    if 401 in statuses[: len(host.sent)]:
        assert len(host.asked) == 2
    if isinstance(outcome, list):
        assert statuses[len(host.sent) - 1] == 200


# The configuration itself


def test_a_configuration_with_a_function_shows_and_builds_nothing():
    from functools import partial

    config = MeshAPIConfig(token=partial(str, OLD))
    assert OLD not in repr(config)
    for use in (lambda: config.auth_field, lambda: POST.request(config)):
        with pytest.raises(TypeError, match=r"config\.with_token"):
            use()
    known = config.with_token(NEW)
    assert dict(POST.request(known).plain_headers())["authorization"] == f"Bearer {NEW}"
    assert known.base_url == config.base_url
    with pytest.raises(ValueError, match="token: "):
        config.with_token("a b")


def test_items_are_returned_as_ever():
    config = MeshAPIConfig(base_url="http://localhost:8000", token=lambda: OLD)
    call: Any = ClientCall(POST, config, now=0.0, random_bytes=always(0.5))
    seen: list[Optional[type]] = []
    while True:
        action = call.next_action(0.0)
        seen.append(type(action))
        if isinstance(action, GetToken):
            call.token(action.source())
        elif isinstance(action, SendRequest):
            call.receive_head(200, {}, 0.0)
            call.receive_body(GOOD, 0.0)
            call.receive_body(b"", 0.0)
        else:
            break
    assert seen == [GetToken, SendRequest, Item]
