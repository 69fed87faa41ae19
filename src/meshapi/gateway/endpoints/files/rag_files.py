"""Documents and the search in them: signed uploads to this gateway, embedding, ranking by words.

An upload is `pending` until its bytes are there, and then `ready`. Embedding is `pending` until it
is asked for (with `embed` at the start, or by /v1/files/embed), then `queued` at the first look at
the file, `processing` at the second, and `ready` at the third; an empty file ends as `failed`.
Search finds what is `ready`. A file may have any size: what is kept of it is its beginning.
"""

import hashlib
import hmac
import re
import secrets
import time
from dataclasses import dataclass, field
from typing import Any, Optional
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from meshapi.gateway.content.answers import count_words
from meshapi.gateway.http.auth import protected, public, public_url
from meshapi.gateway.http.pages import offset_page, page_query
from meshapi.gateway.http.query import read_query
from meshapi.gateway.http.replies import json_reply
from meshapi.gateway.http.validation import (
    Check,
    array,
    boolean,
    fields,
    integer,
    mapping,
    read_json,
    string,
    text,
)
from meshapi.gateway.http.wire import iso, ulid
from meshapi.gateway.state import GatewayState
from meshapi.gateway.store import Store

# What is searched of a file: its first so many bytes, in chunks of so many words.
_SEARCHED_BYTES = 1024 * 1024
_CHUNK_WORDS = 80

# A signed URL is good for this long: minutes, as with the service.
_SIGNED_FOR = 15 * 60

_DEFAULT_TOP_K, _HIGHEST_TOP_K = 5, 50

