"""The life of a session: its table, random lives, and what a host sees of reconnecting."""

from typing import Any, Optional, Union

import pytest
from fuzz_realtime import KEY
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from meshapi_core.config import MeshAPIConfig, Timeout
from meshapi_core.errors import (
    APIConnectionError,
    APITimeoutError,
    AuthenticationError,
    InternalServerError,
    MeshAPIError,
    ProtocolError,
    RateLimitError,
    RealtimeConnectionClosed,
    RealtimeError,
)
from meshapi_core.headers import Headers
from meshapi_core.machines.actions import GetToken
from meshapi_core.machines.exchange import ExchangeUsageError, Send, Wait
from meshapi_core.messages import Failure, Response
from meshapi_core.realtime import (
    RealtimeCall,
    RealtimeConnection,
    RealtimeMessage,
    Reconnect,
    Reconnected,
)
from meshapi_core.realtime.session import (
    TRANSITIONS,
    RealtimeConnected,
    RealtimeExchange,
    SessionInput,
    SessionState,
    error_code_of,
)
from meshapi_core.realtime.waits import no_message, not_sent
from meshapi_core.retries import RetryPolicy
from meshapi_core.websocket.closing import Closed
from support.randomness import always, seeded
from support.websocket_frames import accept

TOKEN = "rsk_test_session"
CALL = RealtimeCall(model="m")
# Delays without a random part (see `session`): 1, 2, 4 seconds.
POLICY = RetryPolicy(max_retries=2, initial_delay=2.0, max_delay=64.0)
AGAIN = Reconnect(attempts=3, retry=POLICY)

LOST = Closed(1006, error_code="disconnected")


def session(
    reconnect: Optional[Reconnect] = AGAIN, number: float = 0.0, **fields: Any
) -> RealtimeExchange:
    config = MeshAPIConfig(
        base_url="http://localhost:8000", **{"token": TOKEN, "retry": POLICY, **fields}
    )
    return RealtimeExchange(CALL, config, reconnect, now=0.0, random_bytes=always(number))


def switched(action: Send, **fields: str) -> Response:
    """The 101 for an upgrade."""
    key = dict(action.request.headers)["sec-websocket-key"]
    response = {
        "upgrade": "websocket",
        "connection": "Upgrade",
        "sec-websocket-accept": accept(key),
    }
    return Response(101, Headers({**response, **fields}))


def refused(status: int, code: str = "", **headers: str) -> Response:
    body = b'{"error":{"code":"%s","message":"No."}}' % code.encode()
    names = {name.replace("_", "-"): value for name, value in headers.items()}
    return Response(status, Headers(names), body)


def failure(stage: Any = "connect") -> Failure:
    return Failure(APIConnectionError("it broke", error_code="reset"), stage)


def message(kind: str, **members: Any) -> RealtimeMessage:
    return RealtimeMessage(event={"type": kind, **members})


NO_MONEY = message("error", error={"code": "insufficient_quota", "message": "no"})


def sent(life: RealtimeExchange, now: float) -> Send:
    action = life.next_action(now)
    assert isinstance(action, Send), action
    return action


def connect(life: RealtimeExchange, now: float = 0.0) -> RealtimeConnected:
    life.receive(switched(sent(life, now)), now)
    action = life.next_action(now)
    assert isinstance(action, RealtimeConnected), action
    return action


# The table


def reach(state: SessionState, *, again: bool, poor: bool = False) -> RealtimeExchange:
    """A session in this state: on its first or second connection; with or without balance."""
    life = session(timeout=Timeout(total=100))
    if again:
        connect(life)
        life.lost(LOST, 0.0)
        assert life.state is SessionState.CONNECTING
        if state is not SessionState.CONNECTING:
            assert life.next_action(0.0) == Wait(1.0)
    if state is SessionState.UPGRADING:
        sent(life, 1.0)
    elif state is SessionState.OPEN:
        connect(life, 1.0)
    elif state is SessionState.OVER:
        sent(life, 1.0)
        life.receive(refused(401), 1.0)
    if poor:
        life.memory.note_received(NO_MONEY)
    assert life.state is state
    return life


