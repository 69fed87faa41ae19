import copy
import math
import pickle
import traceback
from typing import Any

import msgspec
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st

from meshapi_core._secret import Secret
from meshapi_core.config import Limits, MeshAPIConfig, Timeout
from meshapi_core.retries import RetryPolicy

TOKEN = "rsk_test_0123456789abcdef"
PHASES = ("connect", "read", "write", "pool", "idle", "total")


def config(**fields: Any) -> MeshAPIConfig:
    return MeshAPIConfig(**{"token": TOKEN, **fields})


# The token


@given(st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1))
def test_every_token_that_a_header_can_carry_is_kept(text):
    token: Any = config(token=text).token
    assert token.reveal() == text
    assert config(token=token).token == text


@given(st.text(), st.characters(), st.text())
@example("", "\n", "")
@example("", " ", "")
@example("", "\x7f", "")
@example("", "é", "")
@example("", "\ud800", "")
def test_a_token_that_would_break_its_header_is_refused_without_being_shown(before, odd, after):
    assume(not "!" <= odd <= "~")
    with pytest.raises(ValueError, match="token: ") as caught:
        config(token=before + TOKEN + odd + after)
    assert TOKEN not in shown(caught.value)


@pytest.mark.parametrize("token", [None, 7, b"rsk_test_1", ["rsk_test_1"]])
def test_a_token_is_text(token):
    with pytest.raises(TypeError, match=f"token: expected str, got {type(token).__name__}"):
        config(token=token)


@pytest.mark.parametrize("wrap", [str.encode, lambda t: bytearray(t.encode()), lambda t: [t]])
def test_a_token_that_is_no_text_is_not_shown_either(wrap):
    with pytest.raises(TypeError) as caught:
        config(token=wrap(TOKEN))
    assert TOKEN not in shown(caught.value)


@pytest.mark.parametrize("token", ["", f"{TOKEN}\n", f" {TOKEN}", f"{TOKEN}\r\nX: y", f"{TOKEN}\0"])
def test_a_token_from_a_file_or_a_shell_is_not_silently_repaired(token):
    with pytest.raises(ValueError, match="token: "):
        config(token=token)


def test_nothing_shows_the_token_of_a_configuration():
    """The repr of the official configuration printed it."""
    value = config(base_url="http://localhost:8000")
    for text in (repr(value), str(value), f"{value}", repr([value]), repr(value.token)):
        assert TOKEN not in text
    assert value.token.reveal() == TOKEN  # type: ignore[attr-defined]


@pytest.mark.parametrize(
    "fields", [{"base_url": "ftp://x"}, {"timeout": -1}, {"max_retries": -1}, {"retry": 3}]
)
def test_no_refusal_shows_the_token(fields):
    with pytest.raises((TypeError, ValueError)) as caught:
        config(**fields)
    assert TOKEN not in shown(caught.value)


def shown(exc: BaseException) -> str:
    """What error trackers collect: the locals of each frame in the library."""
    stack = traceback.TracebackException.from_exception(exc, capture_locals=True)
    inside = [frame for frame in stack.stack if "meshapi_core" in frame.filename]
    return str(exc) + "".join(map(repr, (frame.locals for frame in inside)))


# Time limits

odd_seconds = st.one_of(
    st.floats(max_value=0),
    st.sampled_from([math.nan, math.inf, -math.inf, 0, -1, 2_000_001, 10**400, 10**5000]),
)


@given(st.floats(0, 2_000_000, exclude_min=True) | st.integers(1, 2_000_000) | st.none())
def test_a_number_is_a_limit_for_each_phase_and_none_for_the_whole(seconds):
    limits = Timeout.of(seconds)
    assert limits == Timeout(connect=seconds, read=seconds, write=seconds, pool=seconds)
    assert limits.idle is limits.total is None
    assert config(timeout=seconds).time_limits == limits
    assert config(timeout=limits).time_limits is limits


@given(st.sampled_from(PHASES), odd_seconds)
def test_a_limit_that_no_clock_can_keep_is_refused_by_its_name(phase, seconds):
    with pytest.raises(ValueError, match=f"timeout.{phase}: "):
        Timeout(**{phase: seconds})
    with pytest.raises(ValueError, match="timeout: "):
        config(timeout=seconds)


