import copy
import random
from collections.abc import Sequence
from typing import Any, Optional, Union

import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from meshapi_core.bodies import FileSource
from meshapi_core.calls import Call, SignedPut
from meshapi_core.chunks.decoder import ChunkDecoder
from meshapi_core.config import MeshAPIConfig, Timeout
from meshapi_core.endpoints.audio import Audio
from meshapi_core.endpoints.batches import Batches
from meshapi_core.endpoints.chat import Completions
from meshapi_core.endpoints.documents import Documents
from meshapi_core.endpoints.rag import Rag
from meshapi_core.endpoints.responses import Responses
from meshapi_core.endpoints.videos import Videos
from meshapi_core.errors import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    InternalServerError,
    MeshAPIError,
    NotFoundError,
    PaymentRequiredError,
    ProtocolError,
    RateLimitError,
    RedirectError,
    ResponseDecodeError,
)
from meshapi_core.headers import Headers
from meshapi_core.machines.actions import GetToken
from meshapi_core.machines.exchange import (
    TRANSITIONS,
    Done,
    Exchange,
    ExchangeInput,
    ExchangeState,
    ExchangeUsageError,
    Send,
    Wait,
)
from meshapi_core.messages import Failure, Response
from meshapi_core.multipart import FilePart, Multipart
from meshapi_core.readers import JSONReader
from meshapi_core.realtime import RealtimeCall
from meshapi_core.retries import RetryPolicy
from support.randomness import always, seeded

Event = Union[Response, Failure]

MESSAGES = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
POST = Completions.create.build(**MESSAGES)
STREAM = Completions.stream.build(**MESSAGES)
GET = Call(method="GET", path="/v1/models", reader=JSONReader(dict))


def make_response(status: int, body: bytes = b"{}", **headers: str) -> Response:
    return Response(
        status, Headers([(name.replace("_", "-"), headers[name]) for name in headers]), body
    )


def failure(
    stage: Any, *, reused: bool = False, timed_out: bool = False, silence: Optional[float] = 0.0
) -> Failure:
    if timed_out:
        return Failure(APITimeoutError("too slow", phase="read"), stage, reused, silence)
    return Failure(APIConnectionError("it broke", error_code="reset"), stage, reused, silence)


def exchange(call: Any, number: float = 0.0, **fields: Any) -> "Exchange[Any]":
    fields = {"base_url": "http://localhost:8000", "token": "rsk_test_1", **fields}
    config = MeshAPIConfig(**fields)
    return Exchange(call, config, now=0.0, random_bytes=always(number))


def run(call: Any, events: Sequence[Event], **fields: Any) -> tuple[list[Any], Any]:
    """The life of a call whose attempts end at once with these events: the actions, and the result.

    Waits are given as seconds, sends by their attempt, "again" where it is one on a fresh
    connection.
    """
    life, left, now = exchange(call, **fields), list(events), 0.0
    actions: list[Any] = []
    while True:
        try:
            action = life.next_action(now)
        except MeshAPIError as exc:
            assert left == []
            return actions, exc
        if isinstance(action, Done):
            assert left == []
            return actions, action.value
        if isinstance(action, Wait):
            actions.append(action.seconds)
            now += action.seconds
        else:
            actions.append("again" if action.fresh else action.attempt)
            life.receive(left.pop(0), now)


# The table

GOOD_TOKEN = "rsk_test_from_a_function"

EVENTS: dict[ExchangeInput, list[Any]] = {
    ExchangeInput.TOKEN: [GOOD_TOKEN, "", 7],
    ExchangeInput.REFUSED: [make_response(401)],
    ExchangeInput.GOOD: [make_response(200), make_response(201)],
    ExchangeInput.REPEATABLE: [
        make_response(429),
        make_response(503, b"<html>"),
        failure("connect"),
    ],
    ExchangeInput.DEAD: [failure("request", reused=True)],
    ExchangeInput.FINAL: [
        make_response(400),
        make_response(404),
        make_response(302, location="/elsewhere"),
        make_response(200, b"<html>"),
        failure("pool", timed_out=True),
        failure("closed"),
        failure("verify"),
        failure("request"),
        failure("request", reused=True, timed_out=True),
        failure("response"),
    ],
}