Told = Union[None, str, Closed, Response, Failure]

EVENTS: dict[SessionInput, list[Told]] = {
    SessionInput.ASK: [None],
    SessionInput.TOKEN: ["token"],
    SessionInput.CONNECTED: ["connected", "101"],
    SessionInput.REPEATABLE: [refused(503), refused(429), failure(), failure("request")],
    SessionInput.FINAL: [
        refused(401),
        refused(503, "insufficient_quota"),
        refused(200),
        failure("verify"),
        failure("closed"),
        Response(101, Headers()),
        Failure(ProtocolError("wrong", error_code="handshake_accept"), "response"),
    ],
    SessionInput.INTERRUPTED: ["interrupted"],
    SessionInput.LOST: [
        Closed(1011, clean=True),
        Closed(1000, clean=True),
        Closed(4402, clean=True),
    ],
    SessionInput.LOST_AGAIN: [LOST],
    SessionInput.CLOSE: ["close", "client"],
}

CASES = [
    (state, again, poor, what, event, now)
    for state in SessionState
    for again in (False, True)
    for poor in (False, True)
    for what in SessionInput
    for event in EVENTS[what]
    for now in (0.5, 1.0, 1000.0)
    # Without an earlier connection, there is no end to report again.
    if not (what is SessionInput.LOST_AGAIN and not again)
    # Where the token is known, it is not asked for.
    if not (what is SessionInput.TOKEN and state is SessionState.CONNECTING)
    # A retry that would come after the total time limit is final.
    if not (what is SessionInput.REPEATABLE and now > 1.0)
]


def feed(life: RealtimeExchange, event: Told, now: float) -> None:
    if event is None:
        try:
            life.next_action(now)
        except MeshAPIError as exc:
            assert life.state is SessionState.OVER
            assert str(exc) == str(life.error)
    elif isinstance(event, Closed):
        life.lost(event, now)
    elif event == "token":
        life.token("rsk_test_2")
    elif event == "interrupted":
        life.interrupted(now)
    elif event == "connected":
        life.connected(now)
    elif event == "101":
        action = life._attempts._exchange.request
        assert action is not None
        life.receive(switched(Send(action, Timeout())), now)
    elif isinstance(event, str):
        life.close(by_client=event == "client")
    else:
        life.receive(event, now)


def states_after() -> dict[tuple[SessionState, SessionInput], set[SessionState]]:
    seen: dict[tuple[SessionState, SessionInput], set[SessionState]] = {}
    for state, again, poor, what, event, now in CASES:
        if event == "101" and state is not SessionState.UPGRADING:
            continue
        life = reach(state, again=again, poor=poor)
        case = (state, again, poor, what, event, now)
        if (state, what) in TRANSITIONS:
            feed(life, event, now)
            seen.setdefault((state, what), set()).add(life.state)
            assert life.state in TRANSITIONS[state, what], case
        else:
            with pytest.raises(ExchangeUsageError, match=f"the session is {state.value}"):
                feed(life, event, now)
            assert life.state is state, case
        assert (life.error is None) == (life.state is not SessionState.OVER), case
    asking = session(token=lambda: "rsk_test_2")
    assert isinstance(asking.next_action(0.0), GetToken)
    feed(asking, "token", 0.0)
    seen[asking.state, SessionInput.TOKEN] = {asking.state}
    return seen


def test_each_series_of_attempts_asks_for_a_token():
    life = session(token=lambda: "rsk_test_2")
    for number, token in enumerate(("rsk_test_first_1", "rsk_test_second_2")):
        action: Any = life.next_action(0.0)
        if isinstance(action, Wait):
            action = life.next_action(action.seconds)
        assert isinstance(action, GetToken)
        assert not action.again
        life.token(token)
        send = sent(life, 1.0)
        assert token in str.__str__(send.request.target)
        life.receive(switched(send), 1.0)
        assert isinstance(life.next_action(1.0), RealtimeConnected)
        life.lost(LOST if number == 0 else Closed(1012, clean=True), 1.0)


