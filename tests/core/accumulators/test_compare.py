"""accumulators.compare: puts the events of a stream together into a comparison."""

from meshapi_core.accumulators.compare import CompareAccumulator
from meshapi_core.types.compare import CompareStreamEvent
from support.rows.compare import JUDGED, VALUE, values


def test_there_is_no_response_before_the_first_event():
    assert CompareAccumulator().partial() is None


def test_a_whole_stream_puts_together_what_a_response_has():
    accumulator = CompareAccumulator()
    for event in values(JUDGED):
        assert not accumulator.complete
        accumulator.add(event)
    assert accumulator.complete
    response = accumulator.partial()
    assert response is not None
    # No event has either of these.
    response.created, response.comparison_usage = VALUE.created, VALUE.comparison_usage
    assert response == VALUE


def test_a_partial_response_does_not_change_with_what_comes_later():
    accumulator = CompareAccumulator()
    accumulator.add(CompareStreamEvent(event="model_chunk", model="a", delta="4"))
    first = accumulator.partial()
    accumulator.add(CompareStreamEvent(event="model_chunk", model="a", delta="2"))
    second = accumulator.partial()
    assert first is not None
    assert second is not None
    assert [first.results[0].content, second.results[0].content] == ["4", "42"]
