"""streams.chat: the events of a chat stream, and what they have in common with its response."""

import itertools
from collections.abc import Iterable
from typing import Any, Optional

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshapi_core import (
    MeshAPIError,
    ResponseDecodeError,
    StreamUsageError,
    ToolArgumentsError,
)
from meshapi_core.endpoints import ChatCompletionStream, Completions
from meshapi_core.streams import (
    ChatEvent,
    CompletionDone,
    ContentDelta,
    ContentDone,
    ReasoningDelta,
    ReasoningDone,
    RefusalDelta,
    RefusalDone,
    ToolCallDelta,
    ToolCallDone,
    UsageDone,
)
from meshapi_core.types import ChatCompletionResponse
from support import chat_streams, sse_streams
from support.decoded_streams import DecodedStream

CALL = Completions.stream.build(model="m", messages=[])
DONE = b"data: [DONE]\n\n"

whole = st.lists(chat_streams.chunks, max_size=8).map(
    lambda chunks: b"".join(chat_streams.frame(chunk) + b"\n\n" for chunk in chunks) + DONE
)
"""Streams that end well."""


def opened(*pieces: bytes) -> ChatCompletionStream:
    return ChatCompletionStream(DecodedStream(CALL, pieces))


def delta(**fields: Any) -> bytes:
    chunk = {"id": "c1", "choices": [{"index": 0, "delta": fields}]}
    return chat_streams.frame(chunk) + b"\n\n"


def part(arguments: str, **fields: Any) -> dict[str, Any]:
    name = fields.pop("name", None)
    return {**fields, "function": {"name": name, "arguments": arguments}}


def drained(events: Iterable[ChatEvent]) -> tuple[list[ChatEvent], Optional[MeshAPIError]]:
    """The events up to the end or the error."""
    seen: list[ChatEvent] = []
    try:
        for event in events:
            seen.append(event)  # noqa: PERF402 - what came before an error counts
    except MeshAPIError as exc:
        return seen, exc
    return seen, None


TEXTS: dict[type, type] = {
    ContentDelta: ContentDone,
    ReasoningDelta: ReasoningDone,
    RefusalDelta: RefusalDone,
}


@given(whole)
def test_the_deltas_put_together_are_the_whole_response(body: bytes) -> None:
    final = opened(body).get_final_completion() if b"choices" in body else None
    if final is None:
        return
    events, error = drained(opened(body).events())
    assert error is None
    assert events[-1] == CompletionDone(response=final)
    texts: dict[Any, str] = {}
    calls: dict[Any, str] = {}
    for event in events:
        if isinstance(event, (ContentDelta, ReasoningDelta, RefusalDelta)):
            key = TEXTS[type(event)], event.choice
            texts[key] = texts.get(key, "") + event.text
        elif isinstance(event, ToolCallDelta):
            at = event.choice, event.index
            calls[at] = calls.get(at, "") + event.arguments
    assert texts == {
        (type(event), event.choice): event.text
        for event in events
        if isinstance(event, (ContentDone, ReasoningDone, RefusalDone))
    }
    done = [event for event in events if isinstance(event, ToolCallDone)]
    assert calls == {(event.choice, event.index): event.arguments for event in done}
    assert [event.usage for event in events if isinstance(event, UsageDone)] == (
        [] if final.usage is None else [final.usage]
    )
    for choice in final.choices:
        of_choice = [event.tool_call for event in done if event.choice == choice.index]
        assert sorted(of_choice, key=repr) == sorted(choice.message.tool_calls or [], key=repr)


@given(st.data(), chat_streams.bodies)
def test_any_cut_of_a_body_gives_the_same_events(data: st.DataObject, body: bytes) -> None:
    events, error = drained(opened(body).events())
    pieces = data.draw(sse_streams.pieces(body))
    again, same = drained(opened(*pieces).events())
    assert again == events
    assert repr(same) == repr(error)


