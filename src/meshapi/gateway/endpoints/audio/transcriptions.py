"""/v1/audio/transcriptions and translations: nobody listens, and the text says what was received.

An upload may have any size: it is spooled to disk while its request lasts, and not kept. With
`webhook` the answer is an acknowledgement, and nobody is called back; the transcription is
`processing` at the first look at it, and `completed` at the second.
"""

import struct
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Optional

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from meshapi.gateway import failing_models
from meshapi.gateway.content.answers import count_words
from meshapi.gateway.http.auth import protected
from meshapi.gateway.http.errors import GatewayError
from meshapi.gateway.http.forms import Form, decimal, flag_word, read_form
from meshapi.gateway.http.query import Reader, flag, read_query, whole, word, words
from meshapi.gateway.http.replies import json_reply, whole_reply
from meshapi.gateway.http.validation import detail, integer, invalid, number, one_of
from meshapi.gateway.http.wire import dump, ulid
from meshapi.gateway.models import (
    DEFAULT_TRANSCRIPTION_MODEL,
    FAILING_MODELS,
    TRANSCRIPTION_MODELS,
    choose_from,
)
from meshapi.gateway.state import GatewayState
from meshapi.gateway.store import Store

# Models that listen in one language and answer in English.
_TRANSLATING = frozenset({"openai/whisper-1", "sarvam/saaras-v2.5"})
_DEFAULT_TRANSLATING = "sarvam/saaras-v2.5"

_FORMATS = ("json", "verbose_json", "text", "srt", "vtt")
_MEDIA_TYPES = {"text": "text/plain", "srt": "application/x-subrip", "vtt": "text/vtt"}

# Made up: how long a word takes, and how many bytes a second of audio has if it does not say.
_SECONDS_PER_WORD = 0.4
_BYTES_PER_SECOND = 16_000

# The first bytes of a file, by what they say it is.
_BEGINNINGS = {
    b"ID3": "MP3",
    b"\xff\xfb": "MP3",
    b"\xff\xf3": "MP3",
    b"fLaC": "FLAC",
    b"OggS": "Ogg",
    b"\x1aE\xdf\xa3": "WebM",
}

_TEMPERATURE = decimal(number(ge=0, le=2))
_RESPONSE_FORMAT = word(one_of(*_FORMATS))
_TRANSCRIBE: Mapping[str, Reader] = {
    **dict.fromkeys(("language_code", "timestamps_granularity", "additional_formats"), word()),
    **dict.fromkeys(("file_format", "cloud_storage_url", "source_url", "webhook_id"), word()),
    **dict.fromkeys(("webhook_metadata", "entity_detection", "entity_redaction"), word()),
    "entity_redaction_mode": word(),
    **dict.fromkeys(("tag_audio_events", "diarize", "webhook", "use_multi_channel"), flag_word),
    **dict.fromkeys(("no_verbatim", "detect_speaker_roles", "with_timestamps"), flag_word),
    "debug_mode": flag_word,
    "keyterms": words(),
    "num_speakers": whole(integer(ge=1, le=32)),
    "seed": whole(integer()),
    "diarization_threshold": decimal(number(ge=0)),
    "temperature": _TEMPERATURE,
    "response_format": _RESPONSE_FORMAT,
}
_TRANSLATE: Mapping[str, Reader] = {"model": word(), "prompt": word()}
_TRANSLATIONS: Mapping[str, Reader] = {
    "prompt": word(),
    "response_format": _RESPONSE_FORMAT,
    "temperature": _TEMPERATURE,
}


def routes(state: GatewayState) -> list[Route]:
    """This file's endpoints."""

    async def transcribe(request: Request) -> Response:
        read_query(request, {"enable_logging": flag()})
        async with read_form(request, {"model": word()}, _TRANSCRIBE) as form:
            known = TRANSCRIPTION_MODELS
            model = choose_from(known, form.values["model"], DEFAULT_TRANSCRIPTION_MODEL)
            failing_models.refuse(state, model)
            heard = await _hear(form, linked=True)
        language = form.values.get("language_code") or "en"
        made = _Transcription(_TRANSCRIBED.format(heard=heard), heard.seconds, language)
        state.store(_Transcriptions).put(made.id, made)
        if form.values.get("webhook"):
            made.looks = 0
            return json_reply(_acknowledgement(request, made), 202)
        return await _written(request, model, form, made)

    async def one(request: Request) -> Response:
        made = state.store(_Transcriptions).get(request.path_params["id"])
        made.looks += 1
        return json_reply(made.as_object())

    async def translate(request: Request) -> Response:
        async with read_form(request, {}, _TRANSLATE) as form:
            asked = form.values.get("model")
            model = choose_from(TRANSCRIPTION_MODELS, asked, _DEFAULT_TRANSLATING)
            failing_models.refuse(state, model)
            heard = await _hear(form)
        made = _Transcription(_TRANSLATED.format(heard=heard), heard.seconds, "en")
        return await _written(request, model, form, made)

    async def translations(request: Request) -> Response:
        async with read_form(request, {"model": word()}, _TRANSLATIONS) as form:
            model = form.values["model"]
            if model not in _TRANSLATING | FAILING_MODELS:
                message = f"Model '{model}' can't translate audio."
                raise GatewayError(422, "model_capability_not_supported", message)
            failing_models.refuse(state, model)
            heard = await _hear(form)
        made = _Transcription(_TRANSLATED.format(heard=heard), heard.seconds, "en")
        return await _written(request, model, form, made)

    return [
        protected(state, "/v1/audio/transcriptions", ["POST"], transcribe),
        protected(state, "/v1/audio/transcriptions/translate", ["POST"], translate),
        protected(state, "/v1/audio/transcriptions/{id}", ["GET"], one),
        protected(state, "/v1/audio/translations", ["POST"], translations),
    ]


