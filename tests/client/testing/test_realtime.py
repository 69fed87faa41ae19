"""/v1/realtime of the local gateway, spoken to by clients that are not ours."""

import base64
import contextlib
import functools
import http.client
import json
import math
import socket
import struct
import time
from collections.abc import Iterator
from typing import Any, Union
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, ConnectionClosedOK
from websockets.sync.client import ClientConnection, connect

from meshapi.testing import LocalGateway
from meshapi.testing._realtime_config import new_config, updated
from meshapi.testing._realtime_conversation import BUFFER_LIMIT, Cancel, Conversation, Respond
from meshapi.testing._realtime_events import Refused
from meshapi.testing._realtime_reply import Reply
from support.gateway_calls import TOKEN, Answer, call, get, post

MODEL = "openai/gpt-realtime-mini"
RATE = 24000
KEY = "dGhlIHNhbXBsZSBub25jZQ=="

SESSION: dict[str, Any] = {
    "type": "realtime",
    "output_modalities": ["text"],
    "max_output_tokens": 7,
    "tools": [{"type": "function", "name": "f"}],
    "audio": {
        "input": {
            "format": {"type": "audio/pcm", "rate": 24000},
            "turn_detection": {"type": "server_vad", "silence_duration_ms": 40},
        },
        "output": {"voice": "marin", "speed": 1.0},
    },
}
ITEM: dict[str, Any] = {
    "id": "a",
    "type": "message",
    "role": "user",
    "content": [{"type": "input_text", "text": "Hi"}, {"type": "input_audio", "audio": "AAAA"}],
}
RESPONSE: dict[str, Any] = {
    "output_modalities": ["audio"],
    "conversation": "none",
    "input": [ITEM, {"type": "item_reference", "id": "a"}],
    "metadata": {"a": "b"},
    "audio": {"output": {"voice": {"id": "x"}}},
}
EVENTS: list[dict[str, Any]] = [
    {"type": "session.update", "session": SESSION},
    {"type": "input_audio_buffer.append", "audio": "AAAA"},
    {"type": "input_audio_buffer.commit"},
    {"type": "input_audio_buffer.clear", "event_id": "mine"},
    {"type": "conversation.item.create", "item": ITEM, "previous_item_id": "root"},
    {
        "type": "conversation.item.create",
        "item": {"type": "function_call_output", "call_id": "c", "output": "x"},
    },
    {"type": "conversation.item.retrieve", "item_id": "a"},
    {"type": "conversation.item.delete", "item_id": "a"},
    {"type": "conversation.item.truncate", "item_id": "a", "content_index": 0, "audio_end_ms": 1},
    {"type": "response.create", "response": RESPONSE},
    {"type": "response.create"},
    {"type": "response.cancel", "response_id": "x"},
]
VALUES = st.sampled_from([None, True, -1, 0.5, "", "a", [], ["a"], [None], {}, {"type": None}])


@st.composite
def changed(draw: st.DrawFn, value: Any) -> Any:
    """The value with another one in one place, or as it is."""
    if not isinstance(value, (dict, list)) or not value or draw(st.integers(0, 9)) == 0:
        return draw(st.just(value) | VALUES)
    if isinstance(value, list):
        at = draw(st.integers(0, len(value) - 1))
        return [*value[:at], draw(changed(value[at])), *value[at + 1 :]]
    name = draw(st.sampled_from(sorted(value)))
    return {**value, name: draw(changed(value[name]))}


def like(values: list[Any]) -> st.SearchStrategy[Any]:
    return st.sampled_from(values).flatmap(changed).filter(lambda value: isinstance(value, dict))


