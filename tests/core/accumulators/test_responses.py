"""accumulators.responses: puts the events of a stream together into a response."""

import pickle

from meshapi_core.accumulators.responses import ResponsesAccumulator
from meshapi_core.types._base import attach
from meshapi_core.types.response_events import ResponseCompletedEvent, ResponseTextDeltaEvent
from support.metas import meta_with
from support.rows.responses import RESPONSE


def test_nothing_has_arrived_before_the_first_event():
    assert ResponsesAccumulator().partial() is None


def test_the_last_word_on_the_response_counts():
    accumulator = ResponsesAccumulator()
    accumulator.add(ResponseTextDeltaEvent(delta="4"))
    accumulator.add(ResponseCompletedEvent(response=RESPONSE))
    assert accumulator.complete
    response = accumulator.partial()
    assert response is not None
    assert response.output_text == "42"
    assert response.x_resolved_model_id == "openai/o4-mini"


def test_further_fields_are_those_that_came_and_nothing_was_sent_for_the_whole():
    accumulator = ResponsesAccumulator()
    accumulator.add(ResponseCompletedEvent(response={"id": "resp_1", "new": 1}))
    response = accumulator.partial()
    assert response is not None
    assert (response.model_extra, response.raw) == ({"new": 1}, None)


def test_what_is_attached_to_a_response_that_was_put_together_is_its_raw_form():
    """It was None once the response had been asked for its unknown fields."""
    accumulator = ResponsesAccumulator()
    accumulator.add(ResponseCompletedEvent(response={"id": "resp_1"}))
    response = accumulator.partial()
    assert response is not None
    assert response.model_extra == {}
    assert attach(response, b'{"id": "resp_1"}', meta_with("req_1")).raw == {"id": "resp_1"}


def test_a_partial_response_does_not_change_with_what_comes_later():
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
