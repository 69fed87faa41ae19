"""/v1/audio/speech of the local gateway."""

import io
import wave
from typing import Any

import pytest

from meshapi.testing import LocalGateway
from support.gateway_calls import Response, post

PATH = "/v1/audio/speech"


def speak(gateway: LocalGateway, text: str = "Hello there.", **members: Any) -> Response:
    return post(gateway, PATH, {"input": text, **members})


def read_wav(data: bytes) -> tuple[int, float]:
    """The sample rate, and the length in seconds."""
    with wave.open(io.BytesIO(data)) as file:
        assert (file.getnchannels(), file.getsampwidth()) == (1, 2)
        assert len(file.readframes(file.getnframes())) == 2 * file.getnframes()
        return file.getframerate(), file.getnframes() / file.getframerate()


def test_wav_is_as_long_as_the_text(gateway: LocalGateway) -> None:
    short = speak(gateway, "x" * 10, response_format="wav")
    assert (short.status, short.headers["content-type"]) == (200, "audio/wav")
    assert read_wav(short.body) == (24000, pytest.approx(0.6))
    long = speak(gateway, "x" * 50, response_format="wav")
    assert read_wav(long.body)[1] == pytest.approx(3.0)
    fast = speak(gateway, "x" * 50, response_format="wav", voice_settings={"speed": 2.0})
    assert read_wav(fast.body)[1] == pytest.approx(1.5)
    assert read_wav(speak(gateway, "x" * 9999, response_format="wav").body)[1] == 60


def test_each_voice_has_a_tone_of_its_own(gateway: LocalGateway) -> None:
    one, other = (speak(gateway, voice=voice, response_format="pcm").body for voice in "ab")
    assert one != other
    assert speak(gateway, voice="a", response_format="pcm").body == one


def test_it_comes_in_chunks_unless_told_otherwise(gateway: LocalGateway) -> None:
    streamed = speak(gateway, response_format="wav")
    assert streamed.headers["transfer-encoding"] == "chunked"
    whole = speak(gateway, response_format="wav", stream=False)
    assert whole.headers["content-length"] == str(len(whole.body))
    assert whole.body == streamed.body


def test_a_rate_may_be_named_and_needs_a_whole_response_for_wav(gateway: LocalGateway) -> None:
    whole = speak(gateway, response_format="wav_44100", stream=False)
    assert read_wav(whole.body)[0] == 44100
    for stream in (None, True):
        response = speak(gateway, response_format="wav_44100", stream=stream)
        assert response.code == (400, "invalid_request")
    assert speak(gateway, response_format="pcm_16000").headers["content-type"] == "audio/pcm"
    assert read_wav(speak(gateway, response_format="wav", speech_sample_rate=8000).body)[0] == 8000


@pytest.mark.parametrize("response_format", [None, "mp3", "mp3_44100_128"])
def test_mp3_is_silence_of_the_same_length(gateway: LocalGateway, response_format: Any) -> None:
    response = speak(gateway, "x" * 100, response_format=response_format)
    assert response.headers["content-type"] == "audio/mpeg"
    # A frame of MPEG-1 Layer III at 64 kbit/s and 44.1 kHz has 208 bytes and 1,152 samples.
    assert len(response.body) % 208 == 0
    assert all(response.body[at : at + 4] == b"\xff\xfb\x50\xc4" for at in range(0, 208 * 3, 208))
    assert len(response.body) / 208 * 1152 / 44100 == pytest.approx(6, abs=0.03)


def test_what_it_cannot_encode_it_says(gateway: LocalGateway) -> None:
    for name in ("opus", "opus_48000_32", "flac", "ulaw_8000"):
        assert speak(gateway, response_format=name).code == (501, "not_implemented")
    for name in ("midi", "wav_1", "wav_", ""):
        expected = 200 if not name else 422
        assert speak(gateway, response_format=name).status == expected


def test_bad_requests_are_refused(gateway: LocalGateway) -> None:
    assert post(gateway, PATH, {}).faults == [("missing", ["body", "input"])]
    assert speak(gateway, "").faults == [("string_too_short", ["body", "input"])]
    response = speak(gateway, voice_settings={"stability": 2})
    assert response.faults == [("less_than_equal", ["body", "voice_settings", "stability"])]
    assert speak(gateway, model="openai/whisper-1").code[0] == 400
    assert speak(gateway, model="acme/none").code == (404, "model_not_found")


@pytest.mark.parametrize("stream", [False, True])
def test_a_broken_response_is_broken(gateway: LocalGateway, stream: bool) -> None:
    response = speak(gateway, model="mesh/broken-stream", response_format="wav", stream=stream)
    assert response.broken
    assert response.body.startswith(b"RIFF")
    failed = speak(gateway, model="mesh/error-in-stream", stream=stream)
    assert failed.code == (504, "gateway_timeout")
