"""chunks.decoder: every input in every state leads where the table says."""

import itertools
from collections.abc import Callable
from typing import Any, Optional

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.accumulators.chat import ChatAccumulator
from meshapi_core.chunks.decoder import TRANSITIONS, ChunkDecoder, DecoderInput, DecoderState
from meshapi_core.endpoints.chat import Completions
from meshapi_core.errors import APIConnectionError, APITimeoutError, MeshAPIError
from meshapi_core.headers import Headers
from meshapi_core.messages import Failure
from meshapi_core.signals import END_OF_STREAM
from meshapi_core.types.chat import ChatCompletionChunk

READER: Any = Completions.stream.build(messages=[{"role": "user", "content": "hi"}]).reader
Decoder = ChunkDecoder[ChatCompletionChunk]
Step = Callable[[Decoder], object]


class Contented(ChatAccumulator):
    """An accumulator of a service whose streams may end anywhere, even before they begin."""

    complete = True


def decoder(accumulator: type[ChatAccumulator], content_type: str) -> Decoder:
    return ChunkDecoder(
        msgspec.json.Decoder(ChatCompletionChunk),
        accumulator(),
        headers=Headers([("content-type", content_type)]),
        from_response=READER.from_response,
        marker=READER.marker,
    )


def frame(text: str, finish_reason: str = "null") -> bytes:
    choice = f'{{"delta": {{"content": "{text}"}}, "finish_reason": {finish_reason}}}'
    return f'data: {{"choices": [{choice}]}}\n\n'.encode()


CHUNK, LAST, DONE = frame("a"), frame("b", '"stop"'), b"data: [DONE]\n\n"
ERROR = b'data: {"error": {"message": "it broke"}}\n\n'
PIECES = [
    b" ",
    b": hi\n\n",
    b"dat",
    CHUNK,
    CHUNK + CHUNK,
    LAST,
    DONE,
    ERROR,
    b"data: {\n\n",
    b"event: ping\n\n",
    b'{"choices": [{"message": {"content": "a"}}]}',
    b'{"choices": [',
    b"<html>",
    b"<html><title>Sign in</title>",
    b"upstream connect error ",
    b"x" * 600,
]


def give(data: bytes) -> Step:
    return lambda reader: reader.receive_data(data)


def fail(kind: str) -> Step:
    errors: dict[str, Failure] = {
        "reset": Failure(APIConnectionError("reset", error_code="reset"), "response"),
        "timeout": Failure(APITimeoutError("too slow", phase="read"), "response"),
        "closed": Failure(APIConnectionError("closed", error_code="client_closed"), "closed"),
    }
    return lambda reader: reader.receive_failure(errors[kind])


def ask(reader: Decoder) -> object:
    try:
        return reader.next_event()
    except MeshAPIError as exc:
        return exc


STEPS: dict[DecoderInput, list[Step]] = {
    DecoderInput.DATA: [give(piece) for piece in PIECES],
    DecoderInput.END: [give(b""), Decoder.receive_cut],
    DecoderInput.FAILURE: [fail("reset"), fail("timeout"), fail("closed")],
    DecoderInput.ASK: [ask],
}
# What may have come before an input, so that it is not the first. Of a body that has ended no more
# comes.
BEFORE: list[Optional[Step]] = [None, *STEPS[DecoderInput.DATA], *STEPS[DecoderInput.FAILURE]]
BEFORE_ASKING = [*BEFORE, *STEPS[DecoderInput.END]]


KINDS = list(itertools.product([ChatAccumulator, Contented], ["", "text/event-stream"]))


def reach(state: DecoderState, accumulator: type[ChatAccumulator], content_type: str) -> Decoder:
    """A stream in this state, by the shortest way."""
    reader = decoder(accumulator, content_type)
    if state is DecoderState.STREAM:
        reader.receive_data(b": hi\n\n")
    elif state is DecoderState.FLOWING:
        reader.receive_data(CHUNK)
        assert isinstance(reader.next_event(), ChatCompletionChunk)
    elif state is DecoderState.OTHER:
        reader.receive_data(b"<html>")
    elif state is DecoderState.ENDED:
        reader.receive_data(DONE)
        assert reader.next_event() is END_OF_STREAM
    elif state is DecoderState.FAILED:
        reader.receive_data(ERROR)
        assert isinstance(ask(reader), MeshAPIError)
    assert reader.state is state
    return reader


def outcomes(state: DecoderState, what: DecoderInput) -> set[DecoderState]:
    """All the states to which an input leads from this one, whatever came before."""
    found: set[DecoderState] = set()
    befores = BEFORE_ASKING if what is DecoderInput.ASK else BEFORE
    for kind, before, step in itertools.product(KINDS, befores, STEPS[what]):
        reader = reach(state, *kind)
        if before is not None:
            before(reader)
        if reader.state is state:
            step(reader)
            found.add(reader.state)
    return found


@pytest.mark.parametrize("state", DecoderState)
@pytest.mark.parametrize("what", DecoderInput)
def test_every_line_of_the_table_is_what_happens_and_all_that_happens(state, what):
    assert outcomes(state, what) == TRANSITIONS[state, what]


def test_the_table_has_a_line_for_every_input_in_every_state():
    assert set(TRANSITIONS) == {(state, what) for state in DecoderState for what in DecoderInput}


steps = st.lists(
    st.sampled_from([(what, step) for what in DecoderInput for step in STEPS[what]]), max_size=12
)


@given(steps, st.sampled_from(KINDS))
def test_no_life_leaves_the_table(life, kind):
    reader = decoder(*kind)
    has_ended = False
    result: object = None
    for what, step in life:
        before = reader.state
        reads_events = before in (DecoderState.STREAM, DecoderState.FLOWING)
        if has_ended and reads_events and what in (DecoderInput.DATA, DecoderInput.END):
            with pytest.raises(RuntimeError, match="the end of the input"):
                step(reader)
        else:
            got = step(reader)
            has_ended = has_ended or what is DecoderInput.END
            if what is DecoderInput.ASK:
                if before in (DecoderState.ENDED, DecoderState.FAILED):
                    assert got is result
                result = got
        assert reader.state in TRANSITIONS[before, what], (before, what)
        assert (reader.state is DecoderState.FAILED) == isinstance(result, MeshAPIError)
        assert (reader.state is DecoderState.ENDED) == (result is END_OF_STREAM)
        if reader.state is DecoderState.ENDED:
            assert reader.complete