def test_a_refused_upgrade_is_sent_again_with_another_token():
    life = session(token=lambda: "rsk_test_2", retry=RetryPolicy(max_retries=0))
    assert isinstance(life.next_action(0.0), GetToken)
    life.token("rsk_test_first_1")
    first = sent(life, 0.0)
    life.receive(refused(401), 0.0)
    action = life.next_action(0.0)
    assert isinstance(action, GetToken)
    assert action.again
    life.interrupted(0.0)
    assert isinstance(life.next_action(0.0), GetToken)
    life.token("rsk_test_second_2")
    second = sent(life, 0.0)
    plain = [str.__str__(send.request.target) for send in (first, second)]
    assert plain[0].replace("first_1", "second_2") == plain[1]
    assert first.request.headers == second.request.headers
    life.receive(refused(401), 0.0)
    with pytest.raises(MeshAPIError):
        life.next_action(0.0)


def test_a_token_that_was_not_asked_for_is_a_usage_error():
    life = session()
    with pytest.raises(ExchangeUsageError):
        life.token("rsk_test_2")
    connect(life)
    life.lost(LOST, 0.0)
    with pytest.raises(ExchangeUsageError):
        life.token("rsk_test_2")


def test_the_retry_quota_is_for_the_first_connection_only():
    from threading import Lock

    from meshapi_core.retry_quota import RetryQuota

    quota = RetryQuota(Lock)
    policy = RetryPolicy(max_retries=5, quota=14)
    life = session(retry=policy, retry_quota=quota)
    sent(life, 0.0)
    life.receive(refused(503), 0.0)
    assert quota.taken
    connect(life, 10.0)
    assert not quota.taken
    life.lost(LOST, 10.0)
    for now in (20.0, 30.0):
        sent(life, now)
        life.receive(refused(503), now)
    assert not quota.taken
    assert life.error is None


def test_every_input_in_every_state_leads_where_the_table_says_or_is_a_usage_error():
    """And every line of the table can happen."""
    assert states_after() == {key: set(states) for key, states in TRANSITIONS.items()}


def test_the_end_is_the_end():
    assert all(TRANSITIONS[SessionState.OVER, what] == {SessionState.OVER} for what in SessionInput)
    assert {state for state, _ in TRANSITIONS} == set(SessionState)


# Random lives

ENDS = [1000, 1001, 1005, 1006, 1008, 1011, 1012, 4402]
RECEIVED = [message("session.created"), message("response.done"), NO_MONEY]


