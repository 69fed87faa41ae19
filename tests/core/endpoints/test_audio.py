"""endpoints.audio: what is refused before anything is sent, names of files, and other formats."""

import io
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.endpoints.audio import Audio
from meshapi_core.errors import InvalidParamsError
from meshapi_core.headers import Headers
from meshapi_core.messages import Response
from meshapi_core.multipart import Multipart
from meshapi_core.signals import END_OF_STREAM, NEED_DATA
from meshapi_core.types.audio import (
    AudioTranslationsParams,
    SpeechParams,
    TranscriptionParams,
    TranscriptionResponse,
)
from support.structs import texts

UPLOADS = [Audio.transcribe.build, Audio.translate.build, Audio.audio_translate.build]
BY_ID = [Audio.get_transcription.build, Audio.get_voice.build]


def form(*args: Any, **kwargs: Any) -> Multipart:
    body = Audio.transcribe.build(*args, **kwargs).body
    assert isinstance(body, Multipart)
    return body


def make_response(body: bytes, content_type: str) -> Response:
    headers = Headers([("content-type", content_type), ("x-request-id", "req_1")])
    return Response(200, headers, body)


# Files


class OpenFile(io.BytesIO):
    """An open file whose name is its path, or only its descriptor."""

    def __init__(self, name: Any) -> None:
        super().__init__(b"sound")
        self.name = name


@pytest.mark.parametrize(
    ("source", "name"),
    [
        (b"sound", "audio.mp3"),
        (bytearray(b"sound"), "audio.mp3"),
        (io.BytesIO(b"sound"), "audio.mp3"),
        ([b"so", b"und"], "audio.mp3"),
        ("/music/song.flac", "song.flac"),
        (Path("music") / "song.flac", "song.flac"),
        (OpenFile("/music/song.flac"), "song.flac"),
        (OpenFile(7), "audio.mp3"),
    ],
)
def test_a_file_goes_by_its_own_name_if_it_has_one(source, name):
    (part,) = form(source, model="m").files
    assert (part.name, part.filename) == ("file", name)
    (part,) = form(source, model="m", filename="a.wav").files
    assert part.filename == "a.wav"


@pytest.mark.parametrize("build", UPLOADS)
@pytest.mark.parametrize(
    ("source", "given", "kind"),
    [
        ("talk.WAV", {}, "audio/wav"),
        (b"sound", {"filename": "a.flac"}, "audio/flac"),
        (b"sound", {}, "audio/mpeg"),  # as the name says under which it is sent
        (("a.ogg", b"sound"), {}, "audio/ogg"),
        (("a.ogg", b"sound", "audio/x-own"), {}, "audio/x-own"),
        (("a.ogg", b"sound", "audio/x-own"), {"content_type": "audio/y"}, "audio/y"),
        ("talk.wav", {"filename": "talk"}, "audio/wav"),
        ("talk", {}, "application/octet-stream"),
    ],
)
def test_a_file_has_the_content_type_that_is_given_or_that_its_name_says(
    build, source, given, kind
):
    """Other clients always sent application/octet-stream, which some servers refuse for audio."""
    (part,) = build(source, model="m", **given).body.files
    assert part.content_type == kind


def test_a_content_type_that_would_be_another_header_is_refused():
    with pytest.raises(InvalidParamsError, match=r"^content_type: expected a media type"):
        form(b"sound", model="m", content_type="audio/wav\r\nx: y")


@pytest.mark.parametrize("build", UPLOADS)
@pytest.mark.parametrize(
    ("source", "got"),
    [
        (5, "int"),
        ({"file": b""}, "dict"),
        (io.StringIO("text"), 'a file opened as text; open it with "rb"'),
        (TranscriptionParams(model="m"), "TranscriptionParams"),
    ],
)
def test_what_is_no_file_is_refused(build, source, got):
    with pytest.raises(InvalidParamsError) as caught:
        build(source, model="m")
    assert caught.value.field == "file"
    assert str(caught.value).endswith(f"got {got}")


@pytest.mark.parametrize("build", UPLOADS)
def test_a_name_that_is_no_text_is_refused(build):
    with pytest.raises(
        InvalidParamsError, match=r"filename: expected str, got pathlib\.\w+Path; write x.name"
    ):
        build(b"sound", model="m", filename=Path("a.mp3"))


class TestT7AFileIsNotNeededWhereAUrlIsGiven:
    @pytest.mark.parametrize("name", ["source_url", "cloud_storage_url"])
    def test_in_both_call_forms(self, name):
        fields = {"model": "m", name: "https://example.com/a.mp3"}
        expected = Multipart((("model", "m"), (name, "https://example.com/a.mp3")))
        assert form(**fields) == expected
        assert form(None, TranscriptionParams(**fields)) == expected

    def test_with_neither_it_is_refused_before_anything_is_sent(self):
        for args, kwargs in (((), {"model": "m"}), ((None, TranscriptionParams(model="m")), {})):
            with pytest.raises(InvalidParamsError) as caught:
                form(*args, **kwargs)
            assert str(caught.value) == (
                "file: expected bytes, a path or an open file, got nothing; "
                "or give source_url or cloud_storage_url"
            )

    @pytest.mark.parametrize("build", UPLOADS[1:])
    def test_the_others_need_one(self, build):
        with pytest.raises(InvalidParamsError, match=r"got nothing$"):
            build(None, model="m")

    def test_both_are_sent_for_the_gateway_to_choose(self):
        sent = form(b"sound", model="m", source_url="https://example.com/a.mp3")
        assert len(sent.files) == 1
        assert ("source_url", "https://example.com/a.mp3") in sent.fields

    def test_an_empty_file_is_a_file(self):
        assert len(form(b"", model="m").files) == 1


