"""The core against `tests/vectors`, through its public API.

The vectors are JSON, and say what must hold for each case. This module runs the core on them.
"""

import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Callable, Union

import msgspec
import pytest
from fuzz_realtime import REQUEST, SWITCH, client_frames
from hypothesis import given
from hypothesis import strategies as st
from pieces import byte_by_byte
from reference import websocket_reference

from meshapi_core import (
    END_OF_STREAM,
    NEED_DATA,
    APIConnectionError,
    APITimeoutError,
    Closed,
    Failure,
    FileSource,
    Headers,
    MeshAPIConfig,
    MeshAPIError,
    Outcome,
    RealtimeConnection,
    RealtimeMessage,
    Response,
    ResponseDecodeError,
    RetryPolicy,
    SSEDecoder,
    WebSocketConnection,
)
from meshapi_core.endpoints import Completions, FilePart, Files, Models, Multipart
from meshapi_core.errors import InvalidParamsError
from meshapi_core.messages import Request
from meshapi_core.retry_after import parse_retry_after
from meshapi_core.sse import RawSSEDecoder, ServerSentEvent
from support import vector_files
from support.vectors import (
    FOLDER,
    KINDS,
    Case,
    Prefix,
    agree,
    joined,
    load,
    mistaken,
    pieces_of,
    subjects,
    wanted,
)
from support.websocket_frames import BINARY, TEXT, frame

Got = dict[str, Any]
Pieces = list[bytes]


def facts(error: MeshAPIError) -> Got:
    """The parts of an error that the vectors have."""
    (kind,) = (word for word, cls in KINDS.items() if type(error) is cls)
    return {
        "kind": kind,
        "error_code": error.error_code,
        "message": error.message,
        "status": error.status,
        "request_id": error.request_id,
        "details": error.details,
        "provider_error": error.provider_error,
        "provider_code": error.provider_code,
        "retry_after_seconds": error.retry_after_seconds,
    }


# The runners: the parsers


def sse(case: Case, pieces: Pieces) -> Got:
    options = {name: case[name] for name in ("max_event_size",) if name in case}
    # It knows the last event ID, which one that reconnects by itself would send.
    raw = RawSSEDecoder(**options)
    decoder = SSEDecoder(**options)
    events: list[Got] = []
    arrived: list[int] = []
    error = None
    for piece in [*pieces, b""]:
        try:
            decoder.receive_data(piece)
            while isinstance(event := decoder.next_event(), ServerSentEvent):
                events.append(msgspec.structs.asdict(event))
            raw.receive_data(piece)
            while isinstance(raw.next_event(), tuple):
                pass
        except ResponseDecodeError as exc:
            error = exc.error_code
        arrived.append(len(events))
    last = raw.last_event_id.decode("utf-8", "replace")
    return {"events": events, "last_event_id": last, "error": error, "arrived": arrived[:-1]}


BREAKS: dict[str, Failure] = {
    "reset": Failure(APIConnectionError("reset by peer", error_code="reset"), "response"),
    "read_timeout": Failure(APITimeoutError("too slow", phase="read"), "response"),
    "client_closed": Failure(APIConnectionError("closed", error_code="client_closed"), "closed"),
}
MESSAGES: Any = [{"role": "user", "content": "hi"}]


def chunks(case: Case, pieces: Pieces) -> Got:
    call = Completions.stream.build(model="m", messages=MESSAGES, n=case.get("choices"))
    named = {"content-type": case.get("content_type", "text/event-stream")}
    fields = {**named, **case.get("headers", {})}
    headers = Headers({name: value for name, value in fields.items() if value})
    decoder = call.read(Response(200, headers))
    contents = []
    try:
        for piece in [*pieces, None]:
            if piece is not None:
                decoder.receive_data(piece)
            elif "then" in case:
                decoder.receive_failure(BREAKS[case["then"]])
            else:
                decoder.receive_data(b"")
            while (event := decoder.next_event()) is not NEED_DATA and event is not END_OF_STREAM:
                contents.append(event.choices[0].delta.content if event.choices else None)
    except MeshAPIError as exc:
        decoder.receive_data(b"data: {}\n\n")
        with pytest.raises(MeshAPIError) as again:
            decoder.next_event()
        assert again.value is exc, "an error stays what it was"
        return {**facts(exc), "contents": contents, "partial": so_far(exc.partial)}
    decoder.receive_data(b"data: {}\n\n")
    assert event is decoder.next_event() is END_OF_STREAM
    return {"contents": contents, "kind": None}


def so_far(response: Any) -> Any:
    return response and [
        {
            "content": choice.message.content,
            "finish_reason": choice.finish_reason,
            "tool_calls": [
                {"id": call.id, "name": call.function.name, "arguments": call.function.arguments}
                for call in choice.message.tool_calls or ()
            ],
        }
        for choice in response.choices
    ]


