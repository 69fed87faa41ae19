"""/v1/files, which serves two kinds of file: batch files and RAG files.

A body with `requests` uploads a batch file, as clients did before version 0.1.4; any other begins
the upload of a RAG file. The prefix of an ID shows the kind of the file.
"""

import json
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from meshapi.gateway.endpoints.files.batch_files import UPLOAD, BatchFiles
from meshapi.gateway.endpoints.files.rag_files import RagFile, RagFiles
from meshapi.gateway.http.auth import protected
from meshapi.gateway.http.downloads import download
from meshapi.gateway.http.pages import has_repeated_page, offset_page, page_query
from meshapi.gateway.http.query import read_query
from meshapi.gateway.http.responses import json_response
from meshapi.gateway.http.validation import (
    Check,
    boolean,
    has_too_many_parts,
    mapping,
    only_fields,
    read_json,
    text,
)
from meshapi.gateway.http.wire import iso
from meshapi.gateway.jobs import job_response
from meshapi.gateway.state import GatewayState

_RAG_UPLOAD: Check = only_fields(
    {"file_name": text(min_length=1, max_length=1024), "mime_type": text(max_length=255)},
    {"embed": boolean, "metadata": mapping},
)


def routes(state: GatewayState) -> list[Route]:
    """This file's endpoints."""

    async def collection(request: Request) -> Response:
        if request.method == "GET":
            return json_response(_page(state, request))
        if _is_batch_file(await request.body()):
            body = await read_json(request, UPLOAD)
            made = state.store(BatchFiles).add(
                body["requests"], model=body["requests"][0]["body"].get("model")
            )
            return json_response(made.as_object())
        return json_response(_begin_upload(state, request, await read_json(request, _RAG_UPLOAD)))

    async def one(request: Request) -> Response:
        files = state.store(BatchFiles)
        file_id = request.path_params["id"]
        if request.method == "DELETE":
            files.remove(file_id)
            return Response(status_code=204)
        found = files.find(file_id)
        if found is not None:
            return json_response(found.as_object())
        return _look(state, request, file_id)

    async def content(request: Request) -> Response:
        found = state.store(BatchFiles).get(request.path_params["id"])
        return download(state, request, found.content, "application/jsonl", model=found.model)

    return [
        protected(state, "/v1/files", ["GET", "POST"], collection),
        protected(state, "/v1/files/{id}", ["GET", "DELETE"], one),
        protected(state, "/v1/files/{id}/content", ["GET"], content),
    ]


def _is_batch_file(data: bytes) -> bool:
    """Whether the body uploads a batch file; its schema is checked later."""
    if has_too_many_parts(data):
        return False
    try:
        value: Any = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and "requests" in cast("dict[str, Any]", value)


def _begin_upload(state: GatewayState, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """Make a file; return its ID and the URL to which its bytes go."""
    files = state.store(RagFiles)
    file = RagFile(
        name=body["file_name"],
        mime_type=body["mime_type"],
        embedding="pending",
        wants_embedding=bool(body.get("embed")),
        metadata=body.get("metadata") or {},
    )
    files.put(file.id, file)
    return {
        "file_id": file.id,
        "signed_url": files.signed_url(file, request),
        "expires_at": iso(file.expires),
    }


def _look(state: GatewayState, request: Request, file_id: str) -> Response:
    """Return the file as it is, then advance its embedding.

    Raises:
        GatewayError: 404, if there is no such file.
    """
    files = state.store(RagFiles)
    file = files.get(file_id)
    response = job_response(file.model, files.as_object(file, request), file.embedding)
    file.advance()
    return response


def _page(state: GatewayState, request: Request) -> dict[str, Any]:
    """A page of the RAG files, newest first."""
    files = state.store(RagFiles)
    query = read_query(request, page_query())
    newest_first = files.newest_first()
    repeats = has_repeated_page(file.model for file in newest_first)
    return offset_page(
        "files", newest_first, query, lambda one: files.as_object(one, request), repeats=repeats
    )