class Life(RuleBasedStateMachine):
    """Hosts that follow the rules, and are interrupted, against everything that can happen."""

    def __init__(self) -> None:
        super().__init__()
        self.life: Any = None

    @precondition(lambda self: self.life is None)
    @rule(
        attempts=st.integers(1, 4),
        reconnects=st.booleans(),
        total=st.none() | st.floats(0.1, 200),
        seed=st.integers(0, 99),
    )
    def a_session_begins(self, attempts, reconnects, total, seed):
        self.reconnect = Reconnect(attempts=attempts) if reconnects else None
        config = MeshAPIConfig(token=TOKEN, timeout=Timeout(total=total), max_retries=2)
        self.life = RealtimeExchange(
            CALL, config, self.reconnect, now=0.0, random_bytes=seeded(seed)
        )
        self.now = 0.0
        self.action: Any = None
        self.most = 3
        # Attempts since the last response, without interrupted ones.
        self.counted = 0
        self.sent_update = self.connections = 0
        self.last: Optional[Closed] = None
        self.over: Any = None

    def ask(self) -> None:
        try:
            self.action = self.life.next_action(self.now)
        except MeshAPIError as exc:
            self.action, self.over = None, exc
            assert self.life.state is SessionState.OVER

    @precondition(lambda self: self.life is not None)
    @rule(seconds=st.floats(0, 40))
    def time_passes(self, seconds):
        self.now += seconds

    @precondition(lambda self: self.life is not None and not isinstance(self.action, Send))
    @rule()
    def the_host_asks(self):
        before = self.action if isinstance(self.action, Wait) else None
        self.ask()
        if isinstance(self.action, Wait):
            assert self.action.seconds > 0
            assert before is None or self.action.seconds <= before.seconds
        elif isinstance(self.action, Send):
            self.counted += 1
            assert self.counted <= self.most, "more attempts than there may be"

    @precondition(lambda self: self.life is not None and isinstance(self.action, Wait))
    @rule()
    def the_wait_is_over(self):
        self.now += self.action.seconds
        self.action = None
        self.ask()
        assert not isinstance(self.action, Wait)
        if isinstance(self.action, Send):
            self.counted += 1
            assert self.counted <= self.most

    @precondition(lambda self: isinstance(getattr(self, "action", None), Send))
    @rule(status=st.sampled_from([101, 101, 401, 429, 503, 503]))
    def an_answer_comes(self, status):
        response = switched(self.action) if status == 101 else refused(status)
        self.life.receive(response, self.now)
        self.action = None
        if status == 101:
            self.action = self.life.next_action(self.now)
            assert isinstance(self.action, RealtimeConnected)
            self.check_connected(self.action)

    def check_connected(self, action: RealtimeConnected) -> None:
        self.connections += 1
        assert (action.event is None) == (self.connections == 1)
        if action.event is None:
            self.counted = 0
            self.most = 0 if self.reconnect is None else self.reconnect.attempts
            assert action.first is None
        else:
            assert self.last is not None
            assert action.event.code == self.last.code
            assert (action.first is not None) == bool(self.sent_update)

    @precondition(lambda self: isinstance(getattr(self, "action", None), Send))
    @rule(stage=st.sampled_from(["connect", "connect", "verify", "request", "response"]))
    def an_attempt_fails(self, stage):
        self.life.receive(failure(stage), self.now)
        self.action = None

    @precondition(lambda self: self.life is not None)
    @rule()
    def the_host_is_interrupted(self):
        if isinstance(self.action, Send):
            self.counted -= 1
            self.action = None
        if not isinstance(self.action, RealtimeConnected):
            self.life.interrupted(self.now)
            self.action = None

    @precondition(lambda self: isinstance(getattr(self, "action", None), RealtimeConnected))
    @rule(event=st.sampled_from(RECEIVED))
    def a_message_comes(self, event):
        self.life.memory.note_received(event)
        if event.type == "response.done":
            self.counted = 0

    @precondition(lambda self: isinstance(getattr(self, "action", None), RealtimeConnected))
    @rule()
    def the_session_is_configured(self):
        self.life.memory.note_sent({"type": "session.update", "session": {"voice": "v"}})
        self.sent_update += 1

    @precondition(lambda self: isinstance(getattr(self, "action", None), RealtimeConnected))
    @rule(code=st.sampled_from(ENDS))
    def the_connection_ends(self, code):
        self.last = Closed(code, clean=code != 1006)
        last = self.life.is_last(self.last)
        self.life.lost(self.last, self.now)
        self.life.lost(self.last, self.now + 1)
        assert last == (self.life.state is SessionState.OVER) == self.life.is_last(self.last)
        worth_it = self.reconnect is not None and code in self.reconnect.codes
        assert worth_it or last
        self.action = None

    @precondition(lambda self: self.life is not None)
    @rule(by_client=st.booleans())
    def this_side_closes(self, by_client):
        self.life.close(by_client=by_client)
        assert self.life.state is SessionState.OVER
        self.action = None

    @precondition(lambda self: self.life is not None and self.life.state is SessionState.OVER)
    @rule(
        what=st.sampled_from(
            [
                what
                for what in SessionInput
                if what not in (SessionInput.LOST_AGAIN, SessionInput.TOKEN)
            ]
        )
    )
    def things_are_told_after_the_end(self, what):
        for event in EVENTS[what]:
            if event != "101":
                feed(self.life, event, self.now)
        self.ask()
        assert self.over is not None

    @invariant()
    def the_error_is_there_when_the_session_is_over(self):
        if self.life is not None:
            error = self.life.error
            assert (error is not None) == (self.life.state is SessionState.OVER)
            if self.connections and error is not None:
                assert isinstance(error, RealtimeConnectionClosed)
            assert self.life.memory.failures <= max(self.most, 2)