ASKING = (ExchangeInput.TOKEN, ExchangeInput.REFUSED)


def reach(
    state: ExchangeState, what: Optional[ExchangeInput] = None, now: float = 0
) -> "Exchange[Any]":
    """A call in this state, by the shortest way; WAITING lasts until 0.25 s."""
    asks = state is ExchangeState.TOKEN or what in ASKING or now == 0.125
    life = exchange(POST, timeout=Timeout(total=100), **({"token": lambda: None} if asks else {}))
    if asks and state not in (ExchangeState.READY, ExchangeState.TOKEN):
        assert isinstance(life.next_action(0), GetToken)
        life.token(GOOD_TOKEN)
    if state is not ExchangeState.READY:
        life.next_action(0)
    if state is ExchangeState.WAITING:
        life.receive(make_response(503), 0)
    elif state is ExchangeState.DONE:
        life.receive(make_response(200), 0)
    elif state is ExchangeState.FAILED:
        life.receive(make_response(400), 0)
    assert life.state is state
    return life


CASES = [
    (state, what, event, now)
    for state in ExchangeState
    for what in ExchangeInput
    for event in EVENTS.get(what, [None])
    # Where the retry would come after the deadline, here 100 s, the response is final.
    for now in ((0, 1) if what in EVENTS else (0, 0.125, 1, 1000))
]


def feed(life: "Exchange[Any]", event: Any, now: float) -> Any:
    if isinstance(event, (str, int)):
        life.token(event)
        return None
    if event is not None:
        life.receive(event, now)
        return None
    try:
        return life.next_action(now)
    except MeshAPIError as exc:
        return exc


@pytest.mark.parametrize("state", ExchangeState)
def test_every_input_in_every_state_leads_where_the_table_says_or_is_a_usage_error(state):
    for _, what, event, now in [case for case in CASES if case[0] is state]:
        life = reach(state, what, now)
        if (state, what) in TRANSITIONS:
            feed(life, event, now)
            assert life.state in TRANSITIONS[state, what], (what, event, now)
        else:
            own = (ExchangeInput.ASK, ExchangeInput.TOKEN)
            name = what.value if what in own else "receive"
            told = f"^{name}: the exchange is {state.value}; .*(next_action|receive|token)\\(\\)"
            with pytest.raises(ExchangeUsageError, match=told):
                feed(life, event, now)
            assert life.state is state


def test_every_line_of_the_table_can_happen():
    seen: dict[tuple[ExchangeState, ExchangeInput], set[ExchangeState]] = {}
    for state, what, event, now in CASES:
        if (state, what) in TRANSITIONS:
            life = reach(state, what, now)
            feed(life, event, now)
            seen.setdefault((state, what), set()).add(life.state)
    assert seen == {key: set(states) for key, states in TRANSITIONS.items()}


def test_a_usage_error_is_no_error_of_the_call():
    life = reach(ExchangeState.SENT)
    with pytest.raises(ExchangeUsageError) as caught:
        life.next_action(0)
    assert not isinstance(caught.value, MeshAPIError)
    life.receive(make_response(200), 0)
    assert isinstance(life.next_action(0), Done)


# Any life

retry_afters = st.none() | st.integers(0, 90).map(str) | st.sampled_from(["-1", "inf", "soon"])
responses = st.builds(
    lambda status, after: make_response(
        status, **({} if after is None else {"retry_after": after})
    ),
    st.sampled_from([200, 204, 302, 400, 401, 402, 404, 429, 429, 500, 502, 503, 503, 504]),
    retry_afters,
)
failures = st.builds(
    lambda stage, reused, timed_out, silence: failure(
        stage, reused=reused, timed_out=timed_out, silence=silence
    ),
    st.sampled_from(["pool", "closed", "connect", "connect", "verify", "request", "response"]),
    st.booleans(),
    st.booleans(),
    st.sampled_from([0.0, 0.1, 1.0, None]),
)


