"""Values that no command can use: refused in one line, before anything is sent."""

from argparse import ArgumentTypeError
from collections.abc import Callable
from datetime import date
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshapi.cli import main, options
from meshapi.testing import LocalGateway

NUMBERS = st.one_of(
    st.text(max_size=6),
    st.integers(-(10**20), 10**20).map(str),
    st.floats().map(str),
    st.from_regex(r"[0-9]{1,12}[kKmM]?", fullmatch=True),
)


@given(text=NUMBERS)
@pytest.mark.parametrize(
    ("kind", "least", "most"),
    [
        (options.port, 0, 65_535),
        (options.positive, 1, 10**9),
        (options.count, 1, 10**9),
        (options.between(1, 10), 1, 10),
        (options.seconds, 0, 2_000_000),
        (options.amount, 0, float("inf")),
    ],
)
def test_a_number_is_within_its_limits_or_refused(
    kind: Callable[[str], float], least: float, most: float, text: str
) -> None:
    try:
        value = kind(text)
    except ArgumentTypeError as error:
        assert str(error).startswith("expected ")
    else:
        assert least <= value <= most


@given(day=st.dates())
def test_a_date_is_taken(day: date) -> None:
    assert options.day(day.isoformat()) == day.isoformat()


@given(text=st.text(max_size=12))
@example(text="2026-02-30")
@example(text="2026-11-01T00:00")
def test_what_is_no_date_is_refused(text: str) -> None:
    try:
        value = options.day(text)
    except ArgumentTypeError as error:
        assert str(error).startswith("expected a date such as 2026-11-01, got ")
    else:
        assert date.fromisoformat(value)


@pytest.mark.parametrize(
    ("line", "told"),
    [
        ("usage --since foo", "--since: expected a date such as 2026-11-01, got 'foo'"),
        ("usage --until 2026-13-45", "--until: expected a date such as 2026-11-01"),
        (
            "usage --since 2026-12-02 --until 2026-12-01",
            "--until: expected a day that is not before --since 2026-12-02, got 2026-12-01",
        ),
        ("usage --days 0", "--days: expected a whole number from 1 to"),
        ("models --limit 99999999999999999999", "--limit: expected a whole number from 1 to"),
        ("batch list --limit 99999999999999999999", "--limit: expected a whole number from 1 to"),
        ("rag list --limit x", "--limit: expected a whole number from 1 to"),
        ("rag search fox --top -1", "--top: expected a whole number from 1 to"),
        ("image fox -n 11", "-n: expected a whole number from 1 to 10, got '11'"),
        ("embed x --dimensions 0.5", "--dimensions: expected a whole number from 1 to"),
        ("map x --rpm x", "--rpm: expected a whole number from 1 to 1,000,000,000, such as 500"),
        ("map x --tpm 0.5k", "--tpm: expected a whole number from 1 to 1,000,000,000, such as"),
        ("map x --tpm 9999999M", "--tpm: expected a whole number from 1 to 1,000,000,000, such"),
        ("map x --max-cost -1", "--max-cost: expected a number of at least 0, got '-1'"),
        ("map x --max-tokens 99999999999", "--max-tokens: expected a whole number from 1 to"),
        ("map x --concurrency 0", "--concurrency: expected a whole number from 1 to"),
        ("batch wait x --limit 0", "--limit: expected a number of seconds above 0, at most"),
        ("chat hi --timeout nan", "--timeout: expected a number of seconds above 0, at most"),
        (
            "chat hi --timeout 1e300",
            "--timeout: expected a number of seconds above 0, at most 2,000,000",
        ),
        ("gateway --port 99999", "--port: expected a whole number from 0 to 65,535, got '99999'"),
        ("gateway --port -1", "--port: expected a whole number from 0 to 65,535, got '-1'"),
        ("gateway --pace nan", "--pace: expected a number of at least 0, got 'nan'"),
        ("gateway --rpm 0", "--rpm: expected a whole number from 1 to 1,000,000,000, such as"),
        ("gateway --tpm -5", "--tpm: expected a whole number from 1 to 1,000,000,000, such as"),
        ("speak hi -o talk.ogg", "--output: expected a name that ends with .mp3, .wav,"),
    ],
)
def test_a_value_that_cannot_be_used_is_refused_in_one_line(
    gateway: LocalGateway, capfd: Any, line: str, told: str
) -> None:
    assert main(line.split()) == 2
    out, error = capfd.readouterr()
    assert out == ""
    assert error.startswith(f"meshapi: {told}")
    assert error.count("\n") == 1
    assert gateway.requests == []
