"""accumulators.tool_calls: each part goes to the call that it belongs to."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.accumulators.chat import ChatAccumulator
from meshapi_core.accumulators.tool_calls import ToolCalls
from meshapi_core.codec.decoding import decode
from meshapi_core.types._base import attach
from meshapi_core.types.chat import ChatCompletionChunk, ToolCall, ToolCallChunk
from support.metas import meta_with


def calls_of(*raw: list[dict[str, Any]]) -> list[tuple[str, str, str]]:
    """ID, name and arguments of the calls made from deltas with these parts."""
    return [(call.id, call.function.name, call.function.arguments) for call in made_of(*raw)]


def made_of(*raw: list[dict[str, Any]]) -> list[ToolCall]:
    calls = ToolCalls()
    for pieces in raw:
        calls.add(received(pieces))
    return calls.value()


def received(pieces: list[dict[str, Any]]) -> list[ToolCallChunk]:
    sent = {"choices": [{"delta": {"tool_calls": pieces}}]}
    (choice,) = ChatCompletionChunk.model_validate_json(json.dumps(sent)).choices
    return choice.delta.tool_calls or []


def piece(index: Any = None, id: Any = None, name: Any = None, arguments: Any = "") -> Any:  # noqa: A002
    function = {"name": name, "arguments": arguments}
    made = {"index": index, "id": id, "function": function}
    return {key: value for key, value in made.items() if value is not None}


Calls = list[tuple[str, str, list[str]]]
_pieces = st.lists(
    st.sampled_from(["", "{", '"a": ', "1", "}", "\U0001f600"]), min_size=1, max_size=4
)
_true_calls: "st.SearchStrategy[Calls]" = st.lists(
    st.tuples(st.sampled_from("abcdef"), st.sampled_from(["f", "g"]), _pieces),
    min_size=1,
    max_size=4,
    unique_by=lambda call: call[0],
)


def one_after_the_other(calls: Calls, write: Any) -> list[list[Any]]:
    return [[write(i, call, k)] for i, call in enumerate(calls) for k in range(len(call[2]))]


def by_turns(calls: Calls, write: Any) -> list[list[Any]]:
    """The first parts of all calls, then the second ones, each in a separate delta."""
    longest = max(len(call[2]) for call in calls)
    return [
        [write(i, call, k)]
        for k in range(longest)
        for i, call in enumerate(calls)
        if k < len(call[2])
    ]


def side_by_side(calls: Calls, write: Any) -> list[list[Any]]:
    """All the first parts in one delta, and so on; each call has the same number."""
    longest = max(len(call[2]) for call in calls)
    even = [(*call[:2], call[2] + [""] * (longest - len(call[2]))) for call in calls]
    return [[write(i, call, k) for i, call in enumerate(even)] for k in range(longest)]


def first(k: int, value: Any) -> Any:
    return value if k == 0 else None


# How gateways write the k-th part of the i-th call, and the orders in which its call is clear.
STYLES: dict[str, tuple[Any, list[Any]]] = {
    "as OpenAI does": (
        lambda i, c, k: piece(i, first(k, c[0]), first(k, c[1]), c[2][k]),
        [one_after_the_other, by_turns, side_by_side],
    ),
    "id and name in each": (
        lambda i, c, k: piece(i, c[0], c[1], c[2][k]),
        [one_after_the_other, by_turns, side_by_side],
    ),
    "the index as text": (
        lambda i, c, k: piece(str(i), first(k, c[0]), first(k, c[1]), c[2][k]),
        [one_after_the_other, by_turns, side_by_side],
    ),
    "all at index 0": (
        lambda i, c, k: piece(0, first(k, c[0]), first(k, c[1]), c[2][k]),
        [one_after_the_other],
    ),
    "all at index 0 under ids": (
        lambda i, c, k: piece(0, c[0], first(k, c[1]), c[2][k]),
        [one_after_the_other, by_turns, side_by_side],
    ),
    "no index, the id in the first": (
        lambda i, c, k: piece(None, first(k, c[0]), first(k, c[1]), c[2][k]),
        [one_after_the_other, side_by_side],
    ),
    "no index, the id in each": (
        lambda i, c, k: piece(None, c[0], c[1], c[2][k]),
        [one_after_the_other, by_turns, side_by_side],
    ),
    "the id at the end": (
        lambda i, c, k: piece(i, c[0] if k == len(c[2]) - 1 else None, first(k, c[1]), c[2][k]),
        [one_after_the_other, by_turns, side_by_side],
    ),
}


@given(_true_calls, st.sampled_from(list(STYLES)), st.data())
def test_tool_calls_are_put_together_however_a_gateway_writes_them(calls, style, data):
    write, orders = STYLES[style]
    order = data.draw(st.sampled_from(orders))
    assert calls_of(*order(calls, write)) == [(*call[:2], "".join(call[2])) for call in calls]


by_index = st.sampled_from([style for style in STYLES if not style.startswith("all at index 0")])


@given(_true_calls, by_index, st.data())
def test_a_program_may_put_them_together_by_the_index(calls, style, data):
    """As programs for OpenAI do; a gateway that leaves the index out would break them."""
    write, orders = STYLES[style]
    made, together = ToolCalls(), dict[int, str]()
    for raw in data.draw(st.sampled_from(orders))(calls, write):
        pieces = received(raw)
        made.add(pieces)
        for each in pieces:
            arguments = each.function.arguments if each.function else None
            together[each.index] = together.get(each.index, "") + (arguments or "")
    assert [together[index] for index in range(len(calls))] == [
        call.function.arguments for call in made.value()
    ]


def test_the_index_that_is_given_to_a_piece_is_not_in_raw():
    body = b'{"choices":[{"delta":{"tool_calls":[{"id":"c","function":{"name":"f"}}]}}]}'
    chunk = attach(decode(body, msgspec.json.Decoder(ChatCompletionChunk)), body, meta_with(""))
    ChatAccumulator().add(chunk)
    (each,) = chunk.choices[0].delta.tool_calls or []
    assert each.index == 0
    assert chunk.raw == json.loads(body)


class TestCallsWithoutIds:
    def test_another_name_at_the_same_index_is_another_call(self):
        assert calls_of([piece(0, None, "f", "1")], [piece(0, None, "g", "2")]) == [
            ("", "f", "1"),
            ("", "g", "2"),
        ]

    def test_the_same_name_again_goes_on_with_the_call(self):
        assert calls_of([piece(0, None, "f", "1")], [piece(0, None, "f", "2")]) == [("", "f", "12")]

    @pytest.mark.parametrize("index", [0, None])
    def test_the_same_name_twice_in_one_delta_is_two_calls(self, index):
        delta = [piece(index, None, "f", "1"), piece(index, None, "f", "2")]
        assert calls_of(delta) == [("", "f", "1"), ("", "f", "2")]

    def test_a_piece_with_nothing_but_arguments_goes_on_with_the_last_call(self):
        pieces = [[piece(1, "a", "f", "1")], [piece(0, "b", "g", "2")], [piece(arguments="3")]]
        assert calls_of(*pieces) == [("b", "g", "23"), ("a", "f", "1")]

    def test_the_index_that_only_the_first_piece_lacks_is_its_place(self):
        assert calls_of([piece(None, "a", "f", "1")], [piece(0, None, None, "2")]) == [
            ("a", "f", "12")
        ]


def test_a_call_of_another_type_keeps_it():
    (call,) = made_of([{"index": 0, "id": "c", "type": "custom"}])
    assert call.type == "custom"
