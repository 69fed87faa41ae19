"""A host that imports its names at the top meets no file, socket or import after that.

It runs in a separate interpreter, with an audit hook that raises for anything but computation. A
lazy import in the middle of a call would read files on somebody's event loop.
"""

import sys

import pytest
from house.fresh import run_python

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(not hasattr(sys, "addaudithook"), reason="needs audit hooks"),
]

IMPORTS = """
from meshapi_core import (
    Abort, ClientCall, Connect, Finished, HTTP11Connection, Item, MeshAPIConfig,
    MeshAPIError, PipeCall, Read, ReadBody, Release, RetryPolicy, SendRequest, Sleep, Timeout,
    Write,
)
from meshapi_core.endpoints import Completions
"""

HOOK = """
# What looks at the process's own objects.
HARMLESS = {"builtins.id", "code.__new__", "object.__getattr__", "object.__setattr__"}
HARMLESS |= {"sys._getframe"}
is_armed = False

def hook(event, args):
    if is_armed and event not in HARMLESS:
        raise SystemError(f"{event} {args!r:.300}")

sys.addaudithook(hook)
"""

# A host without I/O: what is read comes from a list, an exception is what a library raised.
HOST = r"""
config = MeshAPIConfig(base_url="https://api.example", token="rsk_test_1", timeout=Timeout(idle=5))
ASKED = dict(model="m", messages=[{"role": "user", "content": "hi"}])

def http(body, status=200, kind="application/json"):
    head = f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {len(body)}\r\n\r\n"
    return head.encode() + body

def chunk(text, finish="null"):
    choice = '{"index":0,"delta":{"content":"%s"},"finish_reason":%s}' % (text, finish)
    return ('data: {"id":"c","model":"m","choices":[%s]}\n\n' % choice).encode()

RESPONSE = b'{"id":"x","choices":[{"message":{"role":"assistant","content":"4"}}]}'
BUSY = http(b'{"error":{"code":"provider_not_available","message":"busy"}}', 503)
STREAM = chunk("a") + chunk("b", '"stop"') + b"data: [DONE]\n\n"
EVENTS = "text/event-stream"

def pipe(call, reads):
    now, items, reads = 0.0, [], list(reads)
    machine = PipeCall(call, config, now=now, random_bytes=lambda n: bytes(n))
    try:
        while not isinstance(action := machine.next_action(now), Finished):
            if isinstance(action, Item):
                items.append(action.value)
            elif isinstance(action, Sleep):
                now = action.until
            elif isinstance(action, Connect):
                machine.connected(now)
            elif isinstance(action, Write):
                machine.written()
            elif isinstance(action, Read):
                read = reads.pop(0) if reads else None
                if read is None:
                    now = action.until
                    machine.handle_timer(now)
                elif isinstance(read, bytes):
                    machine.receive_data(read, now)
                else:
                    machine.fail(read, now)
    except MeshAPIError as exc:
        return len(items), type(exc).__name__, exc.error_code
    return len(items), "", ""

def client(call, answers):
    now, items, answers, pieces = 0.0, [], list(answers), []
    machine = ClientCall(call, config, now=now, random_bytes=lambda n: bytes(n))
    try:
        while not isinstance(action := machine.next_action(now), Finished):
            if isinstance(action, Item):
                items.append(action.value)
            elif isinstance(action, Sleep):
                now = action.until
            elif isinstance(action, SendRequest):
                action.request.plain_headers(), action.request.plain_url, action.content
                status, kind, pieces = answers.pop(0)
                pieces = list(pieces)
                machine.receive_head(status, [("content-type", kind)], now)
            elif isinstance(action, ReadBody):
                piece = pieces.pop(0) if pieces else b""
                if isinstance(piece, bytes):
                    machine.receive_body(piece, now)
                else:
                    machine.fail(piece, now)
    except MeshAPIError as exc:
        return len(items), type(exc).__name__, exc.error_code
    return len(items), "", ""

create, stream = Completions.create.build, Completions.stream.build
"""

RUN = r"""
is_armed = True
seen = [
    pipe(create(**ASKED), [BUSY, BUSY, http(RESPONSE)]),
    pipe(stream(**ASKED), [http(STREAM, kind=EVENTS)]),
    pipe(stream(**ASKED), [http(b'{"error":{"code":"model_not_found"}}', 404)]),
    pipe(stream(**ASKED), [http(STREAM, kind=EVENTS)[:-40], b""]),
    pipe(stream(**ASKED), [http(STREAM, kind=EVENTS)[:-40], ConnectionResetError(104, "reset")]),
    pipe(stream(**ASKED), [http(STREAM, kind=EVENTS)[:-40]]),
    pipe(stream(**ASKED), [b"SSH-2.0-nonsense\r\n"]),
    pipe(create(**ASKED), [http(b"<html><title>no</title>", 200, "text/html")]),
    client(create(**ASKED), [(503, "text/plain", [b"no"]), (200, "application/json", [RESPONSE])]),
    client(stream(**ASKED), [(200, EVENTS, [STREAM])]),
    client(stream(**ASKED), [(200, EVENTS, [STREAM[:60], OSError(5, "broken")])]),
    client(stream(**ASKED), [(404, "application/json", [b'{"error":{"message":"no"}}'])]),
]
is_armed = False
for each in seen:
    print(*each)
"""

OUTCOMES = """\
1
2
0 NotFoundError model_not_found
1 StreamInterruptedError stream_interrupted
1 StreamInterruptedError stream_interrupted
1 APITimeoutError idle_timeout
0 ProtocolError bad_response
0 ResponseDecodeError parse_error
1
2
0 StreamInterruptedError stream_interrupted
0 NotFoundError not_found
"""


def test_calls_that_succeed_and_fail_touch_nothing_of_the_system() -> None:
    printed = run_python(IMPORTS, HOOK, HOST, RUN)
    assert [line.rstrip() for line in printed.splitlines()] == OUTCOMES.splitlines()