TestLife = Life.TestCase


# What a host sees


def test_a_session_is_connected_again_with_its_configuration():
    life = session()
    assert connect(life) == RealtimeConnected()
    life.memory.note_sent({"type": "session.update", "session": {"instructions": "short"}})
    life.memory.note_sent({"type": "response.create"})
    closed = Closed(1012, "restarting", clean=True)
    assert not life.is_last(closed)
    life.lost(closed, 10.0)
    assert life.next_action(10.25) == Wait(0.75)
    first = sent(life, 11.0)
    life.receive(refused(503), 11.0)
    assert life.next_action(11.0) == Wait(1.0)
    second = sent(life, 12.0)
    assert first.request == second.request, "the key is drawn once for all attempts"
    life.receive(switched(second), 12.0)
    action = life.next_action(12.0)
    assert action == RealtimeConnected(
        Reconnected(code=1012, reason="restarting", attempts=2),
        '{"type":"session.update","session":{"type":"realtime","instructions":"short"}}',
    )
    assert life.next_action(99.0) is action


def delays(life: RealtimeExchange, *lives: Union[Closed, Response]) -> list[float]:
    """Seconds from each loss or refusal to the next attempt; connects unless it is refused."""
    now, found = 0.0, []
    connect(life)
    for end in lives:
        if isinstance(end, Closed):
            life.lost(end, now)
        else:
            life.receive(end, now)
        action = life.next_action(now)
        seconds = action.seconds if isinstance(action, Wait) else 0.0
        found.append(seconds)
        now += seconds
        upgrade = sent(life, now)
        if isinstance(end, Closed) and len(found) < len(lives):
            following = lives[len(found)]
            if isinstance(following, Response):
                continue
        life.receive(switched(upgrade), now)
    return found


def test_connections_that_bring_no_response_wait_longer_and_longer():
    ends = [Closed(1011, clean=True) for _ in range(3)]
    life = session()
    assert delays(life, *ends) == [1.0, 2.0, 4.0]
    assert life.memory.failures == 3
    last = Closed(1011, "the last", clean=True)
    assert life.is_last(last)
    life.lost(last, 100.0)
    with pytest.raises(
        RealtimeConnectionClosed, match=r"code 1011: the last \(connection_closed"
    ) as caught:
        life.next_action(100.0)
    assert caught.value.__cause__ is None
    answered = session()
    assert delays(answered, *ends) == [1.0, 2.0, 4.0]
    answered.memory.note_received(message("response.created"))
    answered.lost(LOST, 100.0)
    assert answered.next_action(100.0) == Wait(1.0)


def test_the_waits_are_spread_and_end_with_the_attempts():
    life = session(number=0.5)
    connect(life)
    life.lost(LOST, 0.0)
    assert life.next_action(0.0) == Wait(1.5)
    now = 1.5
    for seconds in (1.5, 3.0, None):
        sent(life, now)
        life.receive(failure(), now)
        if seconds is not None:
            assert life.next_action(now) == Wait(seconds)
            now += seconds
    text = r"code 1006: the connection was lost; reconnecting failed: it broke \("
    for _ in range(2):
        with pytest.raises(RealtimeConnectionClosed, match=text) as caught:
            life.next_action(now)
        assert isinstance(caught.value.__cause__, APIConnectionError)
        assert (caught.value.code, caught.value.reason) == (1006, "")
    assert life.is_last(LOST)


