"""/v1/documents: files with the prompt, and a note that nothing else was written.

A document is `processing` when it is made, and `completed` at the first look at it, which is a GET
of that document; then anyone who has its URL can download it. The files are real, if short: PDF,
DOCX, CSV and XLSX. PPTX is not supported: even the smallest valid file consists of many parts.
"""

from dataclasses import dataclass, field
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from meshapi.gateway import clock
from meshapi.gateway.content.documents import MEDIA_TYPES, NOTE, write
from meshapi.gateway.content.tokens import count_words
from meshapi.gateway.failing_models import FAILED_JOBS, refuse
from meshapi.gateway.http.auth import protected, public, public_url
from meshapi.gateway.http.downloads import download
from meshapi.gateway.http.errors import GatewayError
from meshapi.gateway.http.pages import has_repeated_page, offset_page, page_query
from meshapi.gateway.http.query import read_query
from meshapi.gateway.http.responses import json_response
from meshapi.gateway.http.validation import (
    Check,
    mapping,
    one_of,
    only_fields,
    read_json,
    string,
    text,
)
from meshapi.gateway.http.wire import iso, ulid
from meshapi.gateway.jobs import end_of, job_response
from meshapi.gateway.models import CHAT_MODELS, DEFAULT_MODEL, JOB_RETRY_AFTER, choose_from
from meshapi.gateway.state import GatewayState
from meshapi.gateway.store import Store

_HIGHEST_LIMIT = 200
_DOWNLOADABLE_SECONDS = 24 * 3600
_LONGEST_TITLE = 60


_GENERATE: Check = only_fields(
    {
        "format": one_of("pdf", "docx", "pptx", "csv", "xlsx"),
        "prompt": text(min_length=1, max_length=100_000),
    },
    {"model": string, "metadata": mapping},
)


def routes(state: GatewayState) -> list[Route]:
    """This file's endpoints."""

    async def generate(request: Request) -> Response:
        body = await read_json(request, _GENERATE)
        if body["format"] not in MEDIA_TYPES:
            message = f"The local gateway can't make {body['format']} files."
            raise GatewayError(501, "not_implemented", message)
        model = choose_from(CHAT_MODELS, body.get("model"), DEFAULT_MODEL)
        refuse(state, model)
        document = _Document(body["format"], body["prompt"], model)
        state.store(_Documents).put(document.id, document)
        return json_response(document.as_object(request))

    async def collection(request: Request) -> Response:
        query = read_query(request, page_query(_HIGHEST_LIMIT))
        found = state.store(_Documents).newest_first()
        repeats = has_repeated_page(one.model for one in found)
        return json_response(
            offset_page(
                "documents", found, query, lambda one: one.as_object(request), repeats=repeats
            )
        )

    async def one(request: Request) -> Response:
        document = state.store(_Documents).get(request.path_params["id"])
        document.advance()
        return job_response(document.model, document.as_object(request), document.status)

    async def fetch(request: Request) -> Response:
        document = state.store(_Documents).get(request.path_params["id"])
        headers = {"Content-Disposition": f'attachment; filename="{document.id}.{document.format}"'}
        media_type = MEDIA_TYPES[document.format]
        return download(
            state, request, document.content, media_type, model=document.model, headers=headers
        )

    return [
        protected(state, "/v1/documents", ["GET"], collection),
        protected(state, "/v1/documents/generate", ["POST"], generate),
        protected(state, "/v1/documents/{id}", ["GET"], one),
        public("/documents/{id}", ["GET"], fetch),
    ]


@dataclass
class _Document:
    format: str
    prompt: str
    model: str
    id: str = field(default_factory=lambda: f"doc_{ulid()}")
    created_at: float = field(default_factory=clock.time)
    updated_at: float = field(default_factory=clock.time)
    status: str = "processing"
    looks: int = 0

    @property
    def content(self) -> bytes:
        return write(self.format, self.prompt)

    def advance(self) -> None:
        """Move to the next status; called at each look."""
        end = end_of(self.model, "completed")
        # With Retry-After, there is one look more, so that a client sees it.
        patient = self.model == JOB_RETRY_AFTER and not self.looks
        self.looks += 1
        if self.status == "processing" and end is not None and not patient:
            self.status = end
            self.updated_at = clock.time()

    def as_object(self, request: Request) -> dict[str, Any]:
        done = self.status == "completed"
        read, written = count_words(self.prompt), count_words(NOTE)
        return {
            "document_id": self.id,
            "status": self.status,
            "format": self.format,
            "model": self.model,
            "title": self.prompt.strip()[:_LONGEST_TITLE] if done else None,
            "download_url": public_url(request, f"/documents/{self.id}") if done else None,
            "expires_at": iso(self.updated_at + _DOWNLOADABLE_SECONDS) if done else None,
            "size_bytes": len(self.content) if done else None,
            "prompt_tokens": read if done else None,
            "completion_tokens": written if done else None,
            "total_tokens": read + written if done else None,
            "failure_reason": FAILED_JOBS[self.model].message if self.status == "failed" else None,
            "created_at": iso(self.created_at),
            "updated_at": iso(self.updated_at),
        }


class _Documents(Store[_Document]):
    what = "Document"
