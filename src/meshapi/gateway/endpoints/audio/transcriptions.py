"""/v1/audio/transcriptions and translations: the text only states what was uploaded.

An upload is spooled to disk while its request lasts, and not kept. With `webhook`, the response is
an acknowledgement, and no webhook is sent; the transcription is `processing` at the first look at
it, which is a GET of that transcription, and `completed` at the second.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from meshapi.gateway import failing_models
from meshapi.gateway.content.audio import format_of, wav_bytes_per_second
from meshapi.gateway.endpoints.audio.transcription import Transcription, Transcriptions
from meshapi.gateway.http.auth import protected
from meshapi.gateway.http.errors import GatewayError
from meshapi.gateway.http.forms import Form, decimal, flag_word, read_form
from meshapi.gateway.http.query import Reader, flag, read_query, whole, word, words
from meshapi.gateway.http.responses import json_response, whole_response
from meshapi.gateway.http.validation import detail, integer, invalid, number, one_of
from meshapi.gateway.http.wire import dump
from meshapi.gateway.models import (
    DEFAULT_TRANSCRIPTION_MODEL,
    FAILING_MODELS,
    TRANSCRIPTION_MODELS,
    choose_from,
)
from meshapi.gateway.scripts.handover import reply_to
from meshapi.gateway.state import GatewayState

# Models that can translate audio into English.
_TRANSLATING = frozenset({"openai/whisper-1", "sarvam/saaras-v2.5"})
_DEFAULT_TRANSLATING = "sarvam/saaras-v2.5"

_FORMATS = ("json", "verbose_json", "text", "srt", "vtt")
_MEDIA_TYPES = {"text": "text/plain", "srt": "application/x-subrip", "vtt": "text/vtt"}

_TRANSCRIBED = "A local gateway does not listen: it received {upload}."
_TRANSLATED = "A local gateway does not translate: it received {upload}."

# Made up: bytes per second, for audio that does not state its own.
_BYTES_PER_SECOND = 16_000


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

    async def one(request: Request) -> Response:
        made = state.store(Transcriptions).get(request.path_params["id"])
        made.looks += 1
        return json_response(made.as_object())

    async def translate(request: Request) -> Response:
        async with read_form(request, {}, _TRANSLATE) as form:
            asked = form.values.get("model")
            model = choose_from(TRANSCRIPTION_MODELS, asked, _DEFAULT_TRANSLATING)
            made = await _translated(state, request, model, form)
        return await _written(request, model, form, made)

    async def translations(request: Request) -> Response:
        async with read_form(request, {"model": word()}, _TRANSLATIONS) as form:
            model = form.values["model"]
            if model not in _TRANSLATING | FAILING_MODELS:
                message = f"Model '{model}' can't translate audio."
                raise GatewayError(422, "model_capability_not_supported", message)
            made = await _translated(state, request, model, form)
        return await _written(request, model, form, made)

    return [
        protected(state, "/v1/audio/transcriptions", ["POST"], partial(_transcribe, state)),
        protected(state, "/v1/audio/transcriptions/translate", ["POST"], translate),
        protected(state, "/v1/audio/transcriptions/{id}", ["GET"], one),
        protected(state, "/v1/audio/translations", ["POST"], translations),
    ]


@dataclass(frozen=True)
class _Upload:
    """What is known about an upload."""

    description: str
    seconds: float

    def __str__(self) -> str:
        return self.description


async def _transcribe(state: GatewayState, request: Request) -> Response:
    read_query(request, {"enable_logging": flag()})
    async with read_form(request, {"model": word()}, _TRANSCRIBE) as form:
        known = TRANSCRIPTION_MODELS
        model = choose_from(known, form.values["model"], DEFAULT_TRANSCRIPTION_MODEL)
        failing_models.refuse(state, model)
        upload = await _received(form, linked=True)
    language = form.values.get("language_code") or "en"
    said = reply_to(request)
    text = _TRANSCRIBED.format(upload=upload) if said is None else said.text or ""
    made = Transcription(text, upload.seconds, language)
    state.store(Transcriptions).put(made.id, made)
    if form.values.get("webhook"):
        made.looks = 0
        return json_response(_acknowledgement(request, made), 202)
    return await _written(request, model, form, made)


async def _translated(
    state: GatewayState, request: Request, model: str, form: Form
) -> Transcription:
    failing_models.refuse(state, model)
    upload = await _received(form)
    said = reply_to(request)
    text = _TRANSLATED.format(upload=upload) if said is None else said.text or ""
    return Transcription(text, upload.seconds, "en")


def _acknowledgement(request: Request, made: Transcription) -> dict[str, Any]:
    return {
        "message": "The transcription was accepted. The local gateway sends no webhooks: poll it.",
        "request_id": request.state.request_id,
        "transcription_id": made.id,
    }


async def _written(request: Request, model: str, form: Form, made: Transcription) -> Response:
    """The transcription as a response, in the requested format."""
    kind = form.values.get("response_format") or "json"
    if kind in ("json", "verbose_json"):
        return await whole_response(request, model, dump(made.whole(kind == "verbose_json")))
    text = f"{made.text}\n" if kind == "text" else made.subtitles(kind)
    media_type = f"{_MEDIA_TYPES[kind]}; charset=utf-8"
    return await whole_response(request, model, text.encode(), media_type=media_type)


async def _received(form: Form, *, linked: bool = False) -> _Upload:
    """The size and the format of the upload.

    Args:
        linked: whether a link may take the place of a file; it is not fetched.

    Raises:
        GatewayError: 422, if there is neither.
    """
    uploads = form.files.get("file")
    if uploads:
        return await _described(uploads[-1])
    link = form.values.get("source_url") or form.values.get("cloud_storage_url")
    if linked and link:
        return _Upload(f"a link to {link}", 0.0)
    raise invalid(detail("missing", ("body", "file"), "Field required"))


async def _described(upload: UploadFile) -> _Upload:
    beginning = await upload.read(64)
    size = upload.size or 0
    rate = wav_bytes_per_second(beginning) or _BYTES_PER_SECOND
    seconds = round(size / rate, 3)
    return _Upload(f"{size:,} bytes of {format_of(beginning)}", seconds)