def test_the_first_connection_has_the_retries_of_the_configuration_and_its_own_error():
    life = session(Reconnect(attempts=9))
    now = 0.0
    for seconds in (1.0, 2.0):
        sent(life, now)
        life.receive(refused(503), now)
        assert life.next_action(now) == Wait(seconds)
        now += seconds
    sent(life, now)
    life.receive(refused(503, "busy"), now)
    for _ in range(2):
        with pytest.raises(InternalServerError) as caught:
            life.next_action(now)
        assert (caught.value.error_code, caught.value.__cause__) == ("busy", None)


def test_what_a_gateway_asks_for_is_waited():
    life = session()
    sent(life, 0.0)
    life.receive(refused(429, retry_after="7"), 0.0)
    assert life.next_action(0.0) == Wait(7.0)


@pytest.mark.parametrize(
    ("response", "error", "seconds"),
    [
        (refused(401), AuthenticationError, None),
        (refused(429, retry_after="7"), RateLimitError, 7.0),
        (refused(503), InternalServerError, 1.0),
        (refused(503, "insufficient_quota"), InternalServerError, None),
        (refused(503, x_should_retry="false"), InternalServerError, None),
        (refused(500), InternalServerError, None),
        (refused(500, x_should_retry="true"), InternalServerError, 1.0),
    ],
)
def test_an_upgrade_that_a_connection_made_is_judged_as_its_response(response, error, seconds):
    """Whether the host passes the response, or the error that `RealtimeConnection` makes of it."""
    by_response, by_error = session(), session()
    sent(by_response, 0.0)
    by_response.receive(response, 0.0)
    connection = RealtimeConnection()
    connection.connect(sent(by_error, 0.0).request, 0.0)
    fields = "".join(f"{name}: {value}\r\n" for name, value in response.headers.items())
    head = f"HTTP/1.1 {response.status} \r\n{fields}Content-Length: {len(response.body)}\r\n\r\n"
    connection.receive_data(head.encode() + response.body)
    with pytest.raises(error) as caught:
        connection.next_event()
    by_error.receive(Failure(caught.value, "response"), 0.0)
    for life in (by_response, by_error):
        if seconds is not None:
            assert life.next_action(0.0) == Wait(seconds)
            continue
        with pytest.raises(error) as final:
            life.next_action(0.0)
        assert final.value.message == caught.value.message
    if seconds is None:
        assert by_error.error is caught.value


def test_an_upgrade_that_is_not_answered_in_time_is_made_again():
    life = session()
    connection = RealtimeConnection()
    connection.connect(sent(life, 0.0).request, 0.0)
    connection.handle_timer(connection.timer)
    with pytest.raises(APITimeoutError) as caught:
        connection.next_event()
    life.receive(Failure(caught.value, "request"), 60.0)
    assert life.next_action(60.0) == Wait(1.0)
    connection = RealtimeConnection()
    upgrade = sent(life, 61.0)
    connection.connect(upgrade.request, 61.0)
    head = "".join(f"{name}: {text}\r\n" for name, text in switched(upgrade).headers.items())
    connection.receive_data(f"HTTP/1.1 101 \r\n{head}\r\n".encode())
    connection.next_event()
    assert connection.is_open
    life.connected(61.0)
    assert life.next_action(61.0) == RealtimeConnected()


@pytest.mark.parametrize("wrong", ["response", "failure"])
def test_a_101_that_is_wrong_is_not_repeated(wrong):
    life = session()
    upgrade = sent(life, 0.0)
    response = switched(upgrade, **{"sec-websocket-accept": accept(KEY), "x-echo": TOKEN})
    if wrong == "response":
        life.receive(response, 0.0)
    else:
        error = ProtocolError("the key does not fit", error_code="handshake_accept")
        life.receive(Failure(error, "response"), 0.0)
    with pytest.raises(ProtocolError) as caught:
        life.next_action(0.0)
    assert caught.value.error_code == "handshake_accept"
    assert TOKEN not in str(vars(caught.value))


