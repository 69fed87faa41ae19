"""What one gateway remembers."""

from meshapi.gateway.footprint import footprint
from meshapi.gateway.state import GatewayState


def test_turns_are_counted_for_each_key_until_there_are_too_many() -> None:
    state = GatewayState("rsk_test_state", 0)
    assert [state.next_turn("a") for _ in range(3)] == [0, 1, 2]
    assert state.next_turn("b") == 0
    for number in range(10_000):
        assert state.next_turn(f"key {number}") == 0
    # The oldest are forgotten.
    assert state.next_turn("a") == 0
    assert state.next_turn("key 9999") == 1


def test_turns_are_counted_for_texts_of_any_length() -> None:
    state = GatewayState("rsk_test", 0)
    long, other = "x" * 1_000_000, "x" * 999_999 + "y"
    assert [state.next_turn(key) for key in (long, other, long)] == [0, 0, 1]
    assert footprint(state._turns) < 10_000
