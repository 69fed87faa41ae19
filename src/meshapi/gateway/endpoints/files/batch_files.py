"""The files of batches: uploaded requests, and results to download."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from meshapi.gateway import clock
from meshapi.gateway.http.validation import (
    Check,
    Detail,
    Location,
    array,
    detail,
    mapping,
    one_of,
    only_fields,
    string,
)
from meshapi.gateway.http.wire import dump, ulid
from meshapi.gateway.store import Store

# The service's own limit for a batch.
_MOST_REQUESTS = 50_000

_REQUEST: Check = only_fields(
    {"custom_id": string, "body": mapping}, {"method": one_of("POST"), "url": string}
)


def requests_check(value: Any, at: Location) -> Iterator[Detail]:
    """Check for a list of requests, no two of which have the same `custom_id`."""
    faults = list(array(_REQUEST, min_length=1, max_length=_MOST_REQUESTS)(value, at))
    yield from faults
    if faults:
        return
    seen: set[str] = set()
    for index, row in enumerate(value):
        if row["custom_id"] in seen:
            message = "Value error, custom_id has to be unique in its batch"
            yield detail("value_error", (*at, index, "custom_id"), message)
        seen.add(row["custom_id"])


UPLOAD: Check = only_fields({"requests": requests_check}, {"purpose": one_of("batch")})


@dataclass
class BatchFile:
    """One file. Its rows are requests, or their results, of the model."""

    rows: Sequence[Any]
    model: str
    purpose: str = "batch"
    id: str = field(default_factory=lambda: f"file-{ulid()}")
    created_at: int = field(default_factory=lambda: int(clock.time()))

    @property
    def content(self) -> bytes:
        """The rows as JSONL: a line of JSON for each."""
        return b"".join(dump(row) + b"\n" for row in self.rows)

    def as_object(self) -> dict[str, Any]:
        return {
            "id": self.id,
            "object": "file",
            "bytes": len(self.content),
            "created_at": self.created_at,
            "filename": f"{self.id}.jsonl",
            "purpose": self.purpose,
            "status": "processed",
            "status_details": None,
        }


class BatchFiles(Store[BatchFile]):
    what = "File"

    def add(self, rows: Sequence[Any], purpose: str = "batch", model: Any = None) -> BatchFile:
        made = BatchFile(rows, model if isinstance(model, str) else "", purpose)
        self.put(made.id, made)
        return made