class Life(RuleBasedStateMachine):
    """Hosts that do as they are told, and some that do not, in all that can happen."""

    def __init__(self) -> None:
        super().__init__()
        self.policy = RetryPolicy(max_retries=3)
        self.call: Any = None

    def begin(self, call: Any, total: Optional[float], seed: int) -> None:
        self.call = call
        self.now = 0.0
        self.deadline = total
        config = MeshAPIConfig(token="rsk_test_1", timeout=Timeout(total=total), retry=self.policy)
        self.life: Exchange[Any] = Exchange(call, config, now=0.0, random_bytes=seeded(seed))
        self.sends: list[Send] = []
        self.resent = self.met_a_dead_one = False
        self.due = 0.0
        self.outcome: Any = None
        self.answered = False

    @precondition(lambda self: self.call is None)
    @rule(
        call=st.sampled_from([GET, POST, STREAM]),
        total=st.none() | st.floats(0.1, 200),
        seed=st.integers(0, 99),
    )
    def a_call_begins(self, call, total, seed):
        self.begin(call, total, seed)

    @precondition(lambda self: self.call is not None)
    @rule(seconds=st.floats(0, 40))
    def time_passes(self, seconds):
        self.now += seconds

    @precondition(lambda self: self.call is not None)
    @rule()
    def the_wait_is_over(self):
        self.now = max(self.now, self.due)

    @precondition(lambda self: self.call is not None and self.life.state is not ExchangeState.SENT)
    @rule()
    def the_host_asks(self):
        state = self.life.state
        action = feed(self.life, None, self.now)
        if isinstance(action, Send):
            self.check_send(action, state)
        elif isinstance(action, Wait):
            assert action.seconds > 0
            assert self.now + action.seconds == pytest.approx(self.due)
            if self.deadline is not None:
                assert self.now + action.seconds < self.deadline
        elif isinstance(action, APITimeoutError) and action.phase == "total":
            assert self.deadline is not None
            assert self.now >= self.deadline
        if self.outcome is not None:
            assert action is self.outcome, "what is final is given again"
        elif isinstance(action, (Done, MeshAPIError)):
            self.outcome = action

    def check_send(self, send: Send, state: ExchangeState) -> None:
        assert self.now >= self.due or state is ExchangeState.READY
        assert self.deadline is None or self.now < self.deadline
        assert send.deadline == self.deadline
        assert send.fresh == (self.resent and state is ExchangeState.READY)
        if self.sends:
            assert send.request is self.sends[0].request
            assert send.attempt == self.sends[-1].attempt + (not send.fresh)
        else:
            assert send.attempt == 0
        assert not self.answered or self.call is not STREAM, "an answered stream is not repeated"
        if state is ExchangeState.WAITING:
            self.resent = False
        self.sends.append(send)

    @precondition(lambda self: self.call is not None and self.life.state is ExchangeState.SENT)
    @rule(event=responses | failures)
    def something_comes(self, event):
        self.life.receive(event, self.now)
        self.answered = isinstance(event, Response)
        if self.life.state is ExchangeState.READY:
            assert not self.met_a_dead_one, "a call is repeated on a fresh connection once"
            self.resent = self.met_a_dead_one = True
        elif self.life.state is ExchangeState.WAITING:
            self.due = self.life._due
            asked = event.headers.get("retry-after", "") if isinstance(event, Response) else ""
            if asked.isdigit():
                assert self.due - self.now >= float(asked)
                assert float(asked) <= self.policy.max_retry_after
            assert self.due - self.now <= 30 + 60

    @precondition(lambda self: self.call is not None and self.life.state is ExchangeState.SENT)
    @rule()
    def the_host_asks_too_early(self):
        with pytest.raises(ExchangeUsageError):
            self.life.next_action(self.now)

    @precondition(lambda self: self.call is not None and self.life.state is not ExchangeState.SENT)
    @rule(event=responses | failures)
    def the_host_tells_what_nobody_asked(self, event):
        before = self.life.state
        with pytest.raises(ExchangeUsageError):
            self.life.receive(event, self.now)
        assert self.life.state is before

    @invariant()
    def there_are_only_so_many_attempts(self):
        if self.call is None:
            return
        firsts = [send for send in self.sends if not send.fresh]
        assert len(firsts) <= self.policy.max_retries + 1
        assert self.life.attempts == len(firsts)
        assert len(self.sends) <= len(firsts) + 1


