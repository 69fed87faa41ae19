"""What may be chosen about a session, and what can't."""

import pytest
from fuzz_realtime import REQUEST, SWITCH

from meshapi_core.realtime import RealtimeMessage, RealtimeOptions, Reconnect
from meshapi_core.retries import RetryPolicy
from support.websocket_frames import text


def test_options_are_those_of_the_machine():
    connection = RealtimeOptions(
        max_message_size=3, ping_interval=1.0, ping_timeout=None
    ).connection()
    connection.connect(REQUEST)
    connection.receive_data(SWITCH + text("abc") + text("abcd"))
    assert connection.next_event() == RealtimeMessage("abc")
    assert connection.next_event().code == 1009


@pytest.mark.parametrize(
    ("field", "value", "kind"),
    [
        ("raise_errors", 1, TypeError),
        ("raise_errors", None, TypeError),
        ("reconnect", True, TypeError),
        ("reconnect", 3, TypeError),
        ("max_message_size", 0, ValueError),
        ("max_message_size", None, TypeError),
        ("max_message_size", 1.5, TypeError),
        ("ping_interval", 0, ValueError),
        ("ping_interval", "1", TypeError),
        ("ping_timeout", -1, ValueError),
        ("ping_timeout", float("nan"), ValueError),
        ("close_timeout", None, TypeError),
        ("close_timeout", 0, ValueError),
    ],
)
def test_an_option_that_cannot_be_used_is_refused_by_its_name(field, value, kind):
    with pytest.raises(kind, match=f"^{field}: expected"):
        RealtimeOptions(**{field: value})


@pytest.mark.parametrize(
    ("fields", "kind"),
    [
        ({"attempts": 0}, ValueError),
        ({"attempts": True}, TypeError),
        ({"attempts": 1.5}, TypeError),
        ({"retry": 3}, TypeError),
    ],
)
def test_a_reconnection_that_cannot_be_used_is_refused(fields, kind):
    with pytest.raises(kind, match=f"^{next(iter(fields))}: expected"):
        Reconnect(**fields)


def test_only_ends_that_may_not_come_again_lead_to_a_reconnection():
    assert Reconnect().codes == {1006, 1011, 1012, 1013, 1014}
    assert Reconnect(retry=RetryPolicy(), codes=frozenset({1000})).codes == {1000}


@pytest.mark.parametrize("timeout", [None, 0, 0.0, 5, 0.1])
def test_a_time_to_wait_may_be_none_nothing_or_seconds(timeout):
    assert RealtimeOptions.check_timeout(timeout) is None


@pytest.mark.parametrize("timeout", [-1, "1", True, float("inf")])
def test_other_times_to_wait_are_refused(timeout):
    with pytest.raises((TypeError, ValueError), match=r"^timeout: expected"):
        RealtimeOptions.check_timeout(timeout)


@pytest.mark.parametrize("codes", [1006, None, "1006", {"x"}, {True}, {7}, [1006, None]])
def test_invalid_codes_are_refused_when_they_are_given(codes):
    with pytest.raises((TypeError, ValueError), match="codes: expected"):
        Reconnect(codes=codes)


def test_codes_may_be_any_set_or_list():
    for codes in ({1006, 1011}, [1011, 1006], (1006, 1011)):
        assert Reconnect(codes=codes).codes == frozenset({1006, 1011})