def connected(request: Request = REQUEST, **limits: Any) -> WebSocketConnection:
    connection = WebSocketConnection(**limits)
    connection.connect(request)
    return connection


def websocket_frames(case: Case, pieces: Pieces) -> Got:
    limits = {name: case[name] for name in ("max_message_size",) if name in case}
    connection = connected(**limits)
    messages: list[Union[str, bytes]] = []
    sent = b""
    for piece in [SWITCH, *pieces, *([b""] if "ends" in case else [])]:
        connection.receive_data(piece)
        while (event := connection.next_message()) is not NEED_DATA:
            if isinstance(event, Closed):
                break
            messages.append(event)
        sent += connection.data_to_send()
    closed = connection.closed
    frames = [{"opcode": opcode, "payload": payload} for opcode, payload in client_frames(sent)]
    return {
        "messages": messages,
        "closed": closed and msgspec.structs.asdict(closed),
        "sent": frames,
    }


def websocket_handshakes(case: Case, pieces: Pieces) -> Got:
    changed = {
        "sec-websocket-key": case["key"],
        "sec-websocket-protocol": ", ".join(case["offered"]),
    }
    headers = tuple((name, changed.get(name, value)) for name, value in REQUEST.headers)
    connection = connected(msgspec.structs.replace(REQUEST, headers=headers))
    kind = code = None
    for piece in pieces:
        connection.receive_data(piece)
        try:
            assert connection.next_message() is NEED_DATA
        except MeshAPIError as exc:
            found = facts(exc)
            kind, code = found["kind"], found["error_code"]
    return {
        "open": connection.is_open,
        "subprotocol": connection.subprotocol,
        "kind": kind,
        "error_code": code,
    }


def realtime_events(case: Case, pieces: Pieces) -> Got:
    connection = RealtimeConnection()
    connection.connect(REQUEST)
    messages = []
    for piece in [SWITCH, *pieces]:
        connection.receive_data(piece)
        while isinstance(event := connection.next_event(), RealtimeMessage):
            messages.append(event)
    (message,) = messages
    try:
        audio: Any = message.audio
    except ResponseDecodeError:
        audio = "broken"
    error = message.error()
    return {
        "type": message.type,
        "is_event": bool(message.event),
        "audio": audio,
        "error": error
        and {name: getattr(error, name) for name in ("code", "message", "param", "event_id")}
        | {"request_id": error.request_id},
    }


# The rules


def errors(case: Case, _: Pieces) -> Got:
    call = Completions.create.build(model="m", messages=MESSAGES)
    headers = Headers(case.get("headers", {}))
    response = Response(case["status"], headers, joined(case["body"]), case.get("received_at"))
    if not 200 <= response.status < 300:
        return facts(call.refusal(response))
    try:
        call.read(response)
    except MeshAPIError as exc:
        return facts(exc)
    return {"kind": None}


def retries(case: Case, _: Pieces) -> Got:
    policy = RetryPolicy(**case.get("policy", {}))
    outcome = Outcome(**case["outcome"])
    return {
        "delay": policy.delay(case["attempt"], outcome, case["random"]),
        "dead_on_arrival": policy.is_dead_on_arrival(outcome),
    }


def retry_after(case: Case, _: Pieces) -> Got:
    clocks = {name: case[name] for name in ("date", "received_at") if name in case}
    return {"seconds": parse_retry_after(case["value"], **clocks)}


def urls(case: Case, _: Pieces) -> Got:
    try:
        location = MeshAPIConfig(base_url=case["base_url"], token="rsk_test_1").location
    except ValueError:
        return {"refused": True}
    origin = msgspec.structs.asdict(location.origin)
    return {"refused": False, **origin, "prefix": location.prefix}


def paths(case: Case, _: Pieces) -> Got:
    def behind(prefix: str, build: Callable[[str], Any]) -> Any:
        try:
            path: str = build(case["value"]).path
        except InvalidParamsError:
            return None
        assert path.startswith(prefix)
        return path[len(prefix) :]

    return {
        "segment": behind("/v1/files/", Files.get.build),
        "model_path": behind("/v1/models/", Models.get.build),
    }


class InMemory:
    """The content of a file, in two pieces, that is read while it is sent."""

    def __init__(self, source: FileSource) -> None:
        (self.content,) = source.content
        self.length = len(self.content)

    def pieces(self) -> Iterator[bytes]:
        half = self.length // 2
        yield from filter(None, (self.content[:half], self.content[half:]))

    def close(self) -> None:
        pass


def multipart(case: Case, _: Pieces) -> Got:
    in_memory = form_of(case, lambda content: content)
    assert form_of(case, lambda content: (content,)) == in_memory
    return {"body": in_memory}