TestLife = Life.TestCase


@given(st.lists(st.floats(0, 1000), max_size=5))
def test_a_result_is_final(times):
    done, failed = reach(ExchangeState.DONE), reach(ExchangeState.FAILED)
    result = done.next_action(0)
    with pytest.raises(MeshAPIError) as caught:
        failed.next_action(0)
    for now in times:
        assert done.next_action(now) is result
        with pytest.raises(MeshAPIError) as again:
            failed.next_action(now)
        assert again.value is caught.value


# Lives of calls, as a host sees them


def test_the_life_of_a_call_that_works_at_the_second_attempt():
    life = exchange(POST, timeout=5)
    send = life.next_action(now=100.0)
    assert isinstance(send, Send)
    assert send.request.url == "http://localhost:8000/v1/chat/completions"
    assert send.timeout == Timeout(connect=5, read=5, write=5, pool=5)
    assert (send.deadline, send.fresh, send.attempt) == (None, False, 0)

    life.receive(make_response(503, b'{"error": {"message": "busy"}}'), now=101.0)
    assert life.next_action(now=101.0) == Wait(0.25)
    assert life.next_action(now=101.125) == Wait(0.125)
    again = life.next_action(now=101.25)
    assert isinstance(again, Send)
    assert again.request is send.request
    assert again.attempt == 1

    life.receive(make_response(200, b'{"id": "c1"}', x_request_id="req_1"), now=102.0)
    done = life.next_action(now=102.0)
    assert isinstance(done, Done)
    assert (done.value.id, done.value._request_id) == ("c1", "req_1")
    assert life.attempts == 2


def test_four_attempts_and_three_waits_are_all_there_are():
    actions, error = run(POST, [make_response(503)] * 4)
    assert actions == [0, 0.25, 1, 0.5, 2, 1.0, 3]
    assert type(error) is InternalServerError


def test_no_retries_means_one_attempt():
    assert run(POST, [make_response(503)], max_retries=0)[0] == [0]


def test_a_wait_is_at_least_what_the_server_asks_for():
    """In other clients, jitter leads to retries that are too early."""
    actions, _ = run(POST, [make_response(429, retry_after="7"), make_response(200)])
    assert actions == [0, 7.0, 1]
    body = b'{"error": {"message": "m", "retry_after_seconds": 9}}'
    actions, _ = run(POST, [make_response(429, body, retry_after="7"), make_response(200)])
    assert actions == [0, 9, 1]


def test_a_date_to_come_back_at_counts_from_the_servers_clock():
    """Other clients ignore dates."""
    headers = {
        "retry_after": "Fri, 20 Nov 2026 12:00:30 GMT",
        "date": "Fri, 20 Nov 2026 12:00:00 GMT",
    }
    assert run(POST, [make_response(429, **headers), make_response(200)])[0] == [0, 30.0, 1]


@pytest.mark.parametrize("value", ["-1", "inf", "nan", "1e9", "soon", "٣"])
def test_a_wait_that_makes_no_sense_is_ignored(value):
    """In other clients some of these raise Python's own errors in the middle of a call."""
    assert run(POST, [make_response(429, retry_after=value), make_response(200)])[0] == [0, 0.25, 1]


def test_a_server_that_wants_too_long_a_wait_gets_none():
    actions, error = run(POST, [make_response(429, retry_after="61")])
    assert actions == [0]
    assert isinstance(error, RateLimitError)
    assert error.retry_after_seconds == 61