@given(chat_streams.bodies)
def test_what_is_left_of_a_broken_stream_is_its_error_and_what_came(body: bytes) -> None:
    stream = opened(body)
    _, error = drained(stream.events())
    if error is None or error.message.startswith("the gateway ended the stream without"):
        return
    assert stream.partial == error.partial
    for read in (stream.get_final_completion, stream.get_final_text, stream.get_final_response):
        with pytest.raises(type(error)) as caught:
            read()
        assert caught.value is error
    with pytest.raises(StreamUsageError, match="not been read to its end"):
        _ = stream.response


readers = st.lists(
    st.tuples(st.sampled_from(["chunks", "text", "events"]), st.integers(0, 4)), max_size=8
)


@given(whole, readers)
def test_readers_that_take_turns_lose_nothing_and_repeat_nothing(
    body: bytes, turns: list[tuple[str, int]]
) -> None:
    if b"choices" not in body:
        return
    final = opened(body).get_final_completion()
    stream = opened(body)
    said: list[str] = []
    done: list[ChatEvent] = []

    def note(reader: str, item: Any) -> None:
        if reader == "text":
            assert item
            said.append(item)
        elif reader == "chunks":
            said.append(item.text)
        elif isinstance(item, ContentDelta):
            said.append(item.text if item.choice == 0 else "")
        elif not isinstance(item, (ReasoningDelta, RefusalDelta, ToolCallDelta)):
            done.append(item)

    def begin(reader: str) -> Iterable[Any]:
        if reader == "chunks":
            return iter(stream)
        return iter(stream.text_stream if reader == "text" else stream.events())

    for reader, count in [*turns, ("text", 100), ("events", 100)]:
        try:
            items = begin(reader)
        except StreamUsageError:
            assert stream.complete
            continue
        for item in itertools.islice(items, count):
            note(reader, item)
    text = next((choice.message.text for choice in final.choices if choice.index == 0), "")
    # A reader of chunks passes over events that wait, and they come later.
    assert sorted("".join(said)) == sorted(text)
    if not any(reader == "chunks" for reader, _ in turns):
        assert "".join(said) == text
    whole_events, _ = drained(opened(body).events())
    assert [type(event) for event in done] == [
        type(event) for event in whole_events if type(event).__name__.endswith("Done")
    ]
    assert done[-1] == CompletionDone(response=final)
    assert stream.response == stream.get_final_response() == final


@given(whole, st.integers(0, 9))
@example(b'data: {"choices":[{"index":1,"delta":{"content":"a"}}]}\n\ndata: [DONE]\n\n', 0)
def test_the_rest_can_be_read_at_any_time(body: bytes, count: int) -> None:
    if b"choices" not in body:
        return
    stream = opened(body)
    for _ in itertools.islice(stream.events(), count):
        pass
    final = stream.get_final_completion()
    assert final == opened(body).get_final_response() == stream.response
    assert stream.get_final_text() == stream.text == final.text
    assert stream.partial == final


def test_events_of_a_response_with_everything() -> None:
    body = [
        delta(role="assistant", reasoning_content="hm", content="Hel"),
        delta(content="lo"),
        delta(tool_calls=[part("", index=0, id="a", name="f"), part("{", index=1, id="b")]),
        delta(tool_calls=[part('{"x": 1}', index=0), part("}", index=1, name="g")]),
        delta(refusal="no"),
        chat_streams.frame({"id": "c1", "choices": [], "usage": {"prompt_tokens": 3}}) + b"\n\n",
        DONE,
    ]
    stream = opened(*body)
    *events, usage, last = stream.events()
    response = stream.response
    calls = response.tool_calls
    assert events == [
        ReasoningDelta(text="hm"),
        ContentDelta(text="Hel"),
        ContentDelta(text="lo"),
        ToolCallDelta(id="a", name="f"),
        ToolCallDelta(id="b", arguments="{", index=1),
        ToolCallDelta(id="a", name="f", arguments='{"x": 1}'),
        ToolCallDelta(id="b", name="g", arguments="}", index=1),
        RefusalDelta(text="no"),
        ReasoningDone(text="hm"),
        ContentDone(text="Hello"),
        RefusalDone(text="no"),
        ToolCallDone(tool_call=calls[0]),
        ToolCallDone(tool_call=calls[1], index=1),
    ]
    assert (usage, last) == (
        UsageDone(usage=response.usage),  # type: ignore[arg-type]
        CompletionDone(response=response),
    )
    assert [event.type for event in events[:2]] == ["reasoning.delta", "content.delta"]
    done = events[-2]
    assert isinstance(done, ToolCallDone)
    assert (done.id, done.name, done.arguments) == ("a", "f", '{"x": 1}')
    assert done.parsed_arguments == {"x": 1}


