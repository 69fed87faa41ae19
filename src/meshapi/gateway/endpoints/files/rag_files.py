"""The RAG files: the status of each, the text that is searched, and the URL for its upload.

An upload is `pending` until its bytes have arrived, and then `ready`. An embedding is `pending`
until it is requested (with `embed` at the start, or by /v1/files/embed), then `queued` at the first
look at the file, `processing` at the second, and `ready` at the third; with an empty file it ends
as `failed`, and a file whose name begins with `mesh-job-failed` or another job of `mesh/` ends as
that does. Search finds files whose embedding is `ready`. A file may have any size, but only its
beginning is kept.
"""

import hashlib
import hmac
import secrets
from dataclasses import dataclass, field
from typing import Any, Optional

from starlette.requests import Request

from meshapi.gateway import clock
from meshapi.gateway.content.tokens import count_words
from meshapi.gateway.http.auth import public_url
from meshapi.gateway.http.wire import iso, ulid
from meshapi.gateway.jobs import end_of, error_of_embedding, model_of_name
from meshapi.gateway.models import DEFAULT_EMBEDDING_MODEL, cost_of
from meshapi.gateway.store import Store

# Only the first bytes of a file are searched, in chunks of this many words.
SEARCHED_BYTES = 1024 * 1024
_CHUNK_WORDS = 80

# Seconds that a signed URL is valid: minutes, as with the service.
_SIGNED_FOR = 15 * 60


@dataclass
class RagFile:
    """One file.

    Attributes:
        embedding: the status of its embedding: "pending", "queued", "processing", "ready" or
            "failed".
        chunks: the text that is searched.
        error: the error code, if the embedding failed.
    """

    name: str
    mime_type: str
    embedding: str
    wants_embedding: bool
    metadata: dict[str, Any]
    id: str = field(default_factory=lambda: f"ragf_{ulid()}")
    created_at: float = field(default_factory=clock.time)
    updated_at: float = field(default_factory=clock.time)
    uploaded: bool = False
    size: Optional[int] = None
    sha256: str = ""
    chunks: list[str] = field(default_factory=list)
    error: Optional[str] = None

    @property
    def expires(self) -> int:
        return int(self.created_at) + _SIGNED_FOR

    @property
    def model(self) -> str:
        """The model of `mesh/` that the file is named after; empty if there is none."""
        return model_of_name(self.name)

    @property
    def file_type(self) -> str:
        """The extension of its name, in lower case."""
        _, dot, ending = self.name.rpartition(".")
        return ending.lower() if dot else ""

    def take(self, beginning: bytes, size: int, sha256: str) -> None:
        """Complete the upload."""
        self.size, self.sha256 = size, sha256
        self.chunks = _chunks(self._text(beginning))
        self.uploaded = True
        self.updated_at = clock.time()
        if self.wants_embedding:
            self.queue()

    def queue(self) -> None:
        """Request the embedding; begin again if it is ready or has failed."""
        self.embedding = "queued"
        self.error = None
        self.updated_at = clock.time()

    def advance(self) -> None:
        """Move the embedding to its next status; called after each look."""
        if self.embedding == "queued":
            self.embedding = "processing"
        elif self.embedding == "processing":
            self.finish()

    def finish(self) -> None:
        """Complete the embedding, which fails for an empty file and for some names."""
        end = end_of(self.model, "ready" if self.size else "failed")
        if end is None:
            self.embedding = "processing"
            return
        self.error = error_of_embedding(self.model) or (None if self.size else "empty_file")
        self.embedding = "failed" if self.error else end
        self.updated_at = clock.time()

    def _text(self, beginning: bytes) -> str:
        """The text that is searched; for a file that is not UTF-8, a sentence that says so."""
        try:
            return _utf8(beginning)
        except UnicodeDecodeError:
            kind = f"{self.size} bytes of {self.mime_type}"
            return f"{self.name} is {kind}, which the local gateway can't read."


class RagFiles(Store[RagFile]):
    what = "File"

    def __init__(self) -> None:
        super().__init__()
        self._key = secrets.token_bytes(32)

    def signed_url(self, file: RagFile, request: Request) -> str:
        """The URL for the upload of the file, valid until `file.expires`."""
        signature = self.signature(file.id, file.expires)
        path = f"/storage/{file.id}?expires={file.expires}&signature={signature}"
        return public_url(request, path)

    def signature(self, file_id: str, expires: int) -> str:
        return hmac.new(self._key, f"{file_id} {expires}".encode(), hashlib.sha256).hexdigest()

    def as_object(self, file: RagFile, request: Request) -> dict[str, Any]:
        """The file as a JSON object of a response."""
        pending = not file.uploaded
        url = self.signed_url(file, request) if pending else None
        tokens = sum(count_words(chunk) for chunk in file.chunks)
        ready = file.embedding == "ready"
        return {
            "file_id": file.id,
            "upload_status": "pending" if pending else "ready",
            "file_name": file.name,
            "file_type": file.file_type,
            "mime_type": file.mime_type,
            "size_bytes": file.size,
            "sha256": file.sha256 or None,
            "asset_url": None,
            "signed_url": url,
            "signed_url_expires_at": iso(file.expires) if pending else None,
            "embedding_status": file.embedding,
            "created_at": iso(file.created_at),
            "updated_at": iso(file.updated_at),
            "total_tokens": tokens if ready else None,
            "total_cost_usd": float(cost_of(DEFAULT_EMBEDDING_MODEL, tokens, 0)) if ready else None,
            "last_error_code": file.error,
            "metadata": file.metadata,
        }


def _chunks(content: str) -> list[str]:
    found = content.split()
    starts = range(0, len(found), _CHUNK_WORDS)
    return [" ".join(found[start : start + _CHUNK_WORDS]) for start in starts]


def _utf8(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        # The beginning of a longer text may end within a character, which has at most four bytes.
        if error.start < len(data) - 3 or len(data) < SEARCHED_BYTES:
            raise
        return data[: error.start].decode()
