"""POST /v1/audio/speech: not speech but a tone, whose length depends on that of the text.

`wav` and `pcm`, also with a rate as in `wav_44100`, are a tone that differs from voice to voice.
`mp3`, the default, is a valid MP3 file of the same length, but silent. No other format can be
encoded. The response is chunked unless `stream` is false, which `wav_<rate>` needs.
"""

import re
from collections.abc import AsyncIterator
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from meshapi.gateway import clock, failing_models
from meshapi.gateway.content.audio import seconds_to_say, silent_mp3, tone, wav
from meshapi.gateway.http.auth import protected
from meshapi.gateway.http.errors import GatewayError
from meshapi.gateway.http.responses import whole_response
from meshapi.gateway.http.streams import BreakableResponse
from meshapi.gateway.http.validation import (
    Check,
    array,
    boolean,
    detail,
    fields,
    integer,
    invalid,
    number,
    only_fields,
    read_json,
    string,
    text,
)
from meshapi.gateway.models import DEFAULT_SPEECH_MODEL, SPEECH_MODELS, choose_from
from meshapi.gateway.state import GatewayState

_CHUNK = 16 * 1024
_RATES = range(8000, 48001)
_DEFAULT_RATE = 24000
_FORMAT = re.compile(r"(mp3|wav|pcm)(?:_(\d{1,6})(?:_\d{1,3})?)?", re.ASCII)
_KNOWN = re.compile(r"(?:mp3|wav|pcm|opus|aac|flac|ulaw|alaw)(?:_\d{1,6})*", re.ASCII)
_MEDIA_TYPES = {"mp3": "audio/mpeg", "wav": "audio/wav", "pcm": "audio/pcm"}

_SETTINGS: Check = fields(
    {},
    {
        "stability": number(ge=0, le=1),
        "similarity_boost": number(ge=0, le=1),
        "style": number(ge=0, le=1),
        "use_speaker_boost": boolean,
        "speed": number(gt=0),
    },
)
_SCHEMA: Check = only_fields(
    {"input": text(min_length=1, max_length=100_000)},
    {
        **dict.fromkeys(
            ("model", "voice", "response_format", "language_code", "previous_text", "next_text"),
            string,
        ),
        **dict.fromkeys(
            ("apply_text_normalization", "speaker", "target_language_code"),
            string,
        ),
        **dict.fromkeys(
            ("stream", "apply_language_text_normalization", "use_pvc_as_ivc", "enable_logging"),
            boolean,
        ),
        "enable_preprocessing": boolean,
        "voice_settings": _SETTINGS,
        "pronunciation_dictionary_locators": array(
            fields({"pronunciation_dictionary_id": string, "version_id": string}, {})
        ),
        "previous_request_ids": array(string),
        "next_request_ids": array(string),
        "seed": integer(),
        "optimize_streaming_latency": integer(ge=0, le=4),
        "speech_sample_rate": integer(ge=_RATES.start, le=_RATES.stop - 1),
        "pitch": number(),
        "pace": number(gt=0),
        "loudness": number(),
    },
)


def routes(state: GatewayState) -> list[Route]:
    """This file's endpoint."""

    async def speak(request: Request) -> Response:
        body = await read_json(request, _SCHEMA)
        model = choose_from(SPEECH_MODELS, body.get("model"), DEFAULT_SPEECH_MODEL)
        codec, rate = _codec(body)
        failing_models.refuse(state, model)
        data = _encode(body, codec, rate)
        if body.get("stream") is False:
            return await whole_response(request, model, data, media_type=_MEDIA_TYPES[codec])
        await failing_models.hold_back(model, request)
        return BreakableResponse(
            _pieces(failing_models.body_of(model, data), state.pause),
            media_type=_MEDIA_TYPES[codec],
        )

    return [protected(state, "/v1/audio/speech", ["POST"], speak)]


def _codec(body: dict[str, Any]) -> tuple[str, int]:
    """The format and its sample rate.

    Raises:
        GatewayError: 422 if there is no such format; 501 if this gateway can't encode it; 400 if
            it can't be streamed.
    """
    wanted: str = body.get("response_format") or "mp3"
    found = _FORMAT.fullmatch(wanted)
    if not _KNOWN.fullmatch(wanted):
        message = f"Value error, unknown audio format: {wanted}"
        raise invalid(detail("value_error", ("body", "response_format"), message))
    if found is None:
        raise GatewayError(501, "not_implemented", f"The local gateway can't encode {wanted}.")
    codec, rate = found[1], int(found[2] or body.get("speech_sample_rate") or _DEFAULT_RATE)
    if rate not in _RATES:
        message = f"Value error, expected a rate from {_RATES[0]} to {_RATES[-1]}, got {rate}"
        raise invalid(detail("value_error", ("body", "response_format"), message))
    if codec == "wav" and found[2] and body.get("stream") is not False:
        message = f"{wanted} can't be streamed: set stream to false."
        raise GatewayError(400, "invalid_request", message)
    return codec, rate


def _encode(body: dict[str, Any], codec: str, rate: int) -> bytes:
    settings: dict[str, Any] = body.get("voice_settings") or {}
    pace: float = body.get("pace") or settings.get("speed") or 1.0
    seconds = seconds_to_say(body["input"], pace)
    if codec == "mp3":
        return silent_mp3(seconds)
    samples = tone(body.get("voice") or body.get("speaker") or "", seconds, rate)
    return wav(samples, rate) if codec == "wav" else samples


async def _pieces(body: AsyncIterator[bytes], pause: float) -> AsyncIterator[bytes]:
    async for data in body:
        for start in range(0, len(data), _CHUNK):
            await clock.sleep(pause)
            yield data[start : start + _CHUNK]