def test_money_does_not_come_back_by_waiting():
    body = b'{"error": {"code": "spend_limit_exceeded", "message": "m"}}'
    assert run(POST, [make_response(429, body)])[0] == [0]
    body = b'{"error": {"provider_code": "monthly_quota_exceeded", "message": "m"}}'
    assert run(POST, [make_response(429, body)])[0] == [0]
    assert isinstance(run(POST, [make_response(402)])[1], PaymentRequiredError)


@pytest.mark.parametrize("call", [POST, STREAM, GET])
def test_a_connection_that_cannot_be_opened_is_tried_again(call):
    """Other clients neither retry such failures nor turn them into errors of their own."""
    actions, error = run(call, [failure("connect")] * 4)
    assert actions == [0, 0.25, 1, 0.5, 2, 1.0, 3]
    assert type(error) is APIConnectionError


@pytest.mark.parametrize("call", [POST, STREAM, GET])
def test_a_dead_connection_costs_neither_an_attempt_nor_a_wait(call):
    dead = failure("request", reused=True)
    good = make_response(200, b"{}", content_type="text/event-stream")
    actions, _ = run(call, [dead, good], max_retries=0)
    assert actions == [0, "again"]


def test_a_call_may_meet_one_dead_connection():
    dead = failure("request", reused=True)
    for events, expected in (
        ([dead, dead], [0, "again"]),
        ([dead, make_response(503), dead], [0, "again", 0.25, 1]),
    ):
        actions, error = run(POST, events)
        assert actions == expected, "that the second is dead, too, is no accident"
        assert type(error) is APIConnectionError


@pytest.mark.parametrize("silence", [0.6, 2.0, None])
@pytest.mark.parametrize("call", [POST, STREAM])
def test_a_server_that_may_have_worked_does_not_get_the_request_again(call, silence):
    worked = failure("request", reused=True, silence=silence)
    actions, error = run(call, [worked])
    assert actions == [0]
    assert type(error) is APIConnectionError
    assert run(GET, [worked, make_response(200)])[0] == [0, 0.25, 1], "asking twice is harmless"


@pytest.mark.parametrize(
    "job",
    [
        Batches.create.build(requests=[{"custom_id": "1", "body": {"model": "m", "messages": []}}]),
        Videos.generate.build(model="m", content=[{"type": "text", "text": "p"}]),
        Documents.generate.build(format="pdf", prompt="p"),
        Rag.embed.build(file_ids=["f1"]),
        Responses.create.build(model="m", input="i", background=True),
        Responses.stream.build(model="m", input="i", background=True),
        Audio.transcribe.build(b"RIFF", model="m", webhook=True),
    ],
    ids=lambda job: job.path,
)
def test_what_starts_a_job_is_never_sent_again_on_a_fresh_connection(job):
    dead = failure("request", reused=True)
    actions, error = run(job, [dead])
    assert actions == [0]
    assert type(error) is APIConnectionError


def test_what_the_server_says_about_another_attempt_is_obeyed():
    actions, error = run(POST, [make_response(429, x_should_retry="false", retry_after="0")])
    assert actions == [0]
    assert error.status == 429
    actions, _ = run(
        POST, [make_response(409, x_should_retry="true", retry_after="1.5"), make_response(200)]
    )
    assert actions == [0, 1.5, 1]
    actions, _ = run(STREAM, [make_response(409, x_should_retry="true")])
    assert actions == [0]


@pytest.mark.parametrize("stage", ["request", "response"])
@pytest.mark.parametrize("timed_out", [True, False])
def test_what_the_server_may_have_begun_is_not_begun_again(stage, timed_out):
    """A POST costs money, and nobody knows whether the first one was done."""
    event = failure(stage, timed_out=timed_out)
    for call in (POST, STREAM):
        assert run(call, [event])[0] == [0]
    assert run(GET, [event, event, make_response(200)])[0] == [0, 0.25, 1, 0.5, 2]


@pytest.mark.parametrize("stage", ["pool", "closed", "verify"])
def test_what_does_not_heal_is_not_tried_again(stage):
    for call in (POST, STREAM, GET):
        assert run(call, [failure(stage)])[0] == [0]


