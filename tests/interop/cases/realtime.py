"""Realtime: sessions by text and by audio, and how they end."""

import math
import struct
from typing import Any

from interop.cases.grammar import Ask, case, talk

RESPONSE = {"type": "response.create"}
RATE = 24_000
HUM = struct.pack("<4800h", *(round(9000 * math.sin(step / 12)) for step in range(4800)))
PAUSE = bytes(2 * RATE * 7 // 10)


def to(model: str) -> Ask:
    return lambda c: c.realtime.connect(model=model)


SPEAKER = to("openai/gpt-4o-realtime-preview")


def update(**session: Any) -> dict[str, Any]:
    return {"type": "session.update", "session": {"type": "realtime", **session}}


def question(text: str) -> dict[str, Any]:
    content = [{"type": "input_text", "text": text}]
    item = {"type": "message", "role": "user", "content": content}
    return {"type": "conversation.item.create", "item": item}


@case()
def realtime_answers_in_text():
    yield talk(
        to("openai/gpt-realtime-mini"),
        update(output_modalities=["text"], instructions="Be brief: caf\u00e9."),
        question("Repeat: \u00e9\U0001f98a"),
        RESPONSE,
    )


@case()
def realtime_answers_in_speech():
    yield talk(SPEAKER, question("What is 2+2?"), RESPONSE)


@case()
def realtime_hears_the_end_of_a_turn():
    instructions = {"type": "session.update", "session": {"instructions": "Be kind."}}
    yield talk(SPEAKER, instructions, HUM, HUM + PAUSE)


@case()
def realtime_is_told_the_end_of_a_turn():
    yield talk(
        SPEAKER,
        update(
            audio={
                "input": {
                    "format": {"type": "audio/pcm", "rate": RATE},
                    "turn_detection": None,
                },
                "output": {"format": {"type": "audio/pcm", "rate": RATE}, "voice": "alloy"},
            }
        ),
        HUM,
        bytearray(PAUSE),
        memoryview(HUM),
        {"type": "input_audio_buffer.commit"},
        RESPONSE,
    )


@case()
def realtime_goes_on_after_errors():
    yield talk(
        SPEAKER,
        {"type": "response.cancel"},
        update(voice="alloy"),
        {"type": "input_audio_buffer.commit", "event_id": "mine"},
        {"type": "no.such.event"},
        question("Count to 3."),
        RESPONSE,
    )
    yield talk(to("mesh/error-in-stream"), question("Count to 6."), RESPONSE)


@case()
def realtime_is_closed_in_order():
    yield talk(to("mesh/close-1000"), question("Count to 3."), RESPONSE, until="never")


@case(fault="every end looks like a good one")
def realtime_is_closed_for_a_reason():
    yield talk(to("mesh/close-1011"), question("Count to 3."), RESPONSE)
    yield talk(to("mesh/close-4402"), question("Count to 3."), RESPONSE)


@case(fault="every end looks like a good one")
def realtime_breaks_off():
    yield talk(to("mesh/broken-stream"), question("Count to 6."), RESPONSE)


@case(fault="large frames end the session")
def realtime_has_large_frames():
    yield talk(to("mesh/large-frame"), question("Count to 6."), RESPONSE)


@case(fault="refusals are errors of another library")
def realtime_is_refused():
    yield talk(to("acme/none"))
    yield talk(to("openai/gpt-4o-mini"))
    yield talk(to("mesh/rate-limited"))


@case(fault="refusals are errors of another library", token="rsk_test_other")
def realtime_is_refused_without_a_key():
    yield talk(SPEAKER)
