"""GET /v1/models and paths below it: the table of `gateway/models.py` in the service's format."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any, Callable, Optional

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from meshapi.gateway.http.auth import protected
from meshapi.gateway.http.pages import offset_page, page_query
from meshapi.gateway.http.query import flag, read_query, word, words
from meshapi.gateway.http.responses import json_response
from meshapi.gateway.http.validation import one_of
from meshapi.gateway.models import MODELS, REPEATED_PAGE, Model, find_model
from meshapi.gateway.state import GatewayState

_DEFAULT_LIMIT, _HIGHEST_LIMIT = 50, 200

# By what a model is for: the `model_type` that the service gives it, and what it writes.
_KINDS = {
    "chat": ("text", "text"),
    "embedding": ("embedding", "embedding"),
    "image": ("image", "image"),
    "video": ("video", "video"),
    "speech": ("audio", "audio"),
    "transcription": ("audio", "text"),
    "realtime": ("audio", "audio"),
}
_EDITS = ("edit", "inpaint", "outpaint", "mix", "reframe", "upscale", "remove_background")

_LIST_QUERY = {
    "free": flag(),
    "type": word(one_of("text", "embedding", "image", "audio", "video")),
    "provider": word(),
}
_SEARCH_QUERY = {
    "q": word(),
    "free": flag(),
    "discounted": flag(),
    "input_modality": words(),
    "output_modality": words(),
    "brand": words(),
    "sort": word(one_of("brand", "name", "id", "context_length", "price")),
    "order": word(one_of("asc", "desc")),
    **page_query(_HIGHEST_LIMIT),
}

_Info = dict[str, Any]
_Test = Callable[[_Info], bool]


def routes(state: GatewayState) -> list[Route]:
    """This file's endpoints."""

    async def list_all(request: Request) -> Response:
        query = read_query(request, _LIST_QUERY)
        return json_response(_such(_list_tests(query)))

    async def free(request: Request) -> Response:
        return json_response(_such(_list_tests({"free": True})))

    async def paid(request: Request) -> Response:
        return json_response(_such(_list_tests({"free": False})))

    async def search(request: Request) -> Response:
        return json_response(_search(read_query(request, _SEARCH_QUERY)))

    async def get(request: Request) -> Response:
        found = _find(request.path_params["id"])
        return _missing(request) if found is None else json_response(found)

    async def providers(request: Request) -> Response:
        found = _find(request.path_params["id"])
        return _missing(request) if found is None else json_response(_providers(found))

    # The ID of a model has a slash, so the longer path has to be tried first.
    return [
        protected(state, "/v1/models", ["GET"], list_all),
        protected(state, "/v1/models/free", ["GET"], free),
        protected(state, "/v1/models/paid", ["GET"], paid),
        protected(state, "/v1/models/search", ["GET"], search),
        protected(state, "/v1/models/{id:path}/providers", ["GET"], providers),
        protected(state, "/v1/models/{id:path}", ["GET"], get),
    ]


def _missing(request: Request) -> Response:
    # Here the service does not use its envelope.
    return json_response({"detail": f"Model '{request.path_params['id']}' not found"}, 404)


def _find(model_id: str) -> Optional[_Info]:
    # Those that fail on purpose are found, but in no list, so that nobody uses one unawares.
    found = find_model(model_id)
    return None if found is None else _info(found)


def _such(tests: Sequence[_Test]) -> list[_Info]:
    infos = (_info(model) for model in MODELS)
    return [info for info in infos if all(test(info) for test in tests)]


def _list_tests(query: dict[str, Any]) -> list[_Test]:
    wanted = {"free": "is_free", "type": "model_type", "provider": "provider"}
    return [_equals(key, query[name]) for name, key in wanted.items() if name in query]


def _sort_value(info: dict[str, Any], key: str) -> Any:
    if key == "price":
        # The first price of the model; which one that is depends on the kind of model.
        prices = [text for name, text in info["pricing"].items() if "_usd_" in name]
        return float(prices[0]) if prices else 0.0
    return info[key] or 0 if key == "context_length" else info[key]


