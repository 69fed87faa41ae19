"""/v1/audio/voices: the voices of a made-up catalogue, page by page."""

import base64
from dataclasses import dataclass
from typing import Any, Optional

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from meshapi.gateway.content.audio import tone, wav
from meshapi.gateway.http.auth import protected, public, public_url
from meshapi.gateway.http.downloads import download
from meshapi.gateway.http.errors import GatewayError
from meshapi.gateway.http.query import flag, read_query, whole, word, words
from meshapi.gateway.http.responses import json_response
from meshapi.gateway.http.validation import integer, one_of
from meshapi.gateway.models import REPEATED_PAGE
from meshapi.gateway.state import GatewayState

_DEFAULT_PAGE, _LARGEST_PAGE = 10, 100
_TOKEN = "from:"
_PREVIEW_SECONDS, _PREVIEW_RATE = 2.0, 24000


@dataclass(frozen=True)
class _Voice:
    name: str
    category: str
    brand: str
    gender: str

    @property
    def id(self) -> str:
        return f"voice_{self.name.lower()}"

    @property
    def description(self) -> str:
        return f"{self.name}, a made-up {self.gender} voice of a local gateway"

    def as_object(self, request: Request) -> dict[str, Any]:
        return {
            "voice_id": self.id,
            "name": self.name,
            "category": self.category,
            "brand": self.brand,
            "description": self.description,
            "preview_url": public_url(request, f"/voices/{self.id}.wav"),
            "labels": {"gender": self.gender, "language": "en"},
        }


_VOICES = (
    _Voice("Alloy", "premade", "openai", "neutral"),
    _Voice("Anushka", "premade", "sarvam", "female"),
    _Voice("Aria", "premade", "elevenlabs", "female"),
    _Voice("Callum", "professional", "elevenlabs", "male"),
    _Voice("Charlotte", "professional", "elevenlabs", "female"),
    _Voice("Echo", "premade", "openai", "male"),
    _Voice("Fable", "premade", "openai", "neutral"),
    _Voice("Laura", "cloned", "elevenlabs", "female"),
    _Voice("Nova", "premade", "openai", "female"),
    _Voice("Onyx", "premade", "openai", "male"),
    _Voice("River", "generated", "elevenlabs", "neutral"),
    _Voice("Shimmer", "premade", "openai", "female"),
)

_LIST_QUERY = {
    "next_page_token": word(),
    "page_size": whole(integer(ge=1, le=_LARGEST_PAGE)),
    "search": word(),
    "sort": word(one_of("name", "created_at_unix")),
    "sort_direction": word(one_of("asc", "desc")),
    "voice_type": word(),
    "category": word(),
    "brand": word(),
    "model": word(),
    "include_total_count": flag(),
    "voice_ids": words(),
}


def routes(state: GatewayState) -> list[Route]:
    """This file's endpoints."""

    async def collection(request: Request) -> Response:
        return json_response(_page(request, read_query(request, _LIST_QUERY)))

    async def one(request: Request) -> Response:
        return json_response(_find(request.path_params["id"]).as_object(request))

    async def preview(request: Request) -> Response:
        voice = _find(request.path_params["id"])
        sound = wav(tone(voice.name, _PREVIEW_SECONDS, _PREVIEW_RATE), _PREVIEW_RATE)
        return download(state, request, sound, "audio/wav")

    return [
        protected(state, "/v1/audio/voices", ["GET"], collection),
        protected(state, "/v1/audio/voices/{id}", ["GET"], one),
        public("/voices/{id}.wav", ["GET"], preview),
    ]


def _find(voice_id: str) -> _Voice:
    for voice in _VOICES:
        if voice.id == voice_id:
            return voice
    raise GatewayError(404, "not_found", f"Voice '{voice_id}' was not found.")


def _page(request: Request, query: dict[str, Any]) -> dict[str, Any]:
    repeats = query.get("search") == REPEATED_PAGE
    found = [voice for voice in _VOICES if repeats or _fits(voice, query)]
    if query.get("sort_direction") == "desc":
        found.reverse()
    size: int = query.get("page_size", _DEFAULT_PAGE)
    start = _start_of(query.get("next_page_token"))
    start = 0 if repeats else start
    shown = found[start : start + size]
    more = repeats or start + size < len(found)
    counted = query.get("include_total_count", True)
    return {
        "voices": [voice.as_object(request) for voice in shown],
        "count": len(shown),
        "truncated": more,
        "has_more": more,
        "total_count": len(found) if counted else None,
        "next_page_token": _token_of(min(start + size, len(_VOICES) - 1)) if more else None,
    }


def _fits(voice: _Voice, query: dict[str, Any]) -> bool:
    text = f"{voice.name} {voice.description} {voice.category}".lower()
    ids: Optional[list[str]] = query.get("voice_ids")
    brand_of_model = (query.get("model") or voice.brand).partition("/")[0]
    return (
        query.get("search", "").lower() in text
        and query.get("category") in (None, voice.category)
        and query.get("brand") in (None, voice.brand)
        and brand_of_model == voice.brand
        and (ids is None or voice.id in ids)
    )


def _token_of(start: int) -> str:
    return base64.urlsafe_b64encode(f"{_TOKEN}{start}".encode()).decode()


def _start_of(token: Optional[str]) -> int:
    if token is None:
        return 0
    # Compare the token with all that this gateway issues: there are not many.
    for start in range(len(_VOICES)):
        if token == _token_of(start):
            return start
    message = "This gateway did not issue the next_page_token: pass the one of the page before."
    raise GatewayError(400, "invalid_request", message)
