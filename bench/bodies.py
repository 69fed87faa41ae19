"""What the server answers and the core is fed: the same bytes for everyone."""

import json
from array import array
from base64 import b64encode
from itertools import cycle, islice

ID = "chatcmpl-bench-1"
CREATED = 1_700_000_000
TEXT = "Hello! How can I help you today?"
USAGE = {"prompt_tokens": 9, "completion_tokens": 9, "total_tokens": 18}


def dumps(value):
    return json.dumps(value, separators=(",", ":")).encode()


RESPONSE = dumps(
    {
        "id": ID,
        "object": "chat.completion",
        "created": CREATED,
        "model": "bench",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": TEXT},
                "finish_reason": "stop",
            }
        ],
        "usage": USAGE,
    }
)
ANTHROPIC_RESPONSE = dumps(
    {
        "id": "msg_bench",
        "type": "message",
        "role": "assistant",
        "model": "bench",
        "content": [{"type": "text", "text": TEXT}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {"input_tokens": 9, "output_tokens": 9},
    }
)


def chunk(delta, **fields):
    """The JSON of a chunk with one choice."""
    choice = {"index": 0, "delta": delta, "finish_reason": fields.pop("finish_reason", None)}
    head = {"id": ID, "object": "chat.completion.chunk", "created": CREATED, "model": "bench"}
    return {**head, "choices": [choice], **fields}


def frame(value, end=b"\n"):
    return b"data: " + (value if isinstance(value, bytes) else dumps(value)) + end + end


def content_frame(size=5, end=b"\n"):
    """A frame whose text has that many characters."""
    return frame(chunk({"content": ("word " * (size // 5 + 1))[:size]}), end)


LAST = frame(chunk({}, finish_reason="stop")) + frame(b"[DONE]")

CALL = {"index": 0, "id": "call_1", "type": "function", "function": {"name": "f", "arguments": ""}}
ARGUMENTS = {"index": 0, "function": {"arguments": '"city'}}

KINDS = {
    "content": [chunk({"content": "word "})],
    "tools": [chunk({"tool_calls": [CALL]}), *[chunk({"tool_calls": [ARGUMENTS]})] * 19],
    "usage": [chunk({"content": "word "}, usage=USAGE)],
}


def frames(kind, count, end=b"\n"):
    """So many frames of a kind, each a bytes object of its own, as a network brings them."""
    made = [frame(value, end) for value in KINDS[kind]]
    return [bytes(bytearray(each)) for each in islice(cycle(made), count)]


def cut(data, size):
    return [data[at : at + size] for at in range(0, len(data), size)]


def anthropic_stream(count):
    """Everything of a stream of Anthropic's: events before, for each chunk, and after."""

    def event(kind, **fields):
        value = dumps({"type": kind, **fields})
        return b"event: " + kind.encode() + b"\n" + frame(value)

    message = {**json.loads(ANTHROPIC_RESPONSE), "content": [], "stop_reason": None}
    first = event("message_start", message=message) + event(
        "content_block_start", index=0, content_block={"type": "text", "text": ""}
    )
    delta = event("content_block_delta", index=0, delta={"type": "text_delta", "text": "word "})
    last = event("content_block_stop", index=0)
    last += event(
        "message_delta",
        delta={"stop_reason": "end_turn", "stop_sequence": None},
        usage={"output_tokens": count},
    )
    return first, delta, last + event("message_stop")


VECTORS, DIMENSIONS = 256, 1536


def embeddings(as_base64):
    """A response with 256 vectors of 1,536 floats."""
    rows = []
    for row in range(VECTORS):
        vector = array("f", [(row * at) % 997 / 997 for at in range(DIMENSIONS)])
        shown = b64encode(vector.tobytes()).decode() if as_base64 else list(vector)
        rows.append({"object": "embedding", "index": row, "embedding": shown})
    usage = {"prompt_tokens": 9, "total_tokens": 9}
    return dumps({"object": "list", "model": "bench", "data": rows, "usage": usage})
