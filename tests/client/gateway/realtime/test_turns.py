"""Turns of speech, as they are detected in the audio."""

import base64
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi.gateway.realtime.conversation import Conversation
from meshapi.testing import LocalGateway
from support.gateway_calls import TOKEN
from support.gateway_sessions import MODEL, RATE, Session, audio_of, kinds, loud, opened, quiet


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
        # The rest of the buffer begins the next turn.
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