def _search(query: dict[str, Any]) -> dict[str, Any]:
    found = _such(_search_tests(query))
    brands = sorted({info["brand"] for info in found})
    if query.get("brand"):
        found = [info for info in found if info["brand"] in query["brand"]]
    key = query.get("sort", "id")
    # The ID decides between equals, so that no page repeats a row of another.
    found.sort(key=lambda info: (_sort_value(info, key), info["id"]))
    if query.get("order") == "desc":
        found.reverse()
    repeats = query.get("q") == REPEATED_PAGE
    page = offset_page("items", found, query, default=_DEFAULT_LIMIT, repeats=repeats)
    return {**page, "brands": brands}


def _search_tests(query: dict[str, Any]) -> list[_Test]:
    """The tests for all filters but the brand: choosing brands must not shorten their list."""
    tests = _list_tests({"free": query["free"]} if "free" in query else {})
    if "q" in query and query["q"] != REPEATED_PAGE:
        tests.append(_says(query["q"]))
    if "discounted" in query:
        tests.append(_discounted(query["discounted"]))
    for name in ("input", "output"):
        if f"{name}_modality" in query:
            tests.append(_holds(f"{name}_modalities", query[f"{name}_modality"]))
    return tests


def _equals(key: str, value: Any) -> _Test:
    return lambda info: info[key] == value


def _says(text: str) -> _Test:
    asked = text.strip().lower()
    return lambda info: asked in f"{info['id']} {info['name']} {info['description']}".lower()


def _discounted(wanted: bool) -> _Test:
    return lambda info: ("discount_pct" in info["pricing"]) is wanted


def _holds(key: str, values: Sequence[str]) -> _Test:
    return lambda info: set(values) <= set(info[key])


def _info(model: Model) -> _Info:
    kind, writes = _KINDS[model.use]
    reads = "audio" if model.use == "transcription" else "text"
    chats = model.use == "chat"
    edits = model.use == "image" and bool(model.reads)
    return {
        "id": model.id,
        "name": model.name,
        "description": f"{model.name}, as a local gateway plays it.",
        "brand": model.brand,
        "provider": model.brand,
        "model_type": kind,
        "is_free": model.is_free,
        "context_length": model.context or None,
        "context_window": model.context or None,
        "input_modalities": [reads, *model.reads],
        "output_modalities": [writes],
        "pricing": _pricing(model),
        "supports_completions_api": chats,
        "supports_responses_api": chats,
        "supports_background_response": chats,
        "supports_tools": chats,
        "supports_structured_output": chats,
        "supports_system_prompt": chats,
        "supports_batching": chats,
        "supports_thinking": model.thinks,
        "supports_embeddings": model.use == "embedding",
        "supports_video_generation": model.use == "video",
        "supports_realtime": model.use == "realtime",
        **{f"supports_image_{edit}": edits for edit in (*_EDITS, "reference")},
        "is_composite": False,
        "composite_models": None,
    }


def _pricing(model: Model) -> dict[str, str]:
    pricing = {
        "pricing_unit": "per_1m_tokens",
        "prompt_usd_per_1m": model.prompt_usd,
        "completion_usd_per_1m": model.completion_usd,
        "prompt_usd_per_1k": _thousandth(model.prompt_usd),
        "completion_usd_per_1k": _thousandth(model.completion_usd),
    }
    if model.use == "image":
        pricing = {"pricing_unit": "per_image", "image_output_usd_per_image": model.image_usd}
    if model.discount:
        pricing["discount_pct"] = str(model.discount)
    return pricing


def _thousandth(price: str) -> str:
    return f"{Decimal(price) / 1000:f}"


def _providers(info: _Info) -> dict[str, Any]:
    row = {"provider": info["provider"], "status": "available", "pricing": info["pricing"]}
    return {"model": info["id"], "providers": [row]}