@functools.cache
def loud(seconds: float) -> bytes:
    samples = (round(9000 * math.sin(step / 10)) for step in range(480))
    period = struct.pack("<480h", *samples)
    size = 2 * round(seconds * RATE)
    return (period * (size // len(period) + 1))[:size]


def quiet(seconds: float) -> bytes:
    return bytes(2 * round(seconds * RATE))


class Session:
    """A session, event by event; sends what it is told, be it wrong or right."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket

    def send(self, kind: str, **members: Any) -> None:
        self.socket.send(json.dumps({"type": kind, **members}))

    def append(self, audio: bytes) -> None:
        self.send("input_audio_buffer.append", audio=base64.b64encode(audio).decode())

    def ask(self, text: str, **response: Any) -> None:
        content = [{"type": "input_text", "text": text}]
        item = {"type": "message", "role": "user", "content": content}
        self.send("conversation.item.create", item=item)
        self.send("response.create", **({"response": response} if response else {}))

    def receive(self) -> Any:
        return json.loads(self.socket.recv(timeout=10))

    def until(self, kind: str) -> list[Any]:
        """The events up to the next one of this kind."""
        events = [self.receive()]
        while events[-1]["type"] != kind:
            events.append(self.receive())
        return events

    def error(self) -> Any:
        event = self.until("error")[-1]
        assert event["event_id"].startswith("event_")
        assert event["request_id"] == self.request_id
        return event["error"]

    @property
    def request_id(self) -> Any:
        assert self.socket.response is not None
        return self.socket.response.headers["x-request-id"]

    def rest(self) -> tuple[list[Any], ConnectionClosed]:
        """Everything until the connection ends, and how it does."""
        events: list[Any] = []
        while True:
            try:
                events.append(self.receive())
            except ConnectionClosed as closed:
                return events, closed


@contextlib.contextmanager
def opened(gateway: LocalGateway, model: str = MODEL) -> Iterator[Session]:
    url = f"ws{gateway.url[len('http') :]}/v1/realtime?model={quote(model)}&api_key={TOKEN}"
    with connect(url, subprotocols=["openai-realtime"], max_size=None, proxy=None) as peer:
        session = Session(peer)
        assert session.receive()["type"] == "session.created"
        yield session


@pytest.fixture
def session(gateway: LocalGateway) -> Iterator[Session]:
    with opened(gateway) as opened_session:
        yield opened_session


def kinds(events: list[Any]) -> list[str]:
    return [event["type"] for event in events]


def deltas(events: list[Any], kind: str) -> str:
    return "".join(event["delta"] for event in events if event["type"] == f"response.{kind}.delta")


def audio_of(events: list[Any]) -> bytes:
    pieces = [event["delta"] for event in events if event["type"] == "response.output_audio.delta"]
    return b"".join(base64.b64decode(piece) for piece in pieces)


def raw_upgrade(gateway: LocalGateway, target: str, *headers: str, key: str = KEY) -> socket.socket:
    host, port = gateway.url[len("http://") :].split(":")
    peer = socket.create_connection((host, int(port)), timeout=10)
    lines = [f"GET {target} HTTP/1.1", f"Host: {host}", "Connection: Upgrade", "Upgrade: websocket"]
    lines += ["Sec-WebSocket-Version: 13", *([f"Sec-WebSocket-Key: {key}"] if key else [])]
    peer.sendall("\r\n".join([*lines, *headers, "", ""]).encode("latin-1"))
    return peer


def upgrade(gateway: LocalGateway, target: str, *headers: str, key: str = KEY) -> Answer:
    """The answer to an upgrade; the body of a refusal ends with the connection."""
    with raw_upgrade(gateway, target, *headers, key=key) as peer:
        return read_answer(peer)


def read_answer(peer: socket.socket) -> Answer:
    response = http.client.HTTPResponse(peer, method="GET")
    response.begin()
    return Answer(response.status, response.headers, response.read())


class TestUpgrade:
    @pytest.mark.parametrize(
        ("query", "header"),
        [
            (f"&api_key={TOKEN}", "X-Test: 1"),
            ("", f"Authorization: Bearer {TOKEN}"),
            ("", f"Sec-WebSocket-Protocol: openai-realtime, Bearer {TOKEN}"),
            ("", f"Sec-WebSocket-Protocol: Bearer {TOKEN}"),
            # As OpenAI takes it from browsers.
            ("", f"Sec-WebSocket-Protocol: realtime, openai-insecure-api-key.{TOKEN}"),
            # The subprotocol goes before the query.
            ("&api_key=rsk_test_wrong", f"Sec-WebSocket-Protocol: openai-realtime, Bearer {TOKEN}"),
        ],
    )
    def test_takes_the_token_from_three_places(
        self, gateway: LocalGateway, query: str, header: str
    ) -> None:
        answer = upgrade(gateway, f"/v1/realtime?model={MODEL}{query}", header)
        assert answer.status == 101
        assert answer.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        assert answer.headers["x-request-id"].startswith("req_")
        known = [name for name in ("openai-realtime", "realtime") if name in header]
        assert answer.headers["sec-websocket-protocol"] == (known[0] if known else None)

    @pytest.mark.parametrize(
        ("query", "header"),
        [
            ("", "X-Test: 1"),
            ("&api_key=", "X-Test: 1"),
            ("&api_key=rsk_test_wrong", "X-Test: 1"),
            ("", "Authorization: Bearer rsk_test_wrong"),
            (f"&api_key={TOKEN}", "Sec-WebSocket-Protocol: openai-realtime, Bearer rsk_test_wrong"),
            ("", "Sec-WebSocket-Protocol: realtime, openai-insecure-api-key.rsk_test_wrong"),
        ],
    )
    def test_refuses_a_wrong_token(self, gateway: LocalGateway, query: str, header: str) -> None:
        answer = upgrade(gateway, f"/v1/realtime?model={MODEL}{query}", header)
        assert answer.code == (401, "unauthorized")
        assert answer.headers["www-authenticate"] == "Bearer"

    @pytest.mark.parametrize(
        ("query", "status", "code"),
        [
            ("model=acme/none", 404, "model_not_found"),
            ("model=auto", 404, "model_not_found"),
            ("model=openai/gpt-4o", 400, "model_capability_not_supported"),
            ("model=", 400, "invalid_request"),
            ("", 400, "invalid_request"),
            ("model=mesh/rate-limited", 429, "rate_limit_exceeded"),
        ],
    )
    def test_refuses_a_model_that_cannot_speak(
        self, gateway: LocalGateway, query: str, status: int, code: str
    ) -> None:
        answer = upgrade(gateway, f"/v1/realtime?{query}&api_key={TOKEN}", "X-Request-Id: mine")
        assert answer.code == (status, code)
        assert answer.headers.get_all("x-request-id") == ["mine"]
        assert answer.headers["retry-after"] == ("1" if status == 429 else None)

    def test_of_a_flaky_model_fails_twice(self, gateway: LocalGateway) -> None:
        target = f"/v1/realtime?model=mesh/flaky&api_key={TOKEN}"
        assert [upgrade(gateway, target).status for _ in range(4)] == [503, 503, 101, 503]

    def test_is_asked_for_by_whoever_does_not(self, gateway: LocalGateway) -> None:
        answer = get(gateway, f"/v1/realtime?model={MODEL}")
        assert answer.code == (426, "upgrade_required")
        assert answer.headers["upgrade"] == "websocket"
        assert post(gateway, "/v1/realtime", {}).code == (405, "method_not_allowed")

    @pytest.mark.parametrize("path", ["/", "/v1/realtime/", "/v1/chat/completions"])
    def test_is_there_only(self, gateway: LocalGateway, path: str) -> None:
        answer = upgrade(gateway, f"{path}?model={MODEL}&api_key={TOKEN}")
        assert answer.code == (404, "not_found")

    @pytest.mark.parametrize(
        "header", ["Sec-WebSocket-Protocol: \xe9", "Sec-WebSocket-Extensions: \xe9"]
    )
    def test_with_other_letters_is_a_bad_request(
        self, gateway: LocalGateway, header: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert upgrade(gateway, f"/v1/realtime?model={MODEL}", header).status == 400
        assert upgrade(gateway, f"/v1/realtime?model={MODEL}", key="").status == 400
        assert not caplog.records

    def test_is_recorded(self, gateway: LocalGateway) -> None:
        target = f"/v1/realtime?model={quote(MODEL, safe='')}&api_key={TOKEN}"
        upgrade(gateway, target, "Sec-WebSocket-Protocol: openai-realtime", "X-Test: 1")
        upgrade(gateway, "/v1/realtime?model=x")
        request, refused = gateway.requests
        assert (request.method, request.path) == ("GET", "/v1/realtime")
        assert f"{request.path}?{request.query}" == target
        assert (request.headers["x-test"], request.size) == ("1", 0)
        assert request.headers["sec-websocket-protocol"] == "openai-realtime"
        assert refused.query == "model=x"
        assert TOKEN not in repr(gateway.requests)


class TestSessions:
    def test_begin_with_their_configuration(self, gateway: LocalGateway) -> None:
        url = f"ws{gateway.url[len('http') :]}/v1/realtime?model={MODEL}&api_key={TOKEN}"
        with connect(url, proxy=None) as peer:
            created = json.loads(peer.recv(timeout=10))
            assert peer.subprotocol is None
            # The client has offered to compress.
            assert not peer.protocol.extensions
        config = created["session"]
        assert (config["type"], config["object"]) == ("realtime", "realtime.session")
        assert (config["model"], config["output_modalities"]) == (MODEL, ["audio"])
        assert config["id"].startswith("sess_")
        assert config["audio"]["input"]["turn_detection"]["type"] == "server_vad"

    def test_are_updated_member_by_member(self, session: Session) -> None:
        session.send("session.update", session={"type": "realtime", "instructions": "Be brief."})
        before = session.receive()["session"]
        assert before["instructions"] == "Be brief."
        output = {"voice": "marin"}
        changes = {"audio": {"output": output, "input": {"turn_detection": None}}, "tools": None}
        # The examples of the service's first documentation have no type.
        session.send("session.update", session={**changes, "output_modalities": ["text"]})
        after = session.receive()
        assert after["type"] == "session.updated"
        expected = json.loads(json.dumps(before))
        expected["output_modalities"] = ["text"]
        expected["audio"]["output"]["voice"] = "marin"
        expected["audio"]["input"]["turn_detection"] = None
        assert after["session"] == expected

    @pytest.mark.parametrize(
        ("changes", "code", "param"),
        [
            ({"type": "transcription"}, "invalid_value", "session.type"),
            ({"output_modalities": ["smell"]}, "invalid_value", "session.output_modalities.0"),
            ({"output_modalities": []}, "invalid_value", "session.output_modalities"),
            ({"modalities": ["text"]}, "unknown_parameter", "session.modalities"),
            ({"instructions": 1}, "invalid_type", "session.instructions"),
            (
                {"audio": {"input": {"format": {"type": "audio/pcm", "rate": 8000}}}},
                "invalid_value",
                "session.audio.input.format.rate",
            ),
            (
                {"audio": {"input": {"format": {"type": "audio/mp3"}}}},
                "invalid_value",
                "session.audio.input.format.type",
            ),
            (
                {"audio": {"output": {"format": {"type": "audio/pcmu"}}}},
                "not_implemented",
                "session.audio.output.format.type",
            ),
            (
                {"audio": {"input": {"turn_detection": {"type": "semantic_vad"}}}},
                "not_implemented",
                "session.audio.input.turn_detection.type",
            ),
        ],
    )
    def test_refuse_what_is_no_configuration(
        self, session: Session, changes: dict[str, Any], code: str, param: str
    ) -> None:
        session.send("session.update", session={"type": "realtime", **changes}, event_id="mine")
        error = session.error()
        assert (error["type"], error["code"]) == ("invalid_request_error", code)
        assert (error["param"], error["event_id"]) == (param, "mine")
        session.send("session.update", session={"type": "realtime"})
        assert session.receive()["type"] == "session.updated"

    @pytest.mark.parametrize(
        ("frame", "code"),
        [
            ("", "invalid_event"),
            ("{", "invalid_event"),
            ("[]", "invalid_event"),
            ('"a"', "invalid_event"),
            ("{}", "invalid_event"),
            ('{"type": 1}', "invalid_event"),
            ('{"type": "response.create", "response": {"metadata": {"a": NaN}}}', "invalid_event"),
            (
                '{"type": "response.create", "response": {"metadata": {"a": 1e999}}}',
                "invalid_event",
            ),
            ("[" * 100_000, "invalid_event"),
            ('{"type": "response.fly"}', "unknown_event"),
            ('{"type": "session.update"}', "missing_required_parameter"),
            ('{"type": "input_audio_buffer.append"}', "missing_required_parameter"),
            ('{"type": "input_audio_buffer.append", "audio": "a b"}', "invalid_value"),
            ('{"type": "input_audio_buffer.append", "audio": "\u00e9"}', "invalid_value"),
            ('{"type": "input_audio_buffer.commit"}', "input_audio_buffer_commit_empty"),
            ('{"type": "response.cancel"}', "response_cancel_not_active"),
            (
                '{"type": "conversation.item.retrieve", "item_id": "x"}',
                "item_retrieve_invalid_item_id",
            ),
        ],
    )
    def test_go_on_after_an_event_that_is_refused(
        self, session: Session, frame: str, code: str
    ) -> None:
        session.socket.send(frame)
        assert session.error()["code"] == code
        session.send("input_audio_buffer.clear")
        assert session.receive()["type"] == "input_audio_buffer.cleared"

    def test_end_with_a_binary_frame(self, session: Session) -> None:
        session.socket.send(b"\0\0")
        events, closed = session.rest()
        assert kinds(events) == ["error"]
        assert closed.rcvd is not None
        assert closed.rcvd.code == 1003

    def test_can_be_fragmented_and_pinged(self, session: Session) -> None:
        pong = session.socket.ping()
        session.socket.send(iter(['{"type": "input_', "audio_buffer", '.clear"}']))
        assert session.receive()["type"] == "input_audio_buffer.cleared"
        assert pong.wait(10)

    def test_are_each_alone(self, gateway: LocalGateway) -> None:
        with opened(gateway) as one, opened(gateway) as other:
            one.append(loud(0.1))
            one.until("input_audio_buffer.speech_started")
            other.send("input_audio_buffer.commit")
            assert other.error()["code"] == "input_audio_buffer_commit_empty"


class TestResponses:
    def test_in_text_are_the_answers_of_chat(self, session: Session) -> None:
        session.send("session.update", session={"output_modalities": ["text"]})
        session.ask("What is 2+2?")
        events = session.until("response.done")
        assert kinds(events) == [
            "session.updated",
            "conversation.item.added",
            "conversation.item.done",
            "response.created",
            "response.output_item.added",
            "conversation.item.added",
            "response.content_part.added",
            *["response.output_text.delta"] * 5,
            "response.output_text.done",
            "response.content_part.done",
            "conversation.item.done",
            "response.output_item.done",
            "response.done",
        ]
        assert deltas(events, "output_text") == "2 + 2 = 4."
        asked, answered = events[2]["item"], events[-2]["item"]
        assert events[5]["previous_item_id"] == asked["id"]
        assert answered["content"] == [{"type": "output_text", "text": "2 + 2 = 4."}]
        response = events[-1]["response"]
        assert (response["status"], response["output"]) == ("completed", [answered])
        usage = response["usage"]
        assert (usage["input_tokens"], usage["output_tokens"]) == (3, 5)
        assert len({event["event_id"] for event in events}) == len(events)

    def test_in_audio_are_a_tone_as_long_as_what_came(self, session: Session) -> None:
        session.append(loud(1.0))
        session.append(quiet(0.1)[:-1])
        session.send("input_audio_buffer.commit")
        session.send("response.create")
        events = session.until("response.done")
        assert kinds(events)[:5] == [
            "input_audio_buffer.speech_started",
            "input_audio_buffer.committed",
            "conversation.item.added",
            "conversation.item.done",
            "conversation.item.input_audio_transcription.completed",
        ]
        assert len({event["item_id"] for event in (events[0], events[1], events[4])}) == 1
        assert events[4]["transcript"] == "1.10 seconds of audio"
        assert events[2]["item"]["content"] == [{"type": "input_audio", "transcript": None}]
        said = deltas(events, "output_audio_transcript")
        assert said.startswith('You said: "1.10 seconds of audio"')
        audio = audio_of(events)
        assert len(audio) == 2 * round(1.1 * RATE)
        assert max(struct.unpack(f"<{len(audio) // 2}h", audio)) > 7000
        pieces = [event for event in events if event["type"] == "response.output_audio.delta"]
        assert len(base64.b64decode(pieces[0]["delta"])) == RATE // 5 * 2
        assert events[-2]["item"]["content"] == [{"type": "output_audio", "transcript": said}]
        usage = events[-1]["response"]["usage"]
        assert usage["input_token_details"]["audio_tokens"] == 11
        assert usage["output_token_details"]["audio_tokens"] == 22

    def test_in_audio_take_the_time_of_the_text_if_none_came(self, session: Session) -> None:
        session.ask("Repeat: 0123456789", audio={"output": {"voice": "marin"}})
        events = session.until("response.done")
        assert len(audio_of(events)) == 2 * round(0.6 * RATE)
        assert events[-1]["response"]["audio"]["output"]["voice"] == "marin"

    def test_can_be_shortened(self, session: Session) -> None:
        session.ask("Count to 9", output_modalities=["text"], max_output_tokens=3)
        response = session.until("response.done")[-1]["response"]
        assert response["status"] == "incomplete"
        assert response["status_details"]["reason"] == "max_output_tokens"
        assert response["output"][0]["content"][0]["text"] == "1 2 3"

    def test_can_stand_beside_the_conversation(self, session: Session) -> None:
        session.ask("Repeat: first", output_modalities=["text"])
        first = session.until("response.done")[1]["item"]["id"]
        content = [{"type": "input_text", "text": "Repeat: other"}]
        other = {"type": "message", "role": "user", "content": content}
        for rows, text in (
            ([other], "other"),
            ([{"type": "item_reference", "id": first}], "first"),
        ):
            wanted = {"output_modalities": ["text"], "conversation": "none", "input": rows}
            session.send("response.create", response={**wanted, "metadata": {"a": "b"}})
            events = session.until("response.done")
            assert not [kind for kind in kinds(events) if kind.startswith("conversation.")]
            assert deltas(events, "output_text") == text
            response = events[-1]["response"]
            assert (response["conversation_id"], response["metadata"]) == (None, {"a": "b"})

    def test_come_at_the_pace_one_at_a_time_and_can_be_cancelled(self) -> None:
        with LocalGateway(token=TOKEN, words_per_second=100) as paced, opened(paced) as session:
            started = time.monotonic()
            session.ask("Count to 1000", output_modalities=["text"])
            session.until("response.output_text.delta")
            session.send("response.create")
            assert session.error()["code"] == "conversation_already_has_active_response"
            session.send("response.cancel", response_id="resp_other")
            assert session.error()["code"] == "response_cancel_not_active"
            for _ in range(5):
                session.until("response.output_text.delta")
            assert time.monotonic() - started >= 0.05
            session.send("response.cancel")
            # What comes next waits for the end of the response.
            session.send("input_audio_buffer.clear")
            events = session.until("input_audio_buffer.cleared")
            assert kinds(events)[-6:] == [
                "response.output_text.done",
                "response.content_part.done",
                "conversation.item.done",
                "response.output_item.done",
                "response.done",
                "input_audio_buffer.cleared",
            ]
            response = events[-2]["response"]
            assert (response["status"], response["output"][0]["status"]) == (
                "cancelled",
                "incomplete",
            )
            assert response["status_details"]["reason"] == "client_cancelled"
            assert response["output"][0]["content"][0]["text"].startswith("1 2 3 4 5")


class TestTurns:
    def test_are_heard_in_the_audio(self, session: Session) -> None:
        session.append(quiet(0.2) + loud(0.5) + quiet(0.3))
        events = session.until("response.done")
        assert kinds(events)[:4] == [
            "input_audio_buffer.speech_started",
            "input_audio_buffer.speech_stopped",
            "input_audio_buffer.committed",
            "conversation.item.added",
        ]
        assert (events[0]["audio_start_ms"], events[1]["audio_end_ms"]) == (200, 900)
        assert len(audio_of(events)) == 2 * round(0.9 * RATE)
        # What was left over begins the next turn.
        session.send("input_audio_buffer.commit")
        done = session.until("conversation.item.input_audio_transcription.completed")[-1]
        assert done["transcript"] == "0.10 seconds of audio"

    def test_interrupt_a_response(self) -> None:
        with LocalGateway(token=TOKEN, words_per_second=100) as paced, opened(paced) as session:
            session.ask("Count to 1000", output_modalities=["text"])
            session.until("response.output_text.delta")
            session.append(loud(0.1))
            events = session.until("response.done")
            assert "input_audio_buffer.speech_started" in kinds(events)
            details = events[-1]["response"]["status_details"]
            assert details == {"type": "cancelled", "reason": "turn_detected"}

    def test_are_the_clients_matter_if_it_says_so(self, session: Session) -> None:
        audio = {"input": {"turn_detection": None, "transcription": None}}
        session.send("session.update", session={"audio": audio})
        session.append(loud(0.5) + quiet(1))
        session.send("input_audio_buffer.clear")
        session.append(loud(0.5) + quiet(1))
        session.send("input_audio_buffer.commit")
        session.send("response.cancel")
        assert kinds(session.until("error")) == [
            "session.updated",
            "input_audio_buffer.cleared",
            "input_audio_buffer.committed",
            "conversation.item.added",
            "conversation.item.done",
            "error",
        ]

    @pytest.mark.slow
    @given(
        parts=st.lists(
            st.tuples(st.booleans(), st.sampled_from([0.02, 0.1, 0.19, 0.2, 0.21])), max_size=6
        ),
        cuts=st.lists(st.integers(0, 60_000), max_size=6),
    )
    def test_do_not_depend_on_how_the_audio_is_cut(
        self, parts: list[tuple[bool, float]], cuts: list[int]
    ) -> None:
        audio = b"".join((loud if sounds else quiet)(seconds) for sounds, seconds in parts)
        edges = [0, *sorted(cuts), len(audio)]
        pieces = [audio[start:end] for start, end in zip(edges, edges[1:])]
        assert heard([audio]) == heard(pieces)


def heard(pieces: list[bytes]) -> list[Any]:
    conversation = Conversation(MODEL)
    told: list[Any] = []
    for piece in pieces:
        encoded = base64.b64encode(piece).decode()
        received = {"type": "input_audio_buffer.append", "audio": encoded}
        for action in conversation.handle(received):
            if isinstance(action, dict):
                times = [action.get("audio_start_ms"), action.get("audio_end_ms")]
                told.append((action["type"], *times, action.get("transcript")))
            else:
                told.append(type(action))
    return told


class TestItems:
    def test_are_put_where_they_belong(self, session: Session) -> None:
        def create(name: str, **members: Any) -> Any:
            content = [{"type": "input_text", "text": name}]
            item = {"id": name, "type": "message", "role": "user", "content": content}
            session.send("conversation.item.create", item=item, **members)
            added, done = session.until("conversation.item.done")
            assert added["item"] == done["item"] == {**item, **IMPLIED}
            return done["previous_item_id"]

        assert create("a") is None
        assert create("b") == "a"
        assert create("c", previous_item_id="a") == "a"
        assert create("d", previous_item_id="root") is None
        session.send("conversation.item.delete", item_id="c")
        assert session.receive()["item_id"] == "c"
        assert create("e", previous_item_id="a") == "a"
        session.send("conversation.item.retrieve", item_id="e")
        assert session.receive()["item"]["content"][0]["text"] == "e"
        for members in ({"item_id": "c"}, {"item_id": ""}):
            session.send("conversation.item.delete", **members)
            assert session.error()["code"] == "item_delete_invalid_item_id"

    def test_need_an_id_of_their_own_and_a_place(self, session: Session) -> None:
        item = {"id": "a", "type": "message", "role": "system", "content": []}
        session.send("conversation.item.create", item=item)
        session.send("conversation.item.create", item=item)
        assert session.error()["code"] == "item_create_duplicate_item_id"
        session.send("conversation.item.create", item={**item, "id": "b"}, previous_item_id="x")
        assert session.error()["code"] == "item_create_invalid_previous_item_id"

    def test_may_be_audio_or_what_a_tool_says(self, session: Session) -> None:
        part = {"type": "input_audio", "audio": base64.b64encode(loud(0.5)).decode()}
        item = {"type": "message", "role": "user", "content": [part]}
        session.send("conversation.item.create", item=item)
        session.send("response.create")
        events = session.until("response.done")
        assert events[0]["item"]["content"] == [{"type": "input_audio"}]
        assert '"0.50 seconds of audio"' in deltas(events, "output_audio_transcript")
        item = {"type": "function_call_output", "call_id": "call_1", "output": "sunny"}
        session.send("conversation.item.create", item=item)
        session.send("response.create", response={"output_modalities": ["text"]})
        said = deltas(session.until("response.done"), "output_text")
        assert said == "The tool answered: sunny"

    def test_of_the_assistants_audio_can_be_truncated(self, session: Session) -> None:
        session.ask("Repeat: 0123456789")
        done = session.until("response.done")
        question, item_id = done[1]["item"]["id"], done[-1]["response"]["output"][0]["id"]
        wanted = {"content_index": 0, "audio_end_ms": 600}
        session.send("conversation.item.truncate", item_id=item_id, **wanted)
        truncated = session.receive()
        assert (truncated["type"], truncated["audio_end_ms"]) == (
            "conversation.item.truncated",
            600,
        )
        session.send("conversation.item.truncate", item_id=question, **wanted)
        assert session.error()["code"] == "item_truncate_invalid_item_id"
        wanted["audio_end_ms"] = 601
        session.send("conversation.item.truncate", item_id=item_id, **wanted)
        assert session.error()["param"] == "audio_end_ms"

    def test_are_forgotten_when_there_are_too_many(self) -> None:
        conversation = Conversation(MODEL)
        for name in range(600):
            item = {"id": str(name), "type": "message", "role": "user", "content": []}
            list(conversation.handle({"type": "conversation.item.create", "item": item}))
        for name, known in (("99", False), ("100", True)):
            received = {"type": "conversation.item.retrieve", "item_id": name}
            with contextlib.nullcontext() if known else pytest.raises(Refused):
                list(conversation.handle(received))


IMPLIED = {"object": "realtime.item", "status": "completed"}


def said_of(action: Union[Respond, Cancel]) -> list[Any]:
    if isinstance(action, Cancel):
        return []
    reply = Reply(action.plan)
    played = [said for step in reply.steps for said in reply.play(step)]
    return [*reply.opening(), *played, *reply.closing("completed")]


class TestConversations:
    @pytest.mark.slow
    @given(received=st.lists(like(EVENTS), max_size=4))
    def test_have_an_answer_to_everything(self, received: list[Any]) -> None:
        conversation = Conversation(MODEL)
        for event in received:
            try:
                actions = list(conversation.handle(event))
            except Refused as error:
                assert error.code
                assert error.message
                continue
            assert actions or event["type"] == "input_audio_buffer.append"
            for action in actions:
                for said in [action] if isinstance(action, dict) else said_of(action):
                    assert json.loads(json.dumps(said, allow_nan=False)) == said

    @pytest.mark.slow
    @given(changes=like([SESSION]))
    def test_keep_what_a_change_does_not_name(self, changes: Any) -> None:
        before = new_config(MODEL)
        received = {"type": "session.update", "session": changes}
        conversation = Conversation(MODEL)
        with contextlib.suppress(Refused):
            list(conversation.handle(received))
            after = updated(before, changes)
            assert updated(after, changes) == after
            assert {name: after[name] for name in before if name not in changes} == {
                name: before[name] for name in before if name not in changes
            }


class TestFailingModels:
    def test_closing_after_a_response(self, gateway: LocalGateway) -> None:
        with opened(gateway, "mesh/close-1000") as session:
            session.ask("Hi")
            events, closed = session.rest()
            assert events[-1]["response"]["status"] == "completed"
            assert isinstance(closed, ConnectionClosedOK)

    @pytest.mark.parametrize(
        ("model", "status", "code"),
        [
            ("mesh/close-1011", 1011, "upstream_error"),
            ("mesh/close-4402", 4402, "insufficient_quota"),
        ],
    )
    def test_closing_in_place_of_a_response(
        self, gateway: LocalGateway, model: str, status: int, code: str
    ) -> None:
        with opened(gateway, model) as session:
            session.ask("Hi")
            # Data that comes too late must not reset the connection.
            with contextlib.suppress(ConnectionClosed):
                for _ in range(20):
                    session.append(quiet(1))
            events, closed = session.rest()
            assert kinds(events)[-1] == "error"
            assert events[-1]["error"]["code"] == code
            assert "response.created" not in kinds(events)
            assert closed.rcvd is not None
            assert (closed.rcvd.code, bool(closed.rcvd.reason)) == (status, True)

    def test_stalling(self, gateway: LocalGateway) -> None:
        with opened(gateway, "mesh/stall") as session:
            session.send("session.update", session={})
            session.socket.send(b"x")
            session.ask("Hi")
            # By then everything before it has been read.
            assert session.socket.ping().wait(10)
            with pytest.raises(TimeoutError):
                session.socket.recv(timeout=0.05)

    def test_sending_a_frame_of_three_mebibytes(self, gateway: LocalGateway) -> None:
        with opened(gateway, "mesh/large-frame") as session:
            session.ask("Hi", output_modalities=["text"])
            events = session.until("response.done")
            (frame,) = [event for event in events if "audio.delta" in event["type"]]
            assert len(frame["delta"]) == 3 * 1024 * 1024

    def test_dropping_the_connection(
        self, gateway: LocalGateway, caplog: pytest.LogCaptureFixture
    ) -> None:
        with opened(gateway, "mesh/broken-stream") as session:
            session.ask("Count to 8", output_modalities=["text"])
            events, closed = session.rest()
            assert deltas(events, "output_text") == "1 2 3 4"
            assert isinstance(closed, ConnectionClosedError)
            assert closed.rcvd is None
        assert not caplog.records

    def test_failing_half_way(self, gateway: LocalGateway) -> None:
        with opened(gateway, "mesh/error-in-stream") as session:
            for _ in range(2):
                session.ask("Count to 8", output_modalities=["text"])
                assert session.error()["code"] == "gateway_timeout"
                response = session.until("response.done")[-1]["response"]
                assert response["status"] == "failed"
                assert response["status_details"]["error"]["code"] == "gateway_timeout"
                assert response["output"][0]["content"][0]["text"] == "1 2 3 4"

    def test_refusing(self, gateway: LocalGateway) -> None:
        with opened(gateway, "mesh/refusal") as session:
            session.ask("Hi", output_modalities=["text"])
            events = session.until("response.done")
            assert deltas(events, "output_text") == "I can't help with that."

    @pytest.mark.slow
    def test_being_slow(self, gateway: LocalGateway) -> None:
        with opened(gateway, "mesh/slow") as session:
            started = time.monotonic()
            session.ask("Repeat: one", output_modalities=["text"])
            session.until("response.output_text.delta")
            assert time.monotonic() - started >= 1.5


class TestLimits:
    @pytest.mark.parametrize(
        ("frame", "code"),
        [
            # Not masked, a text that is not UTF-8, an opcode that does not exist.
            (b"\x81\x02{}", 1002),
            (b"\x81\x81\0\0\0\0\xff", 1007),
            (b"\x83\x80\0\0\0\0", 1002),
        ],
    )
    def test_of_frames_are_told(
        self, gateway: LocalGateway, frame: bytes, code: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        target = f"/v1/realtime?model={MODEL}&api_key={TOKEN}"
        with raw_upgrade(gateway, target) as peer:
            assert peer.recv(1)
            peer.sendall(frame)
            received = b"".join(iter(lambda: peer.recv(65536), b""))
        at = received.rindex(b"\x88")
        assert struct.unpack_from("!H", received, at + 2) == (code,)
        assert not caplog.records

    @pytest.mark.slow
    def test_of_messages_are_sixteen_mebibytes(self, gateway: LocalGateway) -> None:
        head = '{"type":"input_audio_buffer.append","audio":"'
        for extra, fits in ((0, True), (1, False)):
            with opened(gateway) as session:
                session.send(
                    "session.update", session={"audio": {"input": {"turn_detection": None}}}
                )
                session.receive()
                text = "A" * (16 * 1024 * 1024 + extra - len(head) - 2)
                with contextlib.suppress(ConnectionClosed):
                    session.socket.send(f'{head}{text}"}}')
                    session.send("input_audio_buffer.clear")
                if fits:
                    # This many characters are no whole bytes.
                    assert session.error()["param"] == "audio"
                    assert session.receive()["type"] == "input_audio_buffer.cleared"
                else:
                    events, closed = session.rest()
                    assert not events
                    assert closed.rcvd is not None
                    assert closed.rcvd.code == 1009

    @pytest.mark.slow
    def test_of_the_audio_buffer_are_sixty_four_mebibytes(self) -> None:
        conversation = Conversation(MODEL)
        off = {"audio": {"input": {"turn_detection": None}}}
        list(conversation.handle({"type": "session.update", "session": off}))
        audio = base64.b64encode(bytes(BUFFER_LIMIT // 8)).decode()
        received = {"type": "input_audio_buffer.append", "audio": audio}
        for _ in range(8):
            list(conversation.handle(received))
        with pytest.raises(Refused, match="room"):
            list(conversation.handle({**received, "audio": "AAAA"}))
        list(conversation.handle({"type": "input_audio_buffer.commit"}))
        list(conversation.handle(received))


class TestLocalGateway:
    def test_closes_at_once_with_sessions_open(self, caplog: pytest.LogCaptureFixture) -> None:
        with contextlib.ExitStack() as stack:
            gateway = LocalGateway(token=TOKEN, words_per_second=10)
            idle, playing, closing = (stack.enter_context(opened(gateway)) for _ in range(3))
            stalled = stack.enter_context(opened(gateway, "mesh/stall"))
            playing.ask("Count to 1000")
            playing.until("response.output_audio.delta")
            # This one reads nothing, so that the gateway can't write, nor end the closing.
            mute = stack.enter_context(
                raw_upgrade(gateway, f"/v1/realtime?model=mesh/large-frame&api_key={TOKEN}")
            )
            assert mute.recv(1)
            mute.sendall(b"\x81\x9a\0\0\0\0" + b'{"type":"response.create"}')
            closing.append(loud(0.1))
            started = time.monotonic()
            gateway.close()
            assert time.monotonic() - started < 8
            for session in (idle, playing, stalled):
                _, closed = session.rest()
                assert closed.rcvd is None
        assert not caplog.records

    def test_logs_no_token(self, caplog: pytest.LogCaptureFixture) -> None:
        caplog.set_level(1)
        with LocalGateway(token=TOKEN, words_per_second=0) as gateway:
            with opened(gateway) as session:
                session.ask("Hi")
                session.until("response.done")
            call(gateway, "GET", f"/v1/models?api_key={TOKEN}")
            upgrade(gateway, f"/v1/realtime?model=x&api_key={TOKEN}")
        # The other end tells of what it sends.
        told = [record for record in caplog.records if not record.name.startswith("websockets")]
        assert told
        assert not [record for record in told if TOKEN in record.getMessage()]

    def test_survives_clients_that_leave(
        self, gateway: LocalGateway, caplog: pytest.LogCaptureFixture
    ) -> None:
        for request in (b"", b'{"type":"response.create"}'):
            peer = raw_upgrade(gateway, f"/v1/realtime?model=mesh/large-frame&api_key={TOKEN}")
            assert peer.recv(1)
            if request:
                peer.sendall(bytes([0x81, 0x80 | len(request)]) + bytes(4) + request)
            # Without a word: a reset.
            peer.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            peer.close()
        with opened(gateway) as session:
            session.ask("Hi")
            session.until("response.done")
        assert not caplog.records