@pytest.mark.parametrize("status", [408, 409, 425, 500, 501, 505, 529, 599])
def test_statuses_that_do_not_promise_better_are_final(status):
    """The set is a field of the policy."""
    assert run(POST, [make_response(status)])[0] == [0]
    actions, _ = run(
        POST,
        [make_response(status), make_response(200)],
        retry=RetryPolicy(statuses=frozenset({status})),
    )
    assert actions == [0, 0.25, 1]


@pytest.mark.parametrize("status", [429, 502, 503, 504])
def test_a_stream_is_not_retried_once_it_has_a_response(status):
    actions, error = run(STREAM, [make_response(status)])
    assert actions == [0]
    assert error.status == status


def test_the_result_of_a_stream_is_the_decoder_of_its_body():
    headers = {"content_type": "text/event-stream", "x_request_id": "req_1"}
    actions, decoder = run(STREAM, [make_response(200, b"", **headers)])
    assert actions == [0]
    assert isinstance(decoder, ChunkDecoder)
    assert decoder.request_id == "req_1"


@pytest.mark.parametrize(
    ("event", "kind"),
    [
        (make_response(404, b'{"detail": "no"}'), NotFoundError),
        (make_response(307, b"", location="https://elsewhere.example/"), APIStatusError),
        (make_response(200, b"<html>"), ResponseDecodeError),
        (make_response(200, b'"text"'), ResponseDecodeError),
        (make_response(204, b""), ResponseDecodeError),
        (Failure(ProtocolError("garbage"), "response"), ProtocolError),
    ],
)
def test_everything_else_is_a_typed_error_at_once(event, kind):
    """In other clients an HTML page or a redirect raises an error of the JSON module."""
    actions, error = run(POST, [event])
    assert actions == [0]
    assert isinstance(error, kind)


# An upgrade


def test_a_101_is_the_result_of_an_upgrade():
    call = RealtimeCall(model="m")
    switched = make_response(101, b"", upgrade="websocket")
    assert run(call, [switched]) == ([0], switched)
    actions, result = run(call, [make_response(503), failure("connect"), switched])
    assert result is switched
    assert [action for action in actions if isinstance(action, int)] == [0, 1, 2]


@pytest.mark.parametrize(
    ("event", "kind", "code"),
    [
        (make_response(200), ProtocolError, "handshake_status"),
        (make_response(204, b""), ProtocolError, "handshake_status"),
        (make_response(401), AuthenticationError, "unauthorized"),
        (make_response(302, location="/elsewhere"), RedirectError, "redirect"),
    ],
)
def test_other_responses_to_an_upgrade_are_errors_at_once(event, kind, code):
    actions, error = run(RealtimeCall(model="m"), [event])
    assert actions == [0]
    assert type(error) is kind
    assert error.error_code == code


def test_a_101_to_a_call_that_asked_for_a_response_is_no_response():
    """A host that passes it on is at fault; it must not be taken for an empty result."""
    actions, error = run(POST, [make_response(101, b"")])
    assert actions == [0]
    assert type(error) is APIStatusError


# The deadline of the whole call


def test_the_whole_call_has_a_deadline_that_every_attempt_is_told():
    """Other clients have none."""
    life = exchange(POST, timeout=Timeout(total=10))
    send = life.next_action(1)
    assert isinstance(send, Send)
    assert send.deadline == 10
    life.receive(make_response(503), 2)
    assert isinstance(life.next_action(2), Wait)
    again = life.next_action(5)
    assert isinstance(again, Send)
    assert again.deadline == 10


def test_a_wait_that_would_pass_the_deadline_is_no_wait():
    life = exchange(POST, timeout=Timeout(total=10))
    life.next_action(0)
    life.receive(make_response(503, retry_after="5"), 5)
    with pytest.raises(InternalServerError):
        life.next_action(5)


