import pytest

from meshapi_core.durations import parse_duration


@pytest.mark.parametrize(
    ("text", "seconds"),
    [
        ("1s", 1),
        ("6m0s", 360),
        ("20ms", 0.02),
        ("1h2m3.5s", 3723.5),
        ("2d", 172800),
        (" 7.66s ", 7.66),
        ("1m", 60),
        ("", None),
        ("5", None),
        ("-1s", None),
        ("1s2h", 7201),
        ("1e5s", None),
        ("1h-", None),
        ("1 H, 30 Minutes", 5400),
        ("1m" * 33, None),
        ("9" * 10 + "s", None),
    ],
)
def test_a_duration_is_read_in_any_unit_and_order(text, seconds):
    assert parse_duration(text) == (None if seconds is None else pytest.approx(seconds))