def form_of(case: Case, held: Callable[[bytes], Any]) -> bytes:
    files = tuple(
        FilePart(
            file["name"],
            FileSource(held(joined(file["content"]))),
            file["filename"],
            file["content_type"],
        )
        for file in case["files"]
    )
    body = Multipart(tuple(map(tuple, case["fields"])), files).encode(case["boundary"])
    if isinstance(body, bytes):
        return body
    opened = body.open(InMemory)
    data = b"".join(opened.pieces())
    assert len(data) == len(opened)
    return data


def websocket_sent(case: Case, _: Pieces) -> Got:
    mask = bytes.fromhex(case["mask"])
    connection = connected(random_bytes=lambda size: mask[:size])
    connection.receive_data(SWITCH)
    assert connection.next_message() is NEED_DATA
    ((how, value),) = case["send"].items()
    try:
        if how == "close":
            data = connection.close(**value)
        elif how == "text":
            data = connection.send_text(value)
        elif how == "binary":
            data = connection.send_bytes(joined(value))
        else:
            data = connection.ping(joined(value))
    except ValueError:
        return {"frame": None}
    return {"frame": data if how == "text" else with_mask(data, mask)}


def with_mask(data: bytes, mask: bytes) -> bytes:
    """A frame under another mask: that of texts alone can be given."""
    ((opcode, payload),) = client_frames(data)
    start = len(data) - len(payload) - 4
    assert opcode == data[0] & 0x0F
    return data[:start] + mask + bytes(byte ^ mask[i % 4] for i, byte in enumerate(payload))


RUNNERS: dict[str, Callable[[Case, Pieces], Got]] = {
    "chunks": chunks,
    "errors": errors,
    "multipart": multipart,
    "paths": paths,
    "realtime_events": realtime_events,
    "retries": retries,
    "retries_without_response": retries,
    "retry_after": retry_after,
    "retry_after_dates": retry_after,
    "sse": sse,
    "stream_errors": chunks,
    "urls": urls,
    "websocket_frames": websocket_frames,
    "websocket_handshakes": websocket_handshakes,
    "websocket_sent": websocket_sent,
}
PARSERS = [
    "chunks",
    "realtime_events",
    "sse",
    "stream_errors",
    "websocket_frames",
    "websocket_handshakes",
]
CASES = {subject: load(subject) for subject in RUNNERS}
ALL = [
    pytest.param(subject, case, id=f"{subject}: {case['name']}")
    for subject, cases in CASES.items()
    for case in cases
]


def as_written(case: Case) -> Pieces:
    """What a parser gets, in the pieces of the file."""
    if "binary" in case:
        return [frame(BINARY if case["binary"] else TEXT, joined(case["message"]))]
    return pieces_of(case.get("input", []))


def expected_of(case: Case, *, other_cut: bool = False) -> Any:
    expected = wanted(case["expected"])
    if other_cut:
        expected.pop("arrived", None)
    return expected


def check(subject: str, case: Case, pieces: Pieces) -> None:
    got = RUNNERS[subject](case, pieces)
    expected = expected_of(case, other_cut=pieces != as_written(case))
    assert agree(expected, got), f"{got} is not {expected}"


@pytest.mark.parametrize(("subject", "case"), ALL)
def test_the_core_does_what_a_vector_says(subject, case):
    check(subject, case, as_written(case))


@pytest.mark.parametrize(
    ("subject", "case"), [param for param in ALL if param.values[0] in PARSERS]
)
def test_a_vector_holds_in_one_piece_and_byte_by_byte(subject, case):
    stream = b"".join(as_written(case))
    check(subject, case, [stream] if stream else [])
    if len(stream) > 10_000:  # it would take its time
        check(subject, case, [stream[i : i + 997] for i in range(0, len(stream), 997)])
    else:
        check(subject, case, byte_by_byte(stream))


@pytest.mark.parametrize("subject", PARSERS)
@given(data=st.data())
def test_a_vector_holds_however_its_bytes_are_cut(subject, data):
    case = data.draw(st.sampled_from(CASES[subject]))
    stream = b"".join(as_written(case))
    cuts = data.draw(st.sets(st.integers(1, max(1, len(stream) - 1)), max_size=8))
    bounds = [0, *sorted(cuts), len(stream)]
    check(subject, case, [stream[a:b] for a, b in zip(bounds, bounds[1:]) if stream[a:b]])


@pytest.mark.parametrize("subject", RUNNERS)
def test_a_vector_with_a_mistake_in_what_it_expects_fails(subject):
    for case in CASES[subject]:
        got = RUNNERS[subject](case, as_written(case))
        expected = expected_of(case)
        wrong = [*mistaken(expected)]
        assert wrong
        assert not [other for other in wrong if agree(other, got)], case["name"]