def test_a_tool_call_has_one_index_however_its_beginning_was_read() -> None:
    body = [
        delta(tool_calls=[part("{", index=0, id="a", name="f")]),
        delta(tool_calls=[part("[", index=1, id="b", name="g")]),
        delta(tool_calls=[part("]", index=1)]),
        delta(tool_calls=[part("}", index=0)]),
        DONE,
    ]
    stream = opened(*body)
    for _ in itertools.islice(stream, 2):
        pass
    seen = [event for event in stream.events() if isinstance(event, (ToolCallDelta, ToolCallDone))]
    assert [(event.index, event.id, event.arguments) for event in seen] == [
        (1, "b", "]"),
        (0, "a", "}"),
        (0, "a", "{}"),
        (1, "b", "[]"),
    ]


@pytest.mark.parametrize(
    ("written", "found"),
    [("{", "no valid JSON"), ("[1]", "an array"), ('"x"', "a str"), ("nonsense", "no valid JSON")],
)
def test_arguments_that_are_no_object_are_an_error_that_shows_them(
    written: str, found: str
) -> None:
    body = delta(tool_calls=[part(written, index=0, id="a", name="look_up")])
    call = opened(body, DONE).get_final_completion().tool_calls[0]
    with pytest.raises(ToolArgumentsError, match="look_up") as caught:
        _ = call.parsed_arguments
    assert (caught.value.name, caught.value.arguments) == ("look_up", written)
    assert isinstance(caught.value, ValueError)
    assert repr(written) in str(caught.value)


@pytest.mark.parametrize("written", ["", " ", "{}"])
def test_no_arguments_are_an_empty_dict(written: str) -> None:
    body = delta(tool_calls=[part(written, index=0, id="a", name="f")])
    assert opened(body, DONE).get_final_completion().tool_calls[0].parsed_arguments == {}


def test_a_response_without_choices_has_no_text_and_no_tool_calls() -> None:
    response = ChatCompletionResponse(id="c", created=1, model="m", choices=[])
    assert (response.text, response.tool_calls) == ("", [])


def test_the_text_is_that_of_the_first_choice_even_if_the_second_begins() -> None:
    call = Completions.stream.build(model="m", messages=[], n=2)
    chunks = [
        chat_streams.frame({"choices": [{"index": index, "delta": {"content": piece}}]}) + b"\n\n"
        for index, piece in [(1, "B"), (0, "A"), (1, "b"), (0, "a")]
    ]
    stream = ChatCompletionStream(DecodedStream(call, [*chunks, DONE]))
    assert [stream.text for _ in stream] == ["", "A", "A", "Aa"]
    assert stream.get_final_text() == "Aa"


def test_a_stream_without_a_chunk_has_no_response() -> None:
    stream = opened(DONE)
    for read in (stream.get_final_text, lambda: stream.response, lambda: [*stream.events()]):
        with pytest.raises(ResponseDecodeError, match="without sending a chunk"):
            read()
    assert stream.partial is None


def test_iterating_costs_no_call_for_a_chunk() -> None:
    inner = DecodedStream(CALL, [DONE])
    assert iter(ChatCompletionStream(inner)) is inner


def test_nothing_is_read_before_it_is_asked_for() -> None:
    inner = DecodedStream(CALL, [delta(content="a"), delta(content="b"), DONE])
    stream = ChatCompletionStream(inner)
    stream.events()
    text = stream.text_stream
    assert (stream.text, stream.partial, inner.taken) == ("", None, 0)
    assert next(text) == "a"
    assert (stream.text, inner.taken) == ("a", 1)
    assert list(text) == ["b"]