def test_the_time_for_a_call_is_that_of_each_series_of_attempts():
    life = session(timeout=Timeout(total=10.0))
    connect(life)
    life.lost(LOST, 1000.0)
    upgrade = sent(life, 1001.0)
    assert upgrade.deadline == 1011.0
    life.receive(failure(), 1005.0)
    with pytest.raises(
        RealtimeConnectionClosed, match="the whole call took longer than 10 s"
    ) as caught:
        life.next_action(1011.0)
    assert isinstance(caught.value.__cause__, APITimeoutError)


def test_whoever_waits_too_long_gets_an_error_that_says_for_what():
    for error, phase, said in (
        (no_message(0.5), "read", "no message arrived within 0.5 s"),
        (
            no_message(3, "response.done"),
            "read",
            "no message of type 'response.done' arrived within 3 s",
        ),
        (not_sent(60.0), "write", "the event could not be sent within 60.0 s"),
    ):
        assert (type(error), error.phase, error.message) == (APITimeoutError, phase, said)


def test_how_a_connection_broke_is_called_as_a_call_would_call_it():
    assert error_code_of(ConnectionResetError(104, "reset by peer")) == "reset"


@pytest.mark.parametrize(
    ("closed", "is_normal"),
    [
        (Closed(1000, "", clean=True), True),
        (Closed(1005, "", clean=True), True),
        (Closed(1011, "overloaded", clean=True), False),
        (Closed(1006, ""), False),
        (None, False),
    ],
)
def test_a_loop_just_ends_where_the_gateway_closed_as_it_should(closed, is_normal):
    life = session()
    connect(life)
    error = RealtimeConnectionClosed(1006, "", error_code="disconnected")
    assert life.is_normal_end(error, closed) is is_normal
    life.close(by_client=True)
    assert life.is_normal_end(error, closed) is is_normal


def test_a_loop_just_ends_where_the_program_has_closed_the_session():
    life = session()
    connect(life)
    life.close()
    error = RealtimeConnectionClosed(1006, "", error_code="disconnected")
    assert life.is_normal_end(error, None)
    assert life.is_normal_end(error, Closed(1006, ""))
    # An error event is not an end.
    assert not life.is_normal_end(RealtimeError("x", "no"), Closed(1000, "", clean=True))


# Interruptions


@given(st.lists(st.sampled_from(["wait", "attempt", "nothing"]), max_size=6))
def test_interruptions_add_no_attempts_and_take_none_away(interruptions):
    life = session()
    connect(life)
    life.lost(LOST, 0.0)
    now, made = 0.0, 0
    left = list(interruptions)
    while life.state is not SessionState.OVER:
        what = left.pop(0) if left else "nothing"
        action = life.next_action(now)
        if what == "wait" and isinstance(action, Wait):
            life.interrupted(now)
            assert life.next_action(now) == action, "the same wait goes on"
        if isinstance(action, Wait):
            now += action.seconds
            action = sent(life, now)
        if what == "attempt":
            life.interrupted(now)
            continue
        made += 1
        life.receive(failure(), now)
    assert made == AGAIN.attempts


def test_an_attempt_that_was_broken_off_comes_again_after_the_same_delay():
    life = session()
    connect(life)
    life.lost(LOST, 0.0)
    sent(life, 1.0)
    life.receive(failure(), 1.0)
    assert life.next_action(1.0) == Wait(1.0)
    sent(life, 2.0)
    life.interrupted(2.5)
    # One has failed; the interrupted one does not count.
    assert life.next_action(2.5) == Wait(2.0)
    connected = connect(life, 4.5)
    assert connected.event == Reconnected(code=1006, attempts=2)


