"""/v1/files/embed and /v1/files/search: search finds files that share words with the query."""

import re
from typing import Any, Optional

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from meshapi.gateway.endpoints.files.rag_files import RagFile, RagFiles
from meshapi.gateway.http.auth import protected
from meshapi.gateway.http.responses import json_response
from meshapi.gateway.http.validation import (
    Check,
    array,
    boolean,
    integer,
    mapping,
    only_fields,
    read_json,
    string,
    text,
)
from meshapi.gateway.state import GatewayState

_DEFAULT_TOP_K, _HIGHEST_TOP_K = 5, 50
_EMBED: Check = only_fields(
    {"file_ids": array(string, min_length=1, max_length=100)},
    {"wait": boolean, "metadata": mapping},
)
_SEARCH: Check = only_fields(
    {"query": text(min_length=1, max_length=10_000)},
    {
        "top_k": integer(ge=1, le=_HIGHEST_TOP_K),
        "file_ids": array(string),
        "filter": mapping,
        "date_from": integer(),
        "date_to": integer(),
    },
)


def routes(state: GatewayState) -> list[Route]:
    """This file's endpoints."""

    async def embed(request: Request) -> Response:
        body = await read_json(request, _EMBED)
        files = state.store(RagFiles)
        return json_response(
            {"results": [_embed(files.find(key), key, body) for key in body["file_ids"]]}
        )

    async def search(request: Request) -> Response:
        body = await read_json(request, _SEARCH)
        return json_response({"results": _found(state.store(RagFiles), body)})

    return [
        protected(state, "/v1/files/embed", ["POST"], embed),
        protected(state, "/v1/files/search", ["POST"], search),
    ]


def _embed(file: Optional[RagFile], file_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """One result of /v1/files/embed; a file that can't be embedded is a result with an error."""
    entry: dict[str, Any] = {"file_id": file_id, "chunk_count": None, "error": None}
    if file is None:
        return {**entry, "embedding_status": "failed", "error": "not_found"}
    if not file.uploaded:
        return {**entry, "embedding_status": file.embedding, "error": "upload_pending"}
    file.metadata.update(body.get("metadata") or {})
    file.queue()
    if body.get("wait"):
        file.finish()
    if file.embedding == "ready":
        entry["chunk_count"] = len(file.chunks)
    return {**entry, "embedding_status": file.embedding, "error": file.error}


def _found(files: RagFiles, body: dict[str, Any]) -> list[dict[str, Any]]:
    """The chunks that share words with the query, best first.

    The score is the share of the query's words that a chunk has; of two with the same score, the
    one of the older file comes first.
    """
    wanted = _words(body["query"])
    hits = [
        _hit(file, index, chunk, wanted)
        for file in files
        if _is_searched(file, body)
        for index, chunk in enumerate(file.chunks)
    ]
    ranked = sorted((hit for hit in hits if hit["score"] > 0), key=lambda hit: -hit["score"])
    return ranked[: body.get("top_k") or _DEFAULT_TOP_K]


def _is_searched(file: RagFile, body: dict[str, Any]) -> bool:
    created = int(file.created_at)
    file_ids: Optional[list[str]] = body.get("file_ids")
    after, before = body.get("date_from"), body.get("date_to")
    wanted: dict[str, Any] = body.get("filter") or {}
    return (
        file.embedding == "ready"
        and (file_ids is None or file.id in file_ids)
        and (after is None or created >= after)
        and (before is None or created <= before)
        and all(
            key in file.metadata and file.metadata[key] == value for key, value in wanted.items()
        )
    )


def _hit(file: RagFile, index: int, chunk: str, wanted: frozenset[str]) -> dict[str, Any]:
    shared = len(wanted & _words(chunk))
    return {
        "score": round(shared / len(wanted), 4) if wanted else 0.0,
        "text": chunk,
        "parent_text": " ".join(file.chunks[max(index - 1, 0) : index + 2]),
        "file_id": file.id,
        "file_name": file.name,
        "file_type": file.file_type,
        "mime_type": file.mime_type,
        "chunk_index": index,
        "created_at": int(file.created_at),
        "metadata": file.metadata,
    }


def _words(value: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", value.lower()))
