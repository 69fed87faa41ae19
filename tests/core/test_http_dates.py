from email.utils import formatdate

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshapi_core.http_dates import parse_http_date

# The years of four digits, so that every form of a date can say it.
unix_seconds = st.integers(-62135596800, 253402300799)


@given(unix_seconds)
@example(0)
@example(951782400)  # 29 February 2000
def test_an_http_date_survives_the_round_trip(number):
    text = formatdate(number, usegmt=True)
    assert parse_http_date(text) == number


@given(st.integers(0, 3155759999))  # 1970 to 2069, where the obsolete form is unambiguous
def test_the_three_forms_of_a_date_mean_the_same(number):
    day_name, day, month, year, time, _ = formatdate(number, usegmt=True).split()
    names = {"Tue,": "Tues", "Wed,": "Wednes", "Thu,": "Thurs", "Sat,": "Satur"}
    long_name = names.get(day_name, day_name[:3]) + "day"
    assert parse_http_date(f"{long_name}, {day}-{month}-{year[2:]} {time} GMT") == number
    padded = f"{int(day):2d}"
    assert parse_http_date(f"{day_name[:3]} {month} {padded} {time} {year}") == number


@given(st.text())
def test_any_text_is_a_date_or_none(text):
    parse_http_date(text)


@pytest.mark.parametrize(
    "text",
    [
        "Sun, 06 Nov 1994 08:49:37 GMT",
        "Sunday, 06-Nov-94 08:49:37 GMT",
        "Sun Nov  6 08:49:37 1994",
    ],
)
def test_the_standards_own_examples_are_read(text):
    assert parse_http_date(text) == 784111777


def test_a_leap_second_is_the_next_second():
    assert parse_http_date("Sat, 31 Dec 2016 23:59:60 GMT") == parse_http_date(
        "Sun, 01 Jan 2017 00:00:00 GMT"
    )


def test_years_of_two_digits_lie_between_1970_and_2069():
    assert parse_http_date("Thursday, 01-Jan-70 00:00:00 GMT") == 0
    assert parse_http_date("Tuesday, 31-Dec-69 23:59:59 GMT") == 3155759999