def test_the_first_attempt_is_made_again_at_once():
    life = session()
    sent(life, 0.0)
    life.receive(failure(), 0.0)
    sent(life, 1.0)
    life.interrupted(1.5)
    sent(life, 1.5)
    life.receive(failure(), 1.5)
    assert isinstance(life.next_action(1.5), Wait)
    sent(life, 50.0)
    life.receive(failure(), 50.0)
    with pytest.raises(APIConnectionError, match="it broke"):
        life.next_action(50.0)


def test_attempts_at_the_first_connection_do_not_count_for_another():
    life = session()
    sent(life, 0.0)
    life.receive(failure(), 0.0)
    sent(life, 1.0)
    life.interrupted(1.0)
    connect(life, 1.0)
    life.lost(LOST, 2.0)
    assert life.next_action(2.0) == Wait(1.0)


def test_a_connection_that_was_given_up_unused_does_not_count():
    life = session(Reconnect(attempts=1, retry=POLICY))
    connect(life)
    life.lost(LOST, 0.0)
    connect(life, 1.0)
    assert not life.is_last(LOST), "it was followed by this one, which was the last attempt"
    life.interrupted(1.0)
    assert not life.is_last(LOST)
    assert life.next_action(1.0) == Wait(1.0)
    assert connect(life, 2.0).event == Reconnected(code=1006, attempts=1)


# Closing


def test_closing_ends_it_wherever_it_is():
    for state in (SessionState.CONNECTING, SessionState.UPGRADING, SessionState.OPEN):
        life = reach(state, again=False)
        life.close()
        with pytest.raises(RealtimeConnectionClosed, match="code 1000: closed by this side"):
            life.next_action(1.0)
        if state is SessionState.UPGRADING:
            life.receive(refused(503), 1.0)
            life.connected(1.0)
        assert life.is_last(LOST)


def test_how_a_connection_ended_that_this_side_closed_is_the_error():
    life = reach(SessionState.OPEN, again=True)
    life.close()
    reason = "the peer did not respond to the close"
    life.lost(Closed(1006, reason, error_code="disconnected"), 2.0)
    with pytest.raises(RealtimeConnectionClosed, match=f"code 1006: {reason}"):
        life.next_action(2.0)


def test_closing_while_it_connects_again_leaves_the_error_of_the_end():
    life = reach(SessionState.CONNECTING, again=True)
    life.close()
    with pytest.raises(RealtimeConnectionClosed, match="code 1006: the connection was lost"):
        life.next_action(2.0)


@pytest.mark.parametrize("connected", [True, False])
def test_what_is_told_after_the_end_changes_no_error(connected):
    life = session(None)
    if connected:
        connect(life)
        life.lost(Closed(1011, "busy", clean=True), 0.0)
    else:
        sent(life, 0.0)
        life.receive(refused(401, "invalid_api_key"), 0.0)
    before = str(life.error)
    life.lost(LOST, 1.0)
    life.close()
    assert str(life.error) == before


@pytest.mark.parametrize("clean", [True, False])
@pytest.mark.parametrize("told", ["before", "after", "never"])
def test_closing_the_client_is_the_error_unless_the_gateway_said_something(clean, told):
    life = reach(SessionState.OPEN, again=False)
    closed = Closed(1011, "busy", clean=clean, headers=Headers({"x-request-id": "req_1"}))
    if told == "before":
        life.lost(closed, 2.0)
    life.close(by_client=True)
    if told == "after":
        life.lost(closed, 2.0)
    with pytest.raises(RealtimeConnectionClosed) as caught:
        life.next_action(2.0)
    error = caught.value
    if clean and told != "never":
        assert (error.code, error.reason, error.error_code) == (1011, "busy", "connection_closed")
    else:
        assert error.code == (1006 if told == "never" else 1011)
        assert (error.reason, error.error_code) == ("the client was closed", "client_closed")
    assert error.request_id == ("" if told == "never" else "req_1")
