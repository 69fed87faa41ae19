import os
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.randomness import drawn, number
from support.randomness import always

RANDOM = "random_bytes: expected a function that returns as many random bytes as it is asked for"


@given(st.integers(0, 64))
def test_as_many_bytes_are_drawn_as_are_asked_for(size):
    assert len(drawn(os.urandom, size)) == size


@given(st.binary(min_size=7, max_size=7))
def test_a_number_is_at_least_0_and_less_than_1(given_bytes):
    assert 0 <= number(lambda size: given_bytes[:size]) < 1


@given(st.floats(0, 1, exclude_max=True))
def test_every_number_of_53_bits_can_be_drawn(wanted):
    assert number(always(wanted)) == int(wanted * 2**53) / 2**53


@pytest.mark.parametrize(
    ("source", "got"),
    [
        (random.random, r"random \(.*takes no arguments.*\)"),
        (random.Random(1).random, r"random \(.*takes no arguments.*\)"),
        (lambda size: 0.5, r".*lambda.* \(float\)"),
        (lambda size: bytearray(size), r".*lambda.* \(bytearray\)"),
        (lambda size: b"x", r".*lambda.* \(1 bytes for 13\)"),
        (None, r"NoneType \(.*not callable.*\)"),
    ],
)
def test_what_gives_no_bytes_is_refused_by_its_name(source, got):
    with pytest.raises(TypeError, match=RANDOM + rf", got .*{got}; pass os\.urandom$"):
        drawn(source, 13)


def test_what_goes_wrong_in_the_source_itself_is_its_own_error():
    def broken(size: int) -> bytes:
        raise OSError("no entropy")

    with pytest.raises(OSError, match="no entropy"):
        drawn(broken, 13)
