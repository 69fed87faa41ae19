from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.envelopes.loose_json import abridged, is_blank
from support.error_bodies import envelopes

blanks = st.recursive(
    st.sampled_from([None, "", " ", False, 0, 0.0]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=6,
)


@given(blanks, st.text(min_size=1))
def test_a_value_that_says_nothing_is_blank_at_any_depth(value, key):
    assert is_blank(value)
    assert is_blank({key: [value, value]})
    for other in (1, True, "x", -0.5):
        assert not is_blank(other)
        assert not is_blank([value, {key: other}])


def test_a_value_too_deep_to_look_through_is_not_blank():
    value: Any = None
    for _ in range(10_000):
        value = [value]
    assert not is_blank(value)


@given(envelopes, st.integers(0, 20), st.integers(0, 20))
def test_a_copy_has_at_most_as_many_values_as_there_is_room_for(value, longest, values):
    copied = abridged(value, longest, values)
    assert count(copied) <= values
    assert abridged(value, 10**6) == value or "nan" in repr(value)


def count(value: Any) -> int:
    if isinstance(value, (dict, list)):
        inner = value.values() if isinstance(value, dict) else value
        return len(value) + sum(map(count, inner))
    return 0


def test_values_are_kept_in_their_order():
    assert abridged([["aa", "b"], {"cc": ["d"]}, "e"], 1, 5) == [["a", "b"], {"c": []}]
    assert abridged({"a": 1, "b": 2}, 1, 1) == {"a": 1}
    assert abridged([1, 2], 1, 0) == []
