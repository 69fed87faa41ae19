"""POST /v1/web/search: a stub, whose results are made-up pages that say so."""

from collections.abc import Sequence
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from meshapi.gateway.http.auth import protected
from meshapi.gateway.http.responses import make_response
from meshapi.gateway.http.validation import (
    Check,
    array,
    boolean,
    integer,
    one_of,
    only_fields,
    read_json,
    string,
    text,
)
from meshapi.gateway.http.wire import dump
from meshapi.gateway.models import CHAT_MODELS, DEFAULT_MODEL, choose_from
from meshapi.gateway.scripts.handover import reply_to
from meshapi.gateway.state import GatewayState

_DEFAULT_RESULTS, _MOST_RESULTS = 5, 20
# Reserved for examples, so these are nobody's pages. Source: RFC 2606, section 3.
_DOMAINS = ("example.com", "example.org", "example.net")
_PAGES = _MOST_RESULTS * len(_DOMAINS)

_SCHEMA: Check = only_fields(
    {"query": text(min_length=1, max_length=2000)},
    {
        "model": string,
        "provider": one_of("native", "tavily", "tinyfish"),
        "max_results": integer(ge=1, le=_MOST_RESULTS),
        "search_depth": one_of("basic", "advanced"),
        "include_domains": array(string),
        "exclude_domains": array(string),
        "include_answer": boolean,
        "include_page_content": boolean,
    },
)


def routes(state: GatewayState) -> list[Route]:
    """This file's endpoint."""

    async def search(request: Request) -> Response:
        body = await read_json(request, _SCHEMA)
        model = choose_from(CHAT_MODELS, body.get("model"), DEFAULT_MODEL)
        results = _results(body)
        asked = body["query"]
        said = reply_to(request)
        answer = f'Nobody searched for "{asked}": these {len(results)} pages are made up.'
        found = {
            "query": asked,
            "answer": said.text if said else answer if body.get("include_answer") else None,
            "results": results,
            "provider": body.get("provider") or "native",
            "request_id": request.state.request_id,
        }
        return await make_response(state, request, model, dump(found))

    return [protected(state, "/v1/web/search", ["POST"], search)]


def _results(body: dict[str, Any]) -> list[dict[str, Any]]:
    wanted = body.get("include_domains") or _DOMAINS
    unwanted = body.get("exclude_domains") or ()
    places = ((number, _DOMAINS[number % len(_DOMAINS)]) for number in range(_PAGES))
    kept = [
        (number, host)
        for number, host in places
        if _within(host, wanted) and not _within(host, unwanted)
    ]
    shown = kept[: body.get("max_results") or _DEFAULT_RESULTS]
    return [_page(body, rank, *place) for rank, place in enumerate(shown)]


def _within(host: str, domains: Sequence[str]) -> bool:
    return any(host == name.lower() or host.endswith(f".{name.lower()}") for name in domains)


def _page(body: dict[str, Any], rank: int, number: int, host: str) -> dict[str, Any]:
    asked = body["query"]
    page = {
        "title": f"Made-up page {number + 1}: {asked}",
        "url": f"https://{host}/made-up/{number + 1}",
        "content": f'No such page exists; a local gateway made it up for "{asked}".',
        "score": round(1 - rank / _MOST_RESULTS, 2),
        "published_date": None,
    }
    if body.get("include_page_content"):
        page.update(page_content=f"# {page['title']}\n\n{page['content']}")
        page.update(page_content_truncated=False)
    return page
