"""Chunks that match the template, against the general reading of each."""

import json
from typing import Any

import pytest
from fuzz_chunks import Careful, Outcome, one, outcome
from hypothesis import example, given
from hypothesis import strategies as st
from pieces import byte_by_byte

from meshapi_core.accumulators.chat import ChatAccumulator
from meshapi_core.chunks.template import ChunkTemplate
from meshapi_core.growing import PIECES, GrowingText
from support import chat_streams


def event(data: str) -> bytes:
    return b"data: " + data.encode() + b"\n\n"


def chat(delta: str, more: str = "") -> bytes:
    return event('{"choices":[{"index":0,"delta":{' + delta + "}}]" + more + "}")


def check(*events: bytes) -> Outcome:
    """The outcome of a stream: the same as without a template."""
    stream = b"".join(events)
    expected = outcome(Careful(), byte_by_byte(stream))
    assert outcome(ChatAccumulator(), [stream]) == expected
    assert outcome(ChatAccumulator(), events) == expected
    return expected


def text(*events: bytes) -> Any:
    return check(*events).partial.choices[0].message.content


A, B, C = chat('"content":"a"'), chat('"content":"b"'), chat('"content":"c"')


# Laws


@given(st.binary(min_size=3, max_size=40))
@example(b"\0" + b"\0\0" * 200)
def test_the_fast_path_gives_what_the_general_one_does(data):
    one(data)


@given(st.lists(st.tuples(chat_streams.chunks, st.integers(1, 5)), max_size=8))
def test_any_chunks_that_come_again_are_read_as_the_first(chunks):
    check(*(event(json.dumps(chunk)) * times for chunk, times in chunks))


# What is the same, and what is not


def test_texts_are_put_together():
    assert text(A, B, C, A) == "abca"
    assert text(*[A] * (3 * PIECES + 1)) == "a" * (3 * PIECES + 1)
    assert text(chat('"role":"assistant","content":""'), A, B, chat('"content":"\U0001f600"'))


def test_a_text_with_quotes_or_escapes_is_looked_at_and_those_after_it_are_not():
    known: list[bytes] = []

    class Counted(ChatAccumulator):
        def add(self, chunk: Any) -> None:
            known.append(chunk.raw)
            super().add(chunk)

    odd = chat(r'"content":"\n\"x\""')
    outcome(Counted(), [A, B, C, odd, A, B, C])
    assert len(known) == 3  # the first, which may be a whole response, the second, and the odd one
    assert text(A, B, C, odd, A) == 'abc\n"x"a'


def test_half_a_character_is_held_back_until_the_other_half_comes():
    first, second = chat(r'"content":"x\ud83d"'), chat(r'"content":"\ude00y"')
    assert text(A, B, first, second, A) == "abx\U0001f600ya"
    # Only the general path finds out that the other half never comes.
    assert text(A, B, first, A, B)


@pytest.mark.parametrize(
    "other",
    [
        chat('"content":"x"', ',"error":{"message":"no"}'),
        chat('"content":"x","odd":1'),
        chat('"content":"x","role":"tool"'),
        chat('"reasoning_content":"x"'),
        chat('"content":"x","refusal":"y"'),
        chat('"content":"x","annotations":[{"text":"y"}]'),
        chat('"tool_calls":[{"index":0,"function":{"arguments":"x"}}]'),
        chat('"content":"x"', ',"system_fingerprint":"1"'),
        event('{"choices":[{"index":1,"delta":{"content":"x"}}]}'),
        event('{"choices":[{"index":0,"delta":{"content":"x"},"finish_reason":"stop"}]}'),
        event('{"choices":[{"index":0,"delta":{"content":"x"},"logprobs":{"content":[1]}}]}'),
        event('{"choices":[{"delta":{"content":"x"}},{"delta":{"content":"y"}}]}'),
        event('{"content":"x","choices":[{"delta":{"content":"y"}}]}'),
        event('{"content":"x","choices":[{"delta":{"content" :"y"}}]}'),
        event('{"content":"x","choices":[{"delta":{"reasoning_content":"y"}}]}'),
        event(r'{"odd\"content":"x","choices":[{"delta":{"\u0063ontent":"y"}}]}'),
        event('{"choices":[{"message":{"content":"x"}}]}'),
        event('{"choices":[],"usage":{"prompt_tokens":1}}'),
        event('{"message":"x","code":"odd"}'),
        event("[DONE]"),
        b": x\n\n",
        # Passed over, and an error if nothing follows them.
        b'{"type":"note","message":"x","code":"odd"}\n\n',
        b'event: note\ndata: {"type":"note","message":"x","code":"odd","kind":"error"}\n\n',
    ],
)
def test_other_chunks_are_looked_at_wherever_they_come(other):
    varied = other.replace(b'"x"', b'"z"')
    check(other, other)
    check(A, B, other, varied, varied, C, A)
    check(other, varied, varied, A, B)


@pytest.mark.parametrize(
    "chunk",
    [
        '{"system_fingerprint":"%s","choices":[{"delta":{"content":"%s"}}]}',
        '{"choices":[{"delta":{"content":"%s"}}],"system_fingerprint":"%s"}',
    ],
)
def test_a_chunk_that_says_something_else_beside_its_text_is_not_alike(chunk):
    def said(fingerprint: str, content: str) -> bytes:
        first = chunk.startswith('{"system')
        return event(chunk % ((fingerprint, content) if first else (content, fingerprint)))

    ended = check(said("1", "a"), said("1", "b"), said("2", r"\n"), said("1", "c"))
    assert ended.partial.system_fingerprint == "1"


def test_what_looks_like_the_end_of_a_text_is_none_where_members_follow():
    again = chat(r'"role":"assistant","content":"\n","role":"tool"')
    assistant = chat('"role":"assistant","content":"a"')
    ended = check(assistant, assistant, again, assistant)
    assert ended.partial.choices[0].message.role == "assistant"


def test_nothing_is_learned_any_more_where_it_was_of_no_use():
    text = GrowingText()
    template = ChunkTemplate[int](lambda chunk: text)
    for number in range(100):
        data = b'{"content":"a","id":%d}' % number
        assert not template.takes(data)
        template.learn(data, number)
    assert not template.takes(data)
    assert text.value() is None
