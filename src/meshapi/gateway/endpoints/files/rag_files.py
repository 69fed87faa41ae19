"""The files of RAG: where each stands, what is searched of it, and the URL that takes its bytes.

An upload is `pending` until its bytes are there, and then `ready`. Embedding is `pending` until it
is asked for (with `embed` at the start, or by /v1/files/embed), then `queued` at the first look at
the file, `processing` at the second, and `ready` at the third; an empty file ends as `failed`.
Search finds what is `ready`. A file may have any size: what is kept of it is its beginning.
"""

import hashlib
import hmac
import secrets
import time
from dataclasses import dataclass, field
from typing import Any, Optional

from starlette.requests import Request

from meshapi.gateway.content.tokens import count_words
from meshapi.gateway.http.auth import public_url
from meshapi.gateway.http.wire import iso, ulid
from meshapi.gateway.store import Store

# What is searched of a file: its first so many bytes, in chunks of so many words.
SEARCHED_BYTES = 1024 * 1024
_CHUNK_WORDS = 80

# A signed URL is good for this long: minutes, as with the service.
_SIGNED_FOR = 15 * 60


@dataclass
class RagFile:
    """One file.

    Attributes:
        embedding: its status: "pending", "queued", "processing", "ready" or "failed".
        chunks: what is searched.
        error: the code of why it failed.
    """

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

    @property
    def file_type(self) -> str:
        """The ending of its name."""
        _, dot, ending = self.name.rpartition(".")
        return ending.lower() if dot else ""

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
        """What happens at each look."""
        if self.embedding == "queued":
            self.embedding = "processing"
        elif self.embedding == "processing":
            self.finish()

    def finish(self) -> None:
        """Embedding is done, or has failed."""
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


class RagFiles(Store[RagFile]):
    what = "File"

    def __init__(self) -> None:
        super().__init__()
        self._key = secrets.token_bytes(32)

    def signed_url(self, file: RagFile, request: Request) -> str:
        """Where the file's bytes go, until `file.expires`."""
        signature = self.signature(file.id, file.expires)
        path = f"/storage/{file.id}?expires={file.expires}&signature={signature}"
        return public_url(request, path)

    def signature(self, file_id: str, expires: int) -> str:
        return hmac.new(self._key, f"{file_id} {expires}".encode(), hashlib.sha256).hexdigest()

    def as_object(self, file: RagFile, request: Request) -> dict[str, Any]:
        """The file as responses show it."""
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
            "total_cost_usd": 0.0 if ready else None,
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
        # The beginning of a longer text may end within a character, of at most four bytes.
        if error.start < len(data) - 3 or len(data) < SEARCHED_BYTES:
            raise
        return data[: error.start].decode()
