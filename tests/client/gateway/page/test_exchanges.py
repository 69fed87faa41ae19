"""The exchanges that the page shows: their bounds, and which belong together."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi.gateway.page import exchanges
from meshapi.gateway.page.exchanges import Exchange, ExchangeLog

KEY = [(b"idempotency-key", b"one")]


def begin(log: ExchangeLog, now: float = 0.0, body: bytes = b"{}", **options: object) -> Exchange:
    headers = options.get("headers", [])
    assert isinstance(headers, list)
    exchange = log.begin(now, "POST", "/v1/chat/completions", "", headers)
    log.receive(exchange, body, ended=True)
    return exchange


def finish(log: ExchangeLog, exchange: Exchange, status: int, state: str = "complete") -> None:
    log.respond(exchange, exchange.began + 0.1, status, [])
    log.end(exchange, exchange.began + 0.2, state)


@given(st.lists(st.tuples(st.integers(0, 3_000_000), st.integers(0, 3_000_000)), max_size=12))
def test_what_is_kept_has_bounds(sizes: list[tuple[int, int]]) -> None:
    log = ExchangeLog("rsk_test")
    for sent, received in sizes:
        exchange = begin(log, body=bytes(sent))
        for _ in range(3):
            log.add(exchange, 0.0, bytes(received))
        details = log.details(exchange.number)
        assert details is not None
        assert details["body_size"] == sent
        assert details["size"] == 3 * received
        assert exchange.kept <= 2 * exchanges.MOST_OF_BODY + 1000
    assert log._kept == sum(one.kept for one in log._exchanges) <= exchanges.MOST_BYTES


@pytest.mark.parametrize("ended", ["cleared", "dropped"])
def test_what_is_not_shown_any_more_takes_no_room(
    ended: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(exchanges, "MOST_BYTES", 10_000)
    log = ExchangeLog("rsk_test")
    open_one = begin(log)
    if ended == "cleared":
        log.clear()
    else:
        begin(log, body=bytes(20_000))
    for _ in range(100):
        log.add(open_one, 0.0, bytes(1000))
        log.receive(open_one, bytes(1000), ended=False)
    log.respond(open_one, 0.0, 200, KEY)
    begin(log)
    begin(log)
    assert len(log.since(0)[2]) == 2
    assert (len(open_one.body), len(open_one.pieces)) == (2, 0)


def test_thousands_of_headers_and_pieces_are_counted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(exchanges, "MOST_BYTES", 100_000)
    log = ExchangeLog("rsk_test")
    for _ in range(5):
        begin(log, headers=[(b"a", b"")] * 300)
    assert len(log.since(0)[2]) == 1
    for _ in range(5):
        exchange = begin(log)
        for _ in range(300):
            log.add(exchange, 0.0, b"x")
    assert len(log.since(0)[2]) == 1


def test_the_oldest_go_first() -> None:
    log = ExchangeLog("rsk_test")
    for _ in range(exchanges.MOST_EXCHANGES + 7):
        begin(log)
    _, oldest, lines = log.since(0)
    assert (oldest, len(lines)) == (8, exchanges.MOST_EXCHANGES)
    assert log.details(7) is None


def test_a_response_of_many_pieces_keeps_the_first() -> None:
    log = ExchangeLog("rsk_test")
    exchange = begin(log)
    for _ in range(exchanges.MOST_CHUNKS + 50):
        log.add(exchange, 0.0, b"x")
    assert len(exchange.pieces) == exchanges.MOST_CHUNKS + 1
    assert sum(piece.size for piece in exchange.pieces) == exchanges.MOST_CHUNKS + 50


def test_attempts_with_one_key_are_one_call() -> None:
    log = ExchangeLog("rsk_test")
    first = begin(log, headers=KEY)
    finish(log, first, 429)
    other = begin(log)
    second = begin(log, headers=KEY)
    assert (second.call, second.attempt) == (first.number, 2)
    assert (other.call, other.attempt) == (other.number, 1)


def test_without_a_key_the_same_request_after_a_failure_is_a_retry() -> None:
    log = ExchangeLog("rsk_test")
    first = begin(log)
    finish(log, first, 503)
    second = begin(log, 1.0)
    finish(log, second, 200)
    third = begin(log, 2.0)
    assert (second.call, second.attempt) == (first.number, 2)
    assert (third.call, third.attempt) == (third.number, 1)


def test_only_what_changed_is_told() -> None:
    log = ExchangeLog("rsk_test")
    first, second = begin(log), begin(log)
    version, _, _ = log.since(0)
    log.respond(first, 0.5, 200, [])
    assert [line["number"] for line in log.since(version)[2]] == [first.number]
    log.clear()
    version, oldest, lines = log.since(version)
    assert (oldest, lines) == (second.number + 1, [])


@pytest.mark.parametrize(
    ("body", "about"),
    [
        (b'{"messages": [{"role": "user", "content": "What is\\n 2+2?"}]}', "What is 2+2?"),
        (b'{"messages": [{"role": "user", "content": "%b"}]}' % (b"ab " * 90), ("ab " * 40)[:-1]),
        (b'{"input": ["a cat", "a dog"]}', "a cat a dog"),
        (b'{"prompt": "\\ud800"}', "?"),
        (b'{"prompt": "rsk_test_x"}', "\u2022\u2022\u2022"),
        (b'{"prompt": "%brsk_test_x"}' % (b"a " * 58), "a " * 58 + "\u2022\u2022\u2022"),
        (b'{"messages": 5}', ""),
        (b'{"messages": [', ""),
        (b"[" * 100_000, ""),
        (b"\xff", ""),
    ],
)
def test_the_text_of_a_request_stands_in_its_line(body: bytes, about: str) -> None:
    log = ExchangeLog("rsk_test_x")
    exchange = log.begin(0.0, "POST", "/v1/chat/completions", "", [])
    log.receive(exchange, body, ended=True)
    (line,) = log.since(0)[2]
    assert line["about"] == about


def test_the_model_is_found_in_json_queries_and_forms() -> None:
    log = ExchangeLog("rsk_test")
    form = b'--x\r\nContent-Disposition: form-data; name="model"\r\n\r\nopenai/whisper-1\r\n--x--'
    for body, model in (
        (b'{"messages": [], "model": "openai/gpt-4o-mini"}', "openai/gpt-4o-mini"),
        (form, "openai/whisper-1"),
        (b"", ""),
    ):
        assert begin(log, body=body).model == model
    # A session has no body: its query says it all.
    session = log.begin(0.0, "REALTIME", "/v1/realtime", "model=openai%2Fgpt-realtime", [])
    assert session.model == "openai/gpt-realtime"