@pytest.mark.parametrize("seconds", ["1", True, [1], b"1"])
def test_a_limit_is_a_number(seconds):
    with pytest.raises(TypeError, match="timeout"):
        Timeout(read=seconds)
    with pytest.raises(TypeError, match="timeout"):
        config(timeout=seconds)


def test_limits_of_phases_may_differ():
    limits = Timeout(connect=1, total=None, idle=5.5)
    assert (limits.connect, limits.read, limits.idle, limits.total) == (1, 60.0, 5.5, None)


# Connections


@pytest.mark.parametrize(
    ("fields", "error"),
    [
        ({"max_connections": 0}, ValueError),
        ({"max_connections": -1}, ValueError),
        ({"max_connections": 1.5}, TypeError),
        ({"max_connections": True}, TypeError),
        ({"max_connections": None}, TypeError),
        ({"max_keepalive": -1}, ValueError),
        ({"max_keepalive": "1"}, TypeError),
        ({"keepalive_expiry": 0}, ValueError),
        ({"keepalive_expiry": -1.0}, ValueError),
        ({"keepalive_expiry": math.nan}, ValueError),
        ({"keepalive_expiry": None}, TypeError),
    ],
)
def test_limits_that_no_pool_can_keep_are_refused_by_name(fields, error):
    with pytest.raises(error, match=f"limits.{next(iter(fields))}: "):
        Limits(**fields)


def test_no_connection_need_be_kept():
    assert Limits(max_keepalive=0).max_keepalive == 0


# Retries


def test_a_count_of_retries_is_a_policy_and_a_policy_wins():
    assert config(max_retries=1).retry_policy == RetryPolicy(max_retries=1)
    policy = RetryPolicy(max_retries=7)
    assert config(max_retries=1, retry=policy).retry_policy is policy
    assert config(max_retries=1, retry=policy).max_retries == policy.max_retries


@pytest.mark.parametrize(
    ("count", "error"), [(-1, ValueError), (1.0, TypeError), (True, TypeError)]
)
def test_a_count_of_retries_that_makes_no_sense_is_refused_at_once(count, error):
    """In another client -1 ended in RuntimeError("unreachable") in the middle of a call."""
    with pytest.raises(error, match="max_retries"):
        config(max_retries=count)


def test_a_policy_is_a_policy():
    with pytest.raises(TypeError, match="retry: expected RetryPolicy"):
        config(retry=3)


# The value


def test_a_configuration_is_a_value():
    value = config(timeout=5, max_retries=2)
    assert value == config(timeout=Timeout.of(5), retry=RetryPolicy(max_retries=2), max_retries=2)
    for copied in (copy.copy(value), copy.deepcopy(value)):
        assert copied == value
        assert type(copied.token) is Secret
    with pytest.raises(AttributeError):
        value.token = "other"  # type: ignore[misc]


def test_extras_are_extras():
    with pytest.raises(TypeError, match="extras: expected Extras, got dict"):
        MeshAPIConfig(token="rsk_test_1", extras={"headers": {}})


def test_what_a_config_works_out_is_worked_out_once_and_changes_nothing_else():
    config = MeshAPIConfig(token="rsk_test_1", base_url="https://one.example", max_retries=1)
    untouched = MeshAPIConfig(token="rsk_test_1", base_url="https://one.example", max_retries=1)
    kept = (config.location, config.time_limits, config.retry_policy)
    assert all(
        once is again
        for once, again in zip(kept, (config.location, config.time_limits, config.retry_policy))
    )
    assert config == untouched
    assert repr(config) == repr(untouched)
    other = msgspec.structs.replace(
        config, base_url="https://two.example", max_retries=2, retry=None
    )
    assert other.location.origin.host == "two.example"
    assert other.retry_policy.max_retries == 2
    assert copy.deepcopy(config).location == config.location
    with pytest.raises(TypeError, match=r"^a MeshAPIConfig cannot be pickled, .*settings\(\)$"):
        pickle.dumps(config)
