"""Transcriptions and translations of the local gateway."""

import io
import wave
from typing import Any

import pytest

from meshapi.testing import LocalGateway
from support.gateway_calls import Response, call, get, post
from support.gateway_files import Files, post_form

PATH = "/v1/audio/transcriptions"
TRANSLATE, TRANSLATIONS = f"{PATH}/translate", "/v1/audio/translations"
MODEL = ("model", "elevenlabs/scribe_v1")


def wav(seconds: float = 0.5) -> bytes:
    data = io.BytesIO()
    with wave.open(data, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(8000)
        file.writeframes(bytes(2 * int(8000 * seconds)))
    return data.getvalue()


WAV: Files = [("file", "a.wav", wav())]


def transcribe(gateway: LocalGateway, *fields: tuple[str, str], files: Files = WAV) -> Response:
    return post_form(gateway, PATH, [MODEL, *fields], files)


def test_the_text_says_what_was_received(gateway: LocalGateway) -> None:
    body = transcribe(gateway).json()
    assert body["text"] == "A local gateway does not listen: it received 8,044 bytes of WAV audio."
    assert "words" not in body
    again = transcribe(gateway, ("language_code", "fr")).json()
    assert (again["text"], again["language_code"]) == (body["text"], "fr")


@pytest.mark.parametrize(
    ("beginning", "name"),
    [
        (b"ID3", "MP3"),
        (b"\xff\xfb\x90", "MP3"),
        (b"fLaC", "FLAC"),
        (b"OggS", "Ogg"),
        (b"\0\0\0\x18ftypM4A ", "MP4"),
        (b"text", "not recognise"),
        (b"", "not recognise"),
    ],
)
def test_the_format_is_told_by_the_first_bytes(
    gateway: LocalGateway, beginning: bytes, name: str
) -> None:
    text = transcribe(gateway, files=[("file", "audio.mp3", beginning)]).json()["text"]
    assert name in text
    assert f"{len(beginning)} bytes" in text


def test_verbose_responses_have_words_with_times(gateway: LocalGateway) -> None:
    body = transcribe(gateway, ("response_format", "verbose_json")).json()
    assert body["duration"] == pytest.approx(0.5, abs=0.01)
    assert " ".join(word["text"] for word in body["words"]) == body["text"]
    times = [(word["start"], word["end"]) for word in body["words"]]
    assert times[0] == (0.0, 0.4)
    assert all(start < end for start, end in times)
    assert body["segments"][0]["end"] == times[-1][1]


@pytest.mark.parametrize(
    ("kind", "media_type", "start"),
    [
        ("text", "text/plain", "A local"),
        ("srt", "application/x-subrip", "1\n00:00:00,000 --> 00:00:"),
        ("vtt", "text/vtt", "WEBVTT\n\n00:00:00.000 --> 00:00:"),
    ],
)
def test_other_formats_are_no_json(
    gateway: LocalGateway, kind: str, media_type: str, start: str
) -> None:
    response = transcribe(gateway, ("response_format", kind))
    assert response.headers["content-type"].partition(";")[0] == media_type
    assert response.body.decode().startswith(start)
    assert b"8,044 bytes" in response.body


@pytest.mark.parametrize("name", ["source_url", "cloud_storage_url"])
def test_a_link_will_do_in_place_of_a_file(gateway: LocalGateway, name: str) -> None:
    response = transcribe(gateway, (name, "https://example.com/a.mp3"), files=[])
    assert "https://example.com/a.mp3" in response.json()["text"]


def test_a_webhook_is_acknowledged_without_a_text(gateway: LocalGateway) -> None:
    response = transcribe(gateway, ("webhook", "true"))
    body = response.json()
    assert response.status == 202
    assert set(body) == {"message", "request_id", "transcription_id"}
    assert body["request_id"] == response.headers["x-request-id"]
    path = f"{PATH}/{body['transcription_id']}"
    states = [get(gateway, path).json() for _ in range(2)]
    assert [state["status"] for state in states] == ["processing", "completed"]
    assert [bool(state["text"]) for state in states] == [False, True]


def test_a_transcription_can_be_got_again(gateway: LocalGateway) -> None:
    body = transcribe(gateway).json()
    kept = get(gateway, f"{PATH}/{body['transcription_id']}").json()
    assert (kept["status"], kept["text"]) == ("completed", body["text"])
    assert kept["words"]
    assert get(gateway, f"{PATH}/nothing").code == (404, "not_found")


def test_keyterms_are_repeated_and_booleans_are_words(gateway: LocalGateway) -> None:
    fields = [("keyterms", "a"), ("keyterms", "b"), ("diarize", "true"), ("webhook", "false")]
    assert transcribe(gateway, *fields, ("temperature", "0.5"), ("seed", "1")).status == 200


@pytest.mark.parametrize(
    ("name", "value", "kind"),
    [
        ("diarize", "True", "bool_parsing"),
        ("webhook", "1", "bool_parsing"),
        ("seed", "x", "int_parsing"),
        ("num_speakers", "0", "greater_than_equal"),
        ("temperature", "hot", "float_parsing"),
        ("temperature", "3", "less_than_equal"),
        ("response_format", "xml", "literal_error"),
    ],
)
def test_bad_fields_are_refused(gateway: LocalGateway, name: str, value: str, kind: str) -> None:
    assert transcribe(gateway, (name, value)).faults == [(kind, ["body", name])]


def test_what_is_missing_is_named(gateway: LocalGateway) -> None:
    assert post_form(gateway, PATH, [], WAV).faults == [("missing", ["body", "model"])]
    assert transcribe(gateway, files=[]).faults == [("missing", ["body", "file"])]
    assert post(gateway, PATH, {"model": "x"}).faults == [("missing", ["body"])]
    assert get(gateway, f"{PATH}?x=1").status == 405


def test_a_form_that_cannot_be_taken_apart_is_refused(gateway: LocalGateway) -> None:
    for content_type in ("multipart/form-data; boundary=b", "multipart/form-data"):
        response = call(gateway, "POST", PATH, b"nonsense", content_type=content_type)
        assert response.code == (400, "bad_request")


def test_models_are_checked(gateway: LocalGateway) -> None:
    def with_model(path: str, model: str) -> Any:
        return post_form(gateway, path, [("model", model)], WAV)

    assert with_model(PATH, "acme/none").code == (404, "model_not_found")
    assert with_model(PATH, "openai/gpt-4o").code[0] == 400
    assert with_model(PATH, "mesh/rate-limited").status == 429
    assert with_model(TRANSLATIONS, "openai/gpt-4o").code[0] == 422
    assert with_model(TRANSLATIONS, "acme/none").code == (422, "model_capability_not_supported")
    assert with_model(TRANSLATIONS, "openai/whisper-1").status == 200


def test_translations_say_what_was_received_too(gateway: LocalGateway) -> None:
    body = post_form(gateway, TRANSLATE, [("prompt", "x")], WAV).json()
    assert body["text"] == (
        "A local gateway does not translate: it received 8,044 bytes of WAV audio."
    )
    fields = [("model", "openai/whisper-1"), ("response_format", "text"), ("temperature", "0")]
    response = post_form(gateway, TRANSLATIONS, fields, WAV)
    assert response.body.decode() == body["text"] + "\n"
    assert post_form(gateway, TRANSLATE, []).faults == [("missing", ["body", "file"])]


@pytest.mark.slow
def test_an_upload_may_be_large(gateway: LocalGateway) -> None:
    size = 32 * 1024 * 1024
    text = transcribe(gateway, files=[("file", "a.mp3", bytes(size))]).json()["text"]
    assert f"{size:,} bytes" in text
    assert gateway.requests[0].truncated
