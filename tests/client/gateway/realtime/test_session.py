"""/v1/realtime of the local gateway, tested with a client that is not ours."""

import base64
import contextlib
import json
import struct
import time
from typing import Any

import pytest
from websockets.exceptions import ConnectionClosed, ConnectionClosedError, ConnectionClosedOK
from websockets.sync.client import connect

from meshapi.gateway.realtime.conversation import Conversation
from meshapi.gateway.realtime.events import Refused
from meshapi.testing import LocalGateway
from support.gateway_calls import TOKEN
from support.gateway_sessions import (
    MODEL,
    RATE,
    Session,
    audio_of,
    deltas,
    kinds,
    loud,
    opened,
    quiet,
)


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
            # The next event is only handled after the end of the response.
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
            # Data that arrives too late must not reset the connection.
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