UPLOAD: Check = fields(
    {"file_name": text(min_length=1, max_length=1024), "mime_type": text(max_length=255)},
    {"embed": boolean, "metadata": mapping},
)
_EMBED: Check = fields(
    {"file_ids": array(string, min_length=1, max_length=100)},
    {"wait": boolean, "metadata": mapping},
)
_SEARCH: Check = fields(
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
    """This file's endpoints; those at /v1/files itself are in `endpoint.py`."""

    async def embed(request: Request) -> Response:
        body = await read_json(request, _EMBED)
        documents = state.store(_Documents)
        return json_reply(
            {"results": [_embed(documents.find(key), key, body) for key in body["file_ids"]]}
        )

    async def search(request: Request) -> Response:
        body = await read_json(request, _SEARCH)
        return json_reply({"results": _found(state.store(_Documents), body)})

    async def upload(request: Request) -> Response:
        return await _receive(state, request)

    return [
        protected(state, "/v1/files/embed", ["POST"], embed),
        protected(state, "/v1/files/search", ["POST"], search),
        public("/storage/{id}", ["PUT"], upload),
    ]


def begin_upload(state: GatewayState, request: Request, body: dict[str, Any]) -> dict[str, Any]:
    """A new document and the URL that takes its bytes."""
    documents = state.store(_Documents)
    document = _Document(
        name=body["file_name"],
        mime_type=body["mime_type"],
        embedding="pending",
        wants_embedding=bool(body.get("embed")),
        metadata=body.get("metadata") or {},
    )
    documents.put(document.id, document)
    return {
        "file_id": document.id,
        "signed_url": public_url(request, documents.signed_path(document)),
        "expires_at": iso(document.expires),
    }


def look(state: GatewayState, request: Request, file_id: str) -> dict[str, Any]:
    """A document as it is, and then its embedding goes on.

    Raises:
        GatewayError: 404, there is no such document.
    """
    documents = state.store(_Documents)
    document = documents.get(file_id)
    shown = _shown(documents, document, request)
    document.go_on()
    return shown


def page(state: GatewayState, request: Request) -> dict[str, Any]:
    """The documents, the newest first."""
    documents = state.store(_Documents)
    query = read_query(request, page_query())
    newest_first = documents.newest_first()
    return offset_page("files", newest_first, query, lambda one: _shown(documents, one, request))


@dataclass
class _Document:
    name: str
    mime_type: str
    embedding: str
    wants_embedding: bool
    metadata: dict[str, Any]
    id: str = field(default_factory=lambda: f"ragf_{ulid()}")
    created_at: float = field(default_factory=time.time)
    updated_at: float = field(default_factory=time.time)
    uploaded: bool = False
    size: Optional[int] = None
    sha256: str = ""
    chunks: list[str] = field(default_factory=list)
    error: Optional[str] = None

    @property
    def expires(self) -> int:
        return int(self.created_at) + _SIGNED_FOR

    def take(self, beginning: bytes, size: int, sha256: str) -> None:
        """The bytes are there."""
        self.size, self.sha256 = size, sha256
        self.chunks = _chunks(self._text(beginning))
        self.uploaded = True
        self.updated_at = time.time()
        if self.wants_embedding:
            self.queue()

    def queue(self) -> None:
        """Embedding is asked for: again, if it failed or was done."""
        self.embedding = "queued"
        self.error = None
        self.updated_at = time.time()

    def go_on(self) -> None:
        if self.embedding == "queued":
            self.embedding = "processing"
        elif self.embedding == "processing":
            self.finish()

    def finish(self) -> None:
        self.embedding = "ready" if self.size else "failed"
        self.error = None if self.size else "empty_file"
        self.updated_at = time.time()

    def _text(self, beginning: bytes) -> str:
        """What is searched: the text, or, of what is no text, a sentence that says so."""
        try:
            return _utf8(beginning)
        except UnicodeDecodeError:
            kind = f"{self.size} bytes of {self.mime_type}"
            return f"{self.name} is {kind}, which the local gateway can't read."


class _Documents(Store[_Document]):
    what = "File"

    def __init__(self) -> None:
        super().__init__()
        self._key = secrets.token_bytes(32)

    def signed_path(self, document: _Document) -> str:
        signature = self.signature(document.id, document.expires)
        return f"/storage/{document.id}?expires={document.expires}&signature={signature}"

    def signature(self, file_id: str, expires: int) -> str:
        return hmac.new(self._key, f"{file_id} {expires}".encode(), hashlib.sha256).hexdigest()


def _chunks(content: str) -> list[str]:
    found = content.split()
    starts = range(0, len(found), _CHUNK_WORDS)
    return [" ".join(found[start : start + _CHUNK_WORDS]) for start in starts]


def _utf8(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        # The beginning of a longer text may end within a character, of at most four bytes.
        if error.start < len(data) - 3 or len(data) < _SEARCHED_BYTES:
            raise
        return data[: error.start].decode()


def _shown(documents: _Documents, document: _Document, request: Request) -> dict[str, Any]:
    pending = not document.uploaded
    url = public_url(request, documents.signed_path(document)) if pending else None
    tokens = sum(count_words(chunk) for chunk in document.chunks)
    ready = document.embedding == "ready"
    return {
        "file_id": document.id,
        "upload_status": "pending" if pending else "ready",
        "file_name": document.name,
        "file_type": _file_type(document.name),
        "mime_type": document.mime_type,
        "size_bytes": document.size,
        "sha256": document.sha256 or None,
        "asset_url": None,
        "signed_url": url,
        "signed_url_expires_at": iso(document.expires) if pending else None,
        "embedding_status": document.embedding,
        "created_at": iso(document.created_at),
        "updated_at": iso(document.updated_at),
        "total_tokens": tokens if ready else None,
        "total_cost_usd": 0.0 if ready else None,
        "last_error_code": document.error,
        "metadata": document.metadata,
    }


def _file_type(name: str) -> str:
    _, dot, ending = name.rpartition(".")
    return ending.lower() if dot else ""


async def _receive(state: GatewayState, request: Request) -> Response:
    """PUT to a signed URL. Its errors are those of a storage service: XML, and no envelope.

    Source: https://docs.aws.amazon.com/AmazonS3/latest/API/ErrorResponses.html
    """
    documents = state.store(_Documents)
    document = documents.find(request.path_params["id"])
    fault = _signature_fault(documents, document, request)
    if document is None or fault:
        return _xml(403, *(fault or _WRONG_SIGNATURE))
    declared = request.headers.get("content-type", "")
    if declared != document.mime_type:
        message = f"The signed Content-Type is {document.mime_type!r}, not {declared!r}."
        return _xml(400, "InvalidArgument", message)
    beginning, size, digest = bytearray(), 0, hashlib.sha256()
    async for data in request.stream():
        beginning += data[: _SEARCHED_BYTES - len(beginning)]
        size += len(data)
        digest.update(data)
    document.take(bytes(beginning), size, digest.hexdigest())
    return Response(headers={"ETag": f'"{document.sha256}"'})


_WRONG_SIGNATURE = ("SignatureDoesNotMatch", "The signature of the URL does not match.")


def _signature_fault(
    documents: _Documents, document: Optional[_Document], request: Request
) -> Optional[tuple[str, str]]:
    query = request.query_params
    if document is None or query.get("expires") != str(document.expires):
        return _WRONG_SIGNATURE
    right = documents.signature(document.id, document.expires)
    if not hmac.compare_digest(query.get("signature", "").encode(), right.encode()):
        return _WRONG_SIGNATURE
    if document.expires < time.time():
        return ("AccessDenied", "The signed URL has expired.")
    return None


def _xml(status: int, code: str, message: str) -> Response:
    body = (
        '<?xml version="1.0" encoding="UTF-8"?>\n'
        f"<Error><Code>{code}</Code><Message>{escape(message)}</Message></Error>"
    )
    return Response(body, status, media_type="application/xml")


def _embed(document: Optional[_Document], file_id: str, body: dict[str, Any]) -> dict[str, Any]:
    """One result of /v1/files/embed; a file that can't be embedded is a result with an error."""
    entry: dict[str, Any] = {"file_id": file_id, "chunk_count": None, "error": None}
    if document is None:
        return {**entry, "embedding_status": "failed", "error": "not_found"}
    if not document.uploaded:
        return {**entry, "embedding_status": document.embedding, "error": "upload_pending"}
    document.metadata.update(body.get("metadata") or {})
    document.queue()
    if body.get("wait"):
        document.finish()
    if document.embedding == "ready":
        entry["chunk_count"] = len(document.chunks)
    return {**entry, "embedding_status": document.embedding, "error": document.error}


def _found(documents: _Documents, body: dict[str, Any]) -> list[dict[str, Any]]:
    """The chunks that share a word with the query: the larger the share of its words, the better.

    Of two that are equally good the one of the older file comes first.
    """
    wanted = _words(body["query"])
    hits = [
        _hit(document, index, chunk, wanted)
        for document in documents
        if _in_question(document, body)
        for index, chunk in enumerate(document.chunks)
    ]
    ranked = sorted((hit for hit in hits if hit["score"] > 0), key=lambda hit: -hit["score"])
    return ranked[: body.get("top_k") or _DEFAULT_TOP_K]


def _in_question(document: _Document, body: dict[str, Any]) -> bool:
    created = int(document.created_at)
    file_ids: Optional[list[str]] = body.get("file_ids")
    after, before = body.get("date_from"), body.get("date_to")
    wanted: dict[str, Any] = body.get("filter") or {}
    return (
        document.embedding == "ready"
        and (file_ids is None or document.id in file_ids)
        and (after is None or created >= after)
        and (before is None or created <= before)
        and all(
            key in document.metadata and document.metadata[key] == value
            for key, value in wanted.items()
        )
    )


def _hit(document: _Document, index: int, chunk: str, wanted: frozenset[str]) -> dict[str, Any]:
    shared = len(wanted & _words(chunk))
    return {
        "score": round(shared / len(wanted), 4) if wanted else 0.0,
        "text": chunk,
        "parent_text": " ".join(document.chunks[max(index - 1, 0) : index + 2]),
        "file_id": document.id,
        "file_name": document.name,
        "file_type": _file_type(document.name),
        "mime_type": document.mime_type,
        "chunk_index": index,
        "created_at": int(document.created_at),
        "metadata": document.metadata,
    }


def _words(value: str) -> frozenset[str]:
    return frozenset(re.findall(r"\w+", value.lower()))