# Fields


class TestH7FormFieldsAreNotPythonReprs:
    """Other clients sent a list as `['alpha', 'beta']` and a bool as `True`."""

    @given(st.lists(texts, max_size=3), st.booleans(), st.integers(0, 99))
    def test_lists_are_repeated_and_booleans_are_in_lower_case(self, terms, diarize, seed):
        params = TranscriptionParams(model="m", keyterms=terms, diarize=diarize, seed=seed)
        sent = form(b"", params).fields
        assert [value for name, value in sent if name == "keyterms"] == terms
        assert ("diarize", "true" if diarize else "false") in sent
        assert ("seed", str(seed)) in sent
        assert form(b"", model="m", keyterms=terms, diarize=diarize, seed=seed).fields == tuple(
            sorted(sent, key=lambda field: ["model", "keyterms", "diarize", "seed"].index(field[0]))
        )

    def test_any_sequence_is_a_list(self):
        sent = form(b"", model="m", keyterms=("a", "b")).fields
        assert sent == (("model", "m"), ("keyterms", "a"), ("keyterms", "b"))


def test_logging_is_chosen_in_the_query_and_not_in_the_form():
    call = Audio.transcribe.build(b"", TranscriptionParams(model="m"), enable_logging=False)
    assert call.query == (("enable_logging", "false"),)
    assert isinstance(call.body, Multipart)
    assert call.body.fields == (("model", "m"),)
    with pytest.raises(InvalidParamsError, match="enable_logging: expected bool, got str"):
        Audio.transcribe.build(b"", model="m", enable_logging="no")


@pytest.mark.parametrize(
    ("build", "args", "message"),
    [
        (UPLOADS[0], (b"",), "model: expected str, got nothing"),
        (UPLOADS[2], (b"", AudioTranslationsParams(model=5)), "model: expected str, got int"),
        (
            UPLOADS[1],
            (b"", {"model": "m"}),
            (
                "params: expected TranscriptionTranslateParams, got dict; pass it as "
                "keywords: **params"
            ),
        ),
        (UPLOADS[0], (b"", AudioTranslationsParams(model="m")), "expected TranscriptionParams"),
    ],
)
def test_wrong_parameters_are_named(build, args, message):
    with pytest.raises(InvalidParamsError) as caught:
        build(*args)
    assert message in str(caught.value)


# Responses


@pytest.mark.parametrize(
    "call",
    [*(build(b"", model="m") for build in UPLOADS), Audio.get_transcription.build("t")],
    ids=lambda call: call.path,
)
class TestH8ResponsesThatAreNoJson:
    """Other clients crashed with response_format="text"."""

    @pytest.mark.parametrize("content_type", ["text/plain; charset=utf-8", "text/vtt", ""])
    def test_are_the_text(self, call, content_type):
        response = call.read(make_response("WEBVTT\n\nhällo".encode(), content_type))
        assert response == TranscriptionResponse(text="WEBVTT\n\nhällo")
        assert response.raw == "WEBVTT\n\nhällo"
        assert response._request_id == "req_1"

    def test_and_those_that_are_stay_json(self, call):
        response = call.read(
            make_response(b'{"text":"a","new":1}', "application/json; charset=utf-8")
        )
        assert (response.text, response["new"]) == ("a", 1)


# Speech


def test_streaming_is_what_the_method_says():
    assert json.loads(Audio.stream.build(input="a").body) == {"input": "a", "stream": True}
    params = SpeechParams(input="a", stream=True)
    assert json.loads(Audio.stream.build(params).body) == {"input": "a", "stream": True}
    with pytest.raises(InvalidParamsError) as caught:
        Audio.stream.build(SpeechParams(input="a", stream=False))
    assert str(caught.value) == "stream: expected True, got False; use synthesize()"


def test_speech_is_given_out_while_it_comes():
    """Other clients kept the audio until all of it was there."""
    decoder = Audio.stream.build(input="a").read(Response(200, Headers([])))
    for piece in (b"so", b"und"):
        decoder.receive_data(piece)
        assert decoder.next_event() == piece
    assert decoder.next_event() is NEED_DATA
    decoder.receive_data(b"")
    assert decoder.next_event() is END_OF_STREAM


@pytest.mark.parametrize("stream", [None, True, False])
def test_whole_speech_may_be_asked_for_either_way(stream):
    wire = {"input": "a"} if stream is None else {"input": "a", "stream": stream}
    assert json.loads(Audio.synthesize.build(input="a", stream=stream).body) == wire
    params = SpeechParams(input="a", stream=stream)
    assert json.loads(Audio.synthesize.build(params).body) == wire


def test_the_parameters_come_in_one_form_only():
    with pytest.raises(
        InvalidParamsError, match="given together with params; put it into the SpeechParams"
    ):
        Audio.synthesize.build(SpeechParams(input="a"), stream=False)


# IDs


@pytest.mark.parametrize("build", BY_ID)
@pytest.mark.parametrize("bad", ["", ".", "..", None, 5, "\ud800"])
def test_an_id_that_leads_elsewhere_is_refused(build, bad):
    """Other clients sent an empty ID to the collection, and `..` to another endpoint."""
    with pytest.raises(InvalidParamsError, match=r"^(transcription|voice)_id: "):
        build(bad)


@pytest.mark.parametrize("build", BY_ID)
@given(st.text(st.characters(exclude_categories=["Cs"]), min_size=1))
def test_any_other_id_is_one_segment(build, value):
    """In other clients slashes and question marks changed the path."""
    if value not in (".", ".."):
        path = build(value).path
        assert path.count("/") == 4
        assert not set(path) & set("?#\\ ")
