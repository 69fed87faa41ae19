"""Chunks of a chat, read the quick way and the careful way: each of them, their sum, and the end.

The careful way has a stream in single bytes, none of which is a plain event, and an accumulator
that does not know its texts, so that no chunk is taken for one like the one before.

Input: one byte that seeds the cuts, then two bytes for each event: what it is, and its text.
"""

import random
from collections.abc import Iterable
from typing import Any, NamedTuple, Optional

import msgspec
from fuzz_sse import by_frame
from pieces import byte_by_byte, cut

from meshapi_core import Headers, MeshAPIError
from meshapi_core.accumulators.chat import ChatAccumulator
from meshapi_core.chunks.decoder import ChunkDecoder
from meshapi_core.signals import END_OF_STREAM, NEED_DATA
from meshapi_core.types.chat import ChatCompletionChunk

# `outcome` judges the documented errors itself.
ACCEPTED: tuple[type[Exception], ...] = ()

CHUNK = msgspec.json.Decoder(ChatCompletionChunk)
HEADERS = Headers([("content-type", "text/event-stream"), ("x-request-id", "req_1")])

_CHOICE = b'{"choices":[{"index":0,"delta":%s}]}'
_EVENTS = (
    *[b'data: {"choices":[{"index":0,"delta":{"content":"%s"},"finish_reason":null}]}\n\n'] * 8,
    b"data: " + _CHOICE % b'{"role":"assistant","content":"%s"}' + b"\n\n",
    b"data: " + _CHOICE % b'{"content":"%s"}' + b"\r\n\r\n",
    b"data: " + _CHOICE % b'{"content" : "%s"}' + b"\n\n",
    b"data: " + _CHOICE % b'{"content":"a","refusal":"%s"}' + b"\n\n",
    b"data: " + _CHOICE % b'{"reasoning_content":"%s"}' + b"\n\n",
    b"data: " + _CHOICE % b'{"content":"%s","annotations":[{"text":"b"}]}' + b"\n\n",
    b"data: " + _CHOICE % b'{"content":"%s","odd":"c"}' + b"\n\n",
    b"data: " + _CHOICE % b'{"content":"%s","content":"d"}' + b"\n\n",
    b"data: " + _CHOICE % b'{"tool_calls":[{"index":0,"function":{"arguments":"%s"}}]}' + b"\n\n",
    b'data: {"choices":[{"delta":{"content":"%s"},"finish_reason":"stop"}]}\n\n',
    b'data: {"choices":[{"delta":{"content":"%s"},"logprobs":{"content":[{"token":"e"}]}}]}\n\n',
    b'data: {"choices":[{"index":1,"delta":{"content":"%s"}}]}\n\n',
    b'data: {"choices":[{"delta":{"content":"%s"}},{"delta":{"content":"f"}}]}\n\n',
    b'data: {"choices":[{"delta":{"content":"%s"}}],"error":null}\n\n',
    b'data: {"choices":[{"delta":{"content":"%s"}}],"error":{"message":"no"}}\n\n',
    b'data: {"content":"%s","choices":[{"delta":{"content":"g"}}]}\n\n',
    b'data: {"content":"%s","choices":[{"delta":{"content" :"g"}}]}\n\n',
    b'data: {"content":"%s","choices":[{"delta":{"reasoning_content":"g"}}]}\n\n',
    rb'data: {"odd\"content":"%s","choices":[{"delta":{"\u0063ontent":"g"}}]}' + b"\n\n",
    b'data: {"system_fingerprint":"3","choices":[{"delta":{"content":"%s"}}]}\n\n',
    b'data: {"system_fingerprint":"4","choices":[{"delta":{"content":"%s"}}]}\n\n',
    b'data: {"choices":[{"delta":{"content":"%s"}}],"system_fingerprint":"1","usage":{}}\n\n',
    b'data: {"choices":[{"delta":{"content":"%s"}}],"system_fingerprint":"2"}\n\n',
    b'data: {"choices":[],"usage":{"prompt_tokens":1},"cost":"%s"}\n\n',
    b'data: {"choices":[{"message":{"content":"%s"}}]}\n\n',
    b'data: {"message":"%s","code":"odd"}\n\n',
    b'event: message\ndata: {"choices":[{"index":0,"delta":{"content":"%s"}}]}\n\n',
    b": %s\n\n",
    b"data: %s\n\n",
    b"data: [DONE]\n\n",
)
_TEXTS = (
    *(b"h", b"ij", "\u00fc".encode(), "\U0001f600".encode()) * 3,
    b"",
    b"\\n",
    rb"\"",
    rb"\u0041",
    rb"\ud83d",
    rb"\ude00",
    b"k" * 70,
    b"\xff",
    b"\n",
    b'"',
    b'","role":"tool',
    rb'\n","role":"tool',
    b'"},"finish_reason":"stop","more":{"content":"',
    b'"error"',
    b'{"error":"no"}',
)


class Outcome(NamedTuple):
    """What a stream gives, as far as a caller sees it.

    Fields:
        chunks: Each with the JSON that it was made from.
        error: Its class and words.
        partial: The response that has come.
        complete: Whether that could be all.
    """

    chunks: list[tuple[ChatCompletionChunk, Any]]
    error: Optional[tuple[type[Exception], str]]
    partial: Any
    complete: bool


class Careful:
    """An accumulator of a chat that says nothing of its texts."""

    def __init__(self) -> None:
        inner = self._inner = ChatAccumulator()
        self.add, self.partial = inner.add, inner.partial

    @property
    def complete(self) -> bool:
        """Whether all has come."""
        return self._inner.complete


def one(data: bytes) -> None:
    """Check one input.

    Raises:
        AssertionError: Two ways of reading the stream differ.
    """
    cuts = random.Random(data[:1])
    stream = b"".join(
        _EVENTS[kind % len(_EVENTS)].replace(b"%s", _TEXTS[text % len(_TEXTS)])
        for kind, text in zip(data[1::2], data[2::2])
    )
    expected = outcome(Careful(), byte_by_byte(stream))
    for pieces in ([stream], by_frame(stream), cut(stream, cuts, longest=300)):
        actual = outcome(ChatAccumulator(), pieces)
        assert actual == expected, f"{actual} is not {expected}, read as {pieces}"


def outcome(accumulator: Any, pieces: Iterable[bytes]) -> Outcome:
    """Return what a chat's stream gives."""
    decoder = ChunkDecoder(CHUNK, accumulator, headers=HEADERS, marker=b'"choices"')
    chunks: list[tuple[ChatCompletionChunk, Any]] = []
    error = None
    try:
        for piece in [*filter(None, pieces), b""]:
            decoder.receive_data(piece)
            while True:
                event = decoder.next_event()
                if event is NEED_DATA or event is END_OF_STREAM:
                    break
                chunks.append((event, event.raw))
    except MeshAPIError as exc:
        error = type(exc), str(exc)
    return Outcome(chunks, error, decoder.partial(), decoder.complete)
