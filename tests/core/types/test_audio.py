"""types.audio: responses that have more than their text, and can also be read like dicts."""

import copy
import json
import pickle
from typing import Any

import msgspec
import pytest
from hypothesis import given

from meshapi_core.codec.decoding import decode
from meshapi_core.errors import InvalidParamsError
from meshapi_core.params.encoding import check
from meshapi_core.types._base import attach
from meshapi_core.types.audio import (
    AudioTranslationsFields,
    AudioTranslationsParams,
    ListVoicesFields,
    ListVoicesParams,
    SpeechFields,
    SpeechParams,
    TranscriptionFields,
    TranscriptionParams,
    TranscriptionResponse,
    TranscriptionTranslateFields,
    TranscriptionTranslateParams,
    VoicesResponse,
)
from support.metas import meta_with
from support.structs import json_objects

TRANSCRIPTION = msgspec.json.Decoder(TranscriptionResponse)
VOICES = msgspec.json.Decoder(VoicesResponse)
WORDS = [{"text": "hello", "start": 0.1, "speaker_id": "a"}]


def transcription(fields: Any) -> TranscriptionResponse:
    body = msgspec.json.encode(fields)
    return attach(decode(body, TRANSCRIPTION), body, meta_with("req_1"))


@pytest.mark.parametrize(
    ("params", "fields", "missing"),
    [
        (SpeechParams, SpeechFields, {"stream"}),
        (TranscriptionParams, TranscriptionFields, set()),
        (TranscriptionTranslateParams, TranscriptionTranslateFields, set()),
        (AudioTranslationsParams, AudioTranslationsFields, set()),
        (ListVoicesParams, ListVoicesFields, set()),
    ],
)
def test_keywords_are_the_fields_of_the_params(params, fields, missing):
    assert set(fields.__annotations__) == set(params.__struct_fields__) - missing


@pytest.mark.parametrize("temperature", [-0.1, 2.1])
def test_the_temperature_of_a_translation_has_limits(temperature):
    with pytest.raises(InvalidParamsError, match="temperature: expected float"):
        check({"model": "m", "temperature": temperature}, AudioTranslationsParams)


class TestWhatATranscriptionKeeps:
    """Words and language are kept. An acknowledgement has no text."""

    def test_words_and_language(self):
        fields = {
            "text": "hello",
            "language_code": "eng",
            "language_probability": 0.9,
            "words": WORDS,
            "transcription_id": "t",
        }
        response = transcription(fields)
        assert response.model_dump(exclude_none=True) == fields

    def test_an_acknowledgement(self):
        response = transcription(
            {"message": "accepted", "request_id": "r", "transcription_id": "t"}
        )
        assert response.text == ""
        assert (response.message, response.request_id) == ("accepted", "r")
        assert response.transcription_id == "t"

    @pytest.mark.parametrize("text", [None, [], {}])
    def test_a_missing_text_is_empty(self, text):
        response = transcription({"text": text, "words": WORDS})
        assert (response.text, response.words) == ("", WORDS)

    @pytest.mark.filterwarnings("ignore::meshapi_core.ResponseWarning")
    @pytest.mark.parametrize("odd", ["a while", None, []])
    def test_an_odd_field_does_not_cost_the_others(self, odd):
        response = transcription({"text": "hello", "duration": odd, "words": [5, *WORDS]})
        assert (response.text, response.duration, response.words) == ("hello", None, WORDS)
        assert response.raw["duration"] == odd


class TestATranscriptionReadsLikeADict:
    @given(json_objects)
    def test_that_the_server_sent(self, fields):
        response = transcription(fields)
        assert dict(response) == {**response} == fields
        assert dict(response.items()) == fields
        assert list(response) == list(response.keys()) == list(fields)
        assert list(response.values()) == list(fields.values())
        assert all(response[name] == response.get(name) == fields[name] for name in fields)
        assert all(name in response for name in fields)
        assert json.loads(json.dumps(dict(response))) == fields

    def test_what_is_missing(self):
        response = transcription({"text": "hello"})
        assert "words" not in response
        assert 5 not in response
        assert response.get("words") is None
        assert response.get("words", []) == []
        with pytest.raises(KeyError):
            response["words"]

    def test_made_from_text_or_by_hand(self):
        response = attach(TranscriptionResponse(text="1\n"), b'"1\\n"', meta_with(""))
        assert response.raw == "1\n"
        assert dict(response) == {"text": "1\n"}
        assert dict(TranscriptionResponse()) == {"text": ""}
        assert dict(TranscriptionResponse(words=WORDS)) == {"text": "", "words": WORDS}

    @pytest.mark.parametrize("copied", [copy.copy, lambda a: pickle.loads(pickle.dumps(a))])
    def test_copies_do_so_too(self, copied):
        assert dict(copied(transcription({"text": "a", "new": 1}))) == {"text": "a", "new": 1}

    def test_an_empty_one_is_still_a_response(self):
        assert transcription({})
        assert transcription({}) == TranscriptionResponse()


@pytest.mark.filterwarnings("ignore::meshapi_core.ResponseWarning")
def test_voices_keep_what_the_gateway_says_now_and_said_before():
    """`count` and `truncated` are kept."""
    sent = {
        "voices": [{"voice_id": "v", "name": "n", "labels": None, "brand": "b"}, None, "x"],
        "count": 3,
        "truncated": True,
        "next_page_token": "t",
    }
    response = decode(msgspec.json.encode(sent), VOICES)
    assert (response.count, response.truncated, response.next_page_token) == (3, True, "t")
    (voice,) = response.voices
    assert (voice.voice_id, voice.labels) == ("v", {})
    assert voice.raw == sent["voices"][0]