_TRANSCRIBED = "A local gateway does not listen: it received {heard}."
_TRANSLATED = "A local gateway does not translate: it received {heard}."


@dataclass(frozen=True)
class _Heard:
    """What there is to say of the audio."""

    description: str
    seconds: float

    def __str__(self) -> str:
        return self.description


@dataclass
class _Transcription:
    text: str
    seconds: float
    language: str
    looks: int = 2
    id: str = ""

    def __post_init__(self) -> None:
        self.id = f"trn_{ulid()}"

    @property
    def words(self) -> list[dict[str, Any]]:
        return [
            {"text": text, "word": text, "type": "word", **_span(number, number + 1)}
            for number, text in enumerate(self.text.split())
        ]

    def as_object(self) -> dict[str, Any]:
        """As it is seen when it is asked for later."""
        if self.looks < 2:
            return {"transcription_id": self.id, "status": "processing", "text": None}
        return {"status": "completed", **self.whole(verbose=True)}

    def whole(self, verbose: bool) -> dict[str, Any]:
        brief = {
            "text": self.text,
            "transcription_id": self.id,
            "language_code": self.language,
            "language_probability": 1.0,
        }
        if not verbose:
            return brief
        times = _span(0, count_words(self.text))
        more = {"task": "transcribe", "language": self.language, "duration": self.seconds}
        return {
            **brief,
            **more,
            "words": self.words,
            "segments": [{"id": 0, "text": self.text, **times}],
        }

    def subtitles(self, kind: str) -> str:
        end = _span(0, count_words(self.text))["end"]
        mark = "." if kind == "vtt" else ","
        times = f"{_clock(0, mark)} --> {_clock(end, mark)}"
        head = "WEBVTT\n\n" if kind == "vtt" else "1\n"
        return f"{head}{times}\n{self.text}\n"


class _Transcriptions(Store[_Transcription]):
    what = "Transcription"


def _span(first: int, last: int) -> dict[str, float]:
    return {
        "start": round(first * _SECONDS_PER_WORD, 3),
        "end": round(last * _SECONDS_PER_WORD, 3),
    }


def _clock(seconds: float, mark: str) -> str:
    milliseconds = round(seconds * 1000)
    minutes, rest = divmod(milliseconds, 60_000)
    hours, minutes = divmod(minutes, 60)
    return f"{hours:02}:{minutes:02}:{rest // 1000:02}{mark}{rest % 1000:03}"


def _acknowledgement(request: Request, made: _Transcription) -> dict[str, Any]:
    return {
        "message": "The transcription was accepted. A local gateway calls nobody back.",
        "request_id": request.state.request_id,
        "transcription_id": made.id,
    }


async def _written(request: Request, model: str, form: Form, made: _Transcription) -> Response:
    """The answer in the format that was asked for."""
    kind = form.values.get("response_format") or "json"
    if kind in ("json", "verbose_json"):
        return await whole_reply(request, model, dump(made.whole(kind == "verbose_json")))
    text = f"{made.text}\n" if kind == "text" else made.subtitles(kind)
    media_type = f"{_MEDIA_TYPES[kind]}; charset=utf-8"
    return await whole_reply(request, model, text.encode(), media_type=media_type)


async def _hear(form: Form, *, linked: bool = False) -> _Heard:
    """The size and the format of the upload.

    Args:
        linked: a link will do in place of a file; nothing is fetched.

    Raises:
        GatewayError: 422, there is neither.
    """
    uploads = form.files.get("file")
    if uploads:
        return await _described(uploads[-1])
    link = form.values.get("source_url") or form.values.get("cloud_storage_url")
    if linked and link:
        return _Heard(f"a link to {link}", 0.0)
    raise invalid(detail("missing", ("body", "file"), "Field required"))


async def _described(upload: UploadFile) -> _Heard:
    beginning = await upload.read(64)
    size = upload.size or 0
    rate = _wav_rate(beginning) or _BYTES_PER_SECOND
    seconds = round(size / rate, 3)
    return _Heard(f"{size:,} bytes of {_format_of(beginning)}", seconds)


def _format_of(beginning: bytes) -> str:
    if _wav_rate(beginning) is not None:
        return "WAV audio"
    if beginning[4:8] == b"ftyp":
        return "MP4 audio"
    for start, name in _BEGINNINGS.items():
        if beginning.startswith(start):
            return f"{name} audio"
    return "something that is no audio it knows"


def _wav_rate(beginning: bytes) -> Optional[int]:
    """Bytes a second of a WAV file; None of anything else."""
    if beginning[:4] != b"RIFF" or beginning[8:12] != b"WAVE" or len(beginning) < 32:
        return None
    rate: int = struct.unpack("<I", beginning[28:32])[0]
    return rate or _BYTES_PER_SECOND
