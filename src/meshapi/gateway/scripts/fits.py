"""Which endpoints a reply can be for: those where a model says something."""

from collections.abc import Mapping, Set
from typing import Optional

from meshapi.gateway.scripts.values import Fault, Reply

_CHAT = frozenset({"text", "tool_calls", "finish_reason", "usage", "refusal"})
_TEXT = frozenset({"text"})

FITS: Mapping[str, Set[str]] = {
    "/v1/chat/completions": _CHAT,
    "/v1/responses": _CHAT,
    "/v1/embeddings": frozenset({"text", "embedding", "usage"}),
    "/v1/audio/transcriptions": _TEXT,
    "/v1/audio/transcriptions/translate": _TEXT,
    "/v1/audio/translations": _TEXT,
    "/v1/web/search": _TEXT,
    "/v1/realtime": frozenset({"text", "tool_calls"}),
}
"""The parts of a reply that each endpoint can say."""

INNER = ("/v1/chat/compare", "/v1/batches")
"""Endpoints that make requests to others: scripts see each model of a comparison, and each request
of a batch."""


def misfit(response: object, path: str) -> Optional[str]:
    """Return why a response does not fit a path; None if it does."""
    if isinstance(response, Fault) and response.kind == "close" and path != "/v1/realtime":
        return f"{path} can't be closed as a session is: close() is for /v1/realtime"
    said = response.answer if isinstance(response, Fault) else response
    if not isinstance(said, Reply):
        return None
    parts = said.says - FITS.get(path, frozenset())
    if not parts:
        return None
    wrong = f"{path} can't respond with a reply's {' and '.join(sorted(parts))}: "
    if path in INNER:
        return wrong + "it asks /v1/chat/completions and others, so leave out path="
    if path in FITS:
        return f"{wrong}it has {' and '.join(sorted(FITS[path]))}"
    return wrong + "use a dict, which is sent as the body, or error(...)"