# Other implementations run the same vectors, so that these are not merely what the core does


STANDARD = ("sse", "retry_after", "retry_after_dates")


def test_the_standards_once_more_agree_with_the_vectors():
    """Without site-packages and the checkout, so that none of our code can be imported."""
    done = reference(FOLDER)
    assert done.returncode == 0, done.stdout
    for subject in STANDARD:
        kept = [case for case in CASES[subject] if "departs" not in case]
        assert len(kept) > 20
        assert f"{subject}: {len(kept)} of {len(CASES[subject])} cases checked" in done.stdout


@pytest.mark.parametrize("mistaken_subject", STANDARD)
def test_the_standards_once_more_find_a_mistake_in_a_vector(mistaken_subject, tmp_path):
    for subject in STANDARD:
        file = json.loads((FOLDER / f"{subject}.json").read_bytes())
        if subject == mistaken_subject:
            file["cases"][0]["expected"] = next(mistaken(file["cases"][0]["expected"]))
        (tmp_path / f"{subject}.json").write_text(json.dumps(file))
    done = reference(tmp_path)
    assert done.returncode == 1
    assert f"{mistaken_subject}: {CASES[mistaken_subject][0]['name']}: " in done.stdout


def reference(folder: Path) -> "subprocess.CompletedProcess[str]":
    command = [sys.executable, "-I", "-S", str(FOLDER / "reference.py"), str(folder)]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)


@pytest.mark.parametrize("case", CASES["websocket_frames"], ids=lambda case: case["name"])
def test_the_fuzzers_reference_agrees_with_a_vector(case):
    limit = case.get("max_message_size", 1 << 24)
    messages, end = websocket_reference.read(
        joined(case["input"]), limit, ends=case.get("ends", False)
    )
    expected = expected_of(case)
    assert messages == expected["messages"]
    closed = expected["closed"]
    assert (end is None) == (closed is None)
    if end is not None:
        assert (end.code, end.word) == (closed["code"], closed["error_code"])


# The files


def test_each_file_has_a_runner_and_each_runner_a_file():
    assert subjects() == sorted(RUNNERS) == sorted(vector_files.CASES)


@pytest.mark.parametrize("subject", RUNNERS)
def test_a_file_is_what_its_format_says_and_a_stray_member_is_refused(subject):
    content = (FOLDER / f"{subject}.json").read_bytes()
    vector_files.check(subject, content)
    for place in ([], ["cases", 0], ["cases", 0, "expected"]):
        file = json.loads(content)
        inner = file
        for step in place:
            inner = inner[step]
        inner["stray"] = 1
        with pytest.raises(msgspec.ValidationError):
            vector_files.check(subject, json.dumps(file).encode())


@pytest.mark.parametrize("subject", RUNNERS)
def test_a_file_can_be_read_by_any_json_parser(subject):
    content = (FOLDER / f"{subject}.json").read_bytes()
    assert content.isascii(), "what can't be seen is escaped"
    file = json.loads(content, parse_constant=pytest.fail)
    for value in values_of(file):
        if isinstance(value, str):
            value.encode("utf-8"), "half a surrogate pair"
        elif isinstance(value, (int, float)):
            assert abs(value) < 2**53, "more than a double holds exactly"


def values_of(value: Any) -> Iterator[Any]:
    if isinstance(value, dict):
        value = [*value, *value.values()]
    if isinstance(value, list):
        for member in value:
            yield from values_of(member)
    else:
        yield value


@pytest.mark.parametrize("subject", RUNNERS)
def test_names_are_unique_and_say_something_and_there_are_enough_cases(subject):
    names = [case["name"] for case in CASES[subject]]
    assert len({*names}) == len(names)
    assert min(map(len, names)) > 2
    assert len(names) >= 15


def test_the_readme_knows_each_file_and_each_kind_of_error():
    readme = (FOLDER / "README.md").read_text("utf-8")
    rows = re.findall(r"^\| `(\w+)`.* \| `(\w+)` \|$", readme, re.MULTILINE)
    assert dict(rows) == {word: cls.__name__ for word, cls in KINDS.items()}
    assert sorted(re.findall(r"^\| `(\w+)\.json`", readme, re.MULTILINE)) == subjects()
    described = re.findall(r"^\*\*(`.*?)\*\*: ", readme, re.MULTILINE)
    assert sorted(re.findall(r"`(\w+)\.json`", " ".join(described))) == subjects()


def test_bytes_of_which_the_first_are_told_agree_with_these():
    assert agree(Prefix(b"ab"), b"abc")
    assert not agree(Prefix(b"ab"), b"a")
    assert not agree(1, True)
    assert not agree("a", b"a")
    assert agree(1, 1.0)
