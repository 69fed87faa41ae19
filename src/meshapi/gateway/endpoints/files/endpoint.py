"""/v1/files, which is two things: the files of batches, and the documents of RAG.

A body with `requests` uploads a batch file, as clients did before version 0.1.4; any other begins
the upload of a document. An id says by itself what it is of.
"""

import json
from typing import Any, cast

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from meshapi.gateway.endpoints.files import rag_files
from meshapi.gateway.endpoints.files.batch_files import UPLOAD, BatchFiles
from meshapi.gateway.http.auth import protected
from meshapi.gateway.http.replies import json_reply
from meshapi.gateway.http.validation import read_json
from meshapi.gateway.state import GatewayState


def routes(state: GatewayState) -> list[Route]:
    """This file's endpoints."""

    async def collection(request: Request) -> Response:
        if request.method == "GET":
            return json_reply(rag_files.page(state, request))
        if _is_batch_file(await request.body()):
            body = await read_json(request, UPLOAD)
            made = state.store(BatchFiles).add(body["requests"])
            return json_reply(made.as_object())
        return json_reply(
            rag_files.begin_upload(state, request, await read_json(request, rag_files.UPLOAD))
        )

    async def one(request: Request) -> Response:
        files = state.store(BatchFiles)
        file_id = request.path_params["id"]
        if request.method == "DELETE":
            files.remove(file_id)
            return Response(status_code=204)
        found = files.find(file_id)
        if found is not None:
            return json_reply(found.as_object())
        return json_reply(rag_files.look(state, request, file_id))

    async def content(request: Request) -> Response:
        found = state.store(BatchFiles).get(request.path_params["id"])
        return Response(found.content, media_type="application/jsonl")

    return [
        protected(state, "/v1/files", ["GET", "POST"], collection),
        protected(state, "/v1/files/{id}", ["GET", "DELETE"], one),
        protected(state, "/v1/files/{id}/content", ["GET"], content),
    ]


def _is_batch_file(data: bytes) -> bool:
    """Whether the body is an upload of requests; what is wrong with it is for the check to say."""
    try:
        value: Any = json.loads(data)
    except (ValueError, RecursionError):
        return False
    return isinstance(value, dict) and "requests" in cast("dict[str, Any]", value)