@pytest.mark.parametrize("state", [ExchangeState.READY, ExchangeState.WAITING])
def test_after_the_deadline_nothing_is_sent(state):
    life = reach(state)
    attempts = life.attempts
    with pytest.raises(APITimeoutError) as caught:
        life.next_action(100)
    assert (caught.value.phase, caught.value.error_code) == ("total", "total_timeout")
    assert life.attempts == attempts == (state is ExchangeState.WAITING)


def test_a_response_that_is_late_but_here_is_taken():
    life = reach(ExchangeState.SENT)
    life.receive(make_response(200), 1000)
    assert isinstance(life.next_action(1000), Done)


def test_actions_are_values():
    send = exchange(POST).next_action(0)
    assert copy.copy(send) == send == exchange(POST).next_action(0)
    assert Wait(1) == Wait(1.0)
    assert Done([1]) == Done([1])
    assert "rsk_test_1" not in repr(send)


def test_a_form_has_the_same_boundary_in_every_attempt():
    form = Multipart((("a", "b"),), (FilePart("f", FileSource("path"), "c"),))
    call = Call(method="POST", path="/v1/x", body=form, reader=JSONReader(dict))
    config = MeshAPIConfig(base_url="http://localhost:8000", token="rsk_test_1")
    life: Exchange[Any] = Exchange(call, config, now=0.0, random_bytes=seeded(1))
    first = life.next_action(0.0)
    life.receive(make_response(503), 0.0)
    second = life.next_action(1000.0)
    assert isinstance(first, Send)
    assert isinstance(second, Send)
    assert second.request is first.request


@pytest.mark.parametrize(("status", "again"), [(503, True), (429, True), (403, False)])
def test_an_upload_is_repeated_like_any_request(status, again):
    put = SignedPut(url="http://localhost:9/f?sig=1", content_type="a/b", source=FileSource(b"x"))
    life = exchange(put)
    life.next_action(0.0)
    life.receive(make_response(status), 0.0)
    assert life.state is (ExchangeState.WAITING if again else ExchangeState.FAILED)


def test_an_upload_that_broke_off_is_repeated():
    put = SignedPut(url="http://localhost:9/f?sig=1", content_type="a/b", source=FileSource(b"x"))
    for stage in ("request", "response", "connect"):
        life = exchange(put)
        life.next_action(0.0)
        life.receive(failure(stage), 0.0)
        assert life.state is ExchangeState.WAITING


# Randomness


@pytest.mark.parametrize("call", [GET, POST, STREAM])
@pytest.mark.parametrize("source", [random.random, lambda: b"", lambda size: 0.5, "no function"])
def test_a_source_of_numbers_is_refused_before_anything_is_sent(call, source):
    """With keys from `random.random`, a program that seeds it would use the same key twice."""
    config = MeshAPIConfig(token="rsk_test_1")
    with pytest.raises(TypeError, match=r"^random_bytes: expected .*; pass os\.urandom$"):
        Exchange(call, config, now=0.0, random_bytes=source)


def test_waits_are_spread_by_the_bytes_that_are_drawn():
    waits = []
    for number in (0.0, 0.5, 0.75):
        life = exchange(GET, number)
        life.next_action(0.0)
        life.receive(make_response(503), 0.0)
        waits.append(life.next_action(0.0))
    assert waits == [Wait(0.25), Wait(0.375), Wait(0.4375)]


def test_a_host_may_give_a_response_of_any_size(monkeypatch):
    monkeypatch.setattr("meshapi_core.calls.MAX_BODY_SIZE", 100)
    _, error = run(GET, [make_response(200, b'{"a":"' + b"x" * 100 + b'"}', x_request_id="r1")])
    assert isinstance(error, ResponseDecodeError)
    assert (error.error_code, error.request_id) == ("response_too_large", "r1")


def test_of_an_error_the_beginning_is_enough():
    _, error = run(
        GET, [make_response(400, b'{"error":{"message":"no"}}' + b" " * 10_000_000 + b"x")]
    )
    assert isinstance(error, APIStatusError)
    assert error.status == 400
    assert len(repr(vars(error))) < 200_000
