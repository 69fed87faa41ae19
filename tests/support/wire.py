"""Responses as bytes, written by hand so that they share nothing with the code under test."""

import json
from typing import Any, Optional

from support.scripted_server import Peer

REQUEST_ID = "req_01TEST"


def completion(text: str, **more: Any) -> dict[str, Any]:
    """A whole response."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1795176000,
        "model": "openai/gpt-4o-mini",
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text},
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 1, "completion_tokens": 1, "total_tokens": 2},
        **more,
    }


def chunk(text: Optional[str], finish_reason: Optional[str] = None, **more: Any) -> dict[str, Any]:
    """One chunk of a stream."""
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1795176000,
        "model": "openai/gpt-4o-mini",
        "choices": [{"index": 0, "delta": {"content": text}, "finish_reason": finish_reason}],
        **more,
    }


def frame(value: Any) -> bytes:
    """One event of a stream, in the gateway's own form."""
    return b"data: " + dump(value) + b"\n\n"


DONE = b"data: [DONE]\n\n"


def dump(value: Any) -> bytes:
    """JSON as the gateway writes it: compact, without escapes."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":")).encode()


def head(status: int = 200, *fields: str, kind: str = "application/json") -> bytes:
    """A status line and headers; without a length the body ends with the connection."""
    lines = [f"HTTP/1.1 {status} Status", f"Content-Type: {kind}", f"X-Request-Id: {REQUEST_ID}"]
    if not kind:
        del lines[1]
    return "\r\n".join([*lines, *fields, "", ""]).encode()


def make_response(status: int, body: bytes, *fields: str, kind: str = "application/json") -> bytes:
    """A whole response with its length."""
    return head(status, *fields, f"Content-Length: {len(body)}", kind=kind) + body


def good(text: str = "pong") -> bytes:
    """A good response to `create`."""
    return make_response(200, dump(completion(text)))


def failed(status: int, code: str, message: str = "no", *fields: str, **more: Any) -> bytes:
    """A response in the gateway's error envelope."""
    return make_response(
        status, dump({"error": {"code": code, "message": message, **more}}), *fields
    )


def stream_head(*fields: str) -> bytes:
    """The head of a stream in chunked coding."""
    return head(200, "Transfer-Encoding: chunked", *fields, kind="text/event-stream; charset=utf-8")


def chunked(*pieces: bytes, end: bool = True) -> bytes:
    """Pieces of a body in chunked coding."""
    coded = b"".join(b"%x\r\n%b\r\n" % (len(piece), piece) for piece in pieces if piece)
    return coded + (b"0\r\n\r\n" if end else b"")


def streamed(*pieces: bytes) -> bytes:
    """A whole stream of these bytes."""
    return stream_head() + chunked(*pieces)


def texts(*words: str) -> tuple[bytes, ...]:
    """The frames of a complete stream of these words."""
    return (*(frame(chunk(word)) for word in words), frame(chunk(None, "stop")), DONE)


def serve(peer: Peer) -> None:
    """A script: a good response to every request, `create` and `stream` alike."""
    for request in peer.requests():
        if request.json().get("stream"):
            peer.send(streamed(*texts("po", "ng")))
        else:
            peer.send(good())
