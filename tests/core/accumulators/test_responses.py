"""accumulators.responses: the response that the events of a stream make together."""

import pickle

from meshapi_core.accumulators.responses import ResponsesAccumulator
from meshapi_core.types.response_events import ResponseCompletedEvent, ResponseTextDeltaEvent
from support.rows.responses import ANSWER


def test_nothing_has_arrived_before_the_first_event():
    assert ResponsesAccumulator().partial() is None


def test_the_last_word_on_the_response_counts():
    accumulator = ResponsesAccumulator()
    accumulator.add(ResponseTextDeltaEvent(delta="4"))
    accumulator.add(ResponseCompletedEvent(response=ANSWER))
    assert accumulator.complete
    answer = accumulator.partial()
    assert answer is not None
    assert answer.output_text == "42"
    assert answer.x_resolved_model_id == "openai/o4-mini"


def test_a_partial_answer_does_not_change_with_what_comes_later():
    accumulator = ResponsesAccumulator()
    accumulator.add(ResponseTextDeltaEvent(delta="4"))
    first = accumulator.partial()
    accumulator.add(ResponseTextDeltaEvent(delta="2"))
    second = accumulator.partial()
    assert first is not None
    assert second is not None
    assert (first.output_text, second.output_text) == ("4", "42")


def test_the_events_themselves_are_not_kept():
    accumulator = ResponsesAccumulator()
    for _ in range(10_000):
        accumulator.add(ResponseTextDeltaEvent(delta="a", item_id="msg_1"))
    assert len(pickle.dumps(accumulator.partial())) < 11_000
    (item,) = accumulator._items.values()
    (text,) = item.texts.values()
    assert len(text.pieces) + len(text.blocks) < 128
