"""A gateway's batches as a script: which are refused or lost, how they end, and with what rows."""

import json
from collections import defaultdict
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple, Optional

from hypothesis import strategies as st

from meshapi_core import (
    APIConnectionError,
    InternalServerError,
    NotFoundError,
    RateLimitError,
)
from meshapi_core.flows import Emit, Now, Pause, RandomBytes, Tell
from meshapi_core.types import BatchListResponse, BatchObject

MOST_OPEN = 10
ALIVE = ("validating", "in_progress", "finalizing", "cancelling")


class Fate(NamedTuple):
    """How a batch ends.

    Attributes:
        looks: how many find it under way before.
        status: the last one.
        is_asked: whether somebody cancels it, so that it is not submitted again.
        in_file: whether its rows are in files.
    """

    looks: int = 0
    status: str = "completed"
    is_asked: bool = False
    in_file: bool = False


FATES = st.builds(
    Fate,
    st.integers(0, 2),
    st.sampled_from(["completed"] * 3 + ["expired", "cancelled", "failed"]),
    st.booleans(),
    st.booleans(),
)

OUTCOMES = ("ok", "400", "429", "500", "expired", "missing", "402 as 429")
"""What becomes of one request of a batch."""

FAULTS = ("limit", "refused", "unreachable", "lost", "no id")
"""What may happen to a request that makes a batch; the last two make it."""


class _Batch:
    def __init__(self, number: int, rows: Sequence[Any], metadata: Any, fate: Fate) -> None:
        self.id = f"b{number}"
        self.rows = rows
        self.names = [row["custom_id"] for row in rows]
        self.metadata = metadata
        self.fate = fate
        self.left = fate.looks
        self.status = "validating"
        self.results: Optional[list[Any]] = None


class BatchGateway:
    """Makes the calls of a flow, on a clock of its own.

    Args:
        outcomes: what becomes of each request, by its custom ID: the first time, the second time,
            and so on. Later ones succeed.
        fates: of the batches, in the order in which they are made.
        faults: of the requests that make them, and None for those that succeed.
    """

    def __init__(
        self,
        outcomes: Mapping[str, Sequence[str]],
        fates: Sequence[Fate] = (),
        faults: Sequence[Optional[str]] = (),
    ) -> None:
        self.now = 0.0
        self.batches: list[_Batch] = []
        self.history: dict[str, list[tuple[str, Fate]]] = defaultdict(list)
        self.sent: list[Any] = []
        self.twice: list[str] = []
        self.most_open = 0
        self._outcomes = {name: list(found) for name, found in outcomes.items()}
        self._fates = list(fates)
        self._faults = list(faults)
        self._drawn = 0

    def drive(self, flow: Any, steps: Optional[int] = None) -> tuple[list[Any], Any]:
        """Return the items of a flow and its result; None if it was closed after so many steps."""
        items: list[Any] = []
        sent: Any = None
        error: Optional[Exception] = None
        while True:
            try:
                step = flow.send(sent) if error is None else flow.throw(error)
            except StopIteration as stop:
                return items, stop.value
            sent = error = None
            if isinstance(step, Emit):
                items.append(step.value)
            if steps is not None:
                steps -= 1
                if steps < 0:
                    flow.close()
                    return items, None
            try:
                sent = self._do(step)
            except Exception as exc:
                error = exc

    def _do(self, step: Any) -> Any:
        if isinstance(step, Emit):
            return None
        if isinstance(step, Now):
            return self.now
        if isinstance(step, RandomBytes):
            self._drawn += 1
            return self._drawn.to_bytes(step.size, "big")
        if isinstance(step, Pause):
            assert step.seconds > 0
            self.now += step.seconds
            return None
        if isinstance(step, Tell):
            return step.function(*step.arguments)
        self.now += 0.01
        return self._respond(step)

    def _respond(self, call: Any) -> Any:
        parts = call.path.split("/")[2:]
        if parts[0] == "files":
            return self._file(parts[1])
        if call.method == "POST":
            assert call.starts_job
            return self._make(json.loads(call.body))
        if len(parts) == 1:
            return self._page(dict(call.query))
        return self._look(parts[1])

    def _make(self, body: Any) -> BatchObject:
        self.sent.append(body)
        fault = self._faults.pop(0) if self._faults else None
        alive = [batch for batch in self.batches if batch.status in ALIVE]
        if fault == "limit" or len(alive) >= MOST_OPEN:
            raise RateLimitError("10 are open", status=429, error_code="batch_limit_exceeded")
        if fault == "refused":
            raise InternalServerError("busy", status=502)
        if fault == "unreachable":
            raise APIConnectionError("no connection", error_code="connect")
        rows = body["requests"]
        names = {row["custom_id"] for row in rows}
        assert len(names) == len(rows) > 0
        self.twice += [name for batch in alive for name in batch.names if name in names]
        self.twice += [
            name for name in names if any(is_final(*each) for each in self.history.get(name, ()))
        ]
        fate = self._fates.pop(0) if self._fates else Fate()
        batch = _Batch(len(self.batches), rows, body.get("metadata"), fate)
        self.batches.append(batch)
        self.most_open = max(self.most_open, len(alive) + 1)
        if fault == "lost":
            raise APIConnectionError("the response broke off", error_code="connection_reset")
        return BatchObject(id="" if fault == "no id" else batch.id, status=batch.status)

    def _page(self, query: Mapping[str, str]) -> BatchListResponse:
        newest = [
            BatchObject(id=each.id, status=each.status, metadata=each.metadata)
            for each in reversed(self.batches)
        ]
        start = 0
        if "after" in query:
            start = 1 + [each.id for each in newest].index(query["after"])
        size = min(2, int(query["limit"]))
        data = newest[start : start + size]
        has_more = start + size < len(newest)
        return BatchListResponse(
            data=data, has_more=has_more, last_id=data[-1].id if data else None
        )

    def _look(self, batch_id: str) -> BatchObject:
        found = [each for each in self.batches if each.id == batch_id]
        if not found:
            raise NotFoundError("no such batch", status=404)
        batch = found[0]
        if batch.status in ALIVE:
            if batch.left:
                batch.left -= 1
                batch.status = "in_progress"
            else:
                self._end(batch)
        made = BatchObject(id=batch.id, status=batch.status, metadata=batch.metadata)
        if batch.status == "cancelled" and batch.fate.is_asked:
            made.model_extra["cancelling_at"] = 1
        if batch.results is not None:
            if batch.fate.in_file:
                made.output_file_id = batch.id
            else:
                made.results = batch.results
        return made

    def _end(self, batch: _Batch) -> None:
        batch.status = batch.fate.status
        rows: list[Any] = []
        for row in batch.rows:
            name = row["custom_id"]
            left = self._outcomes.get(name)
            outcome = left.pop(0) if left else "ok"
            self.history[name].append((outcome, batch.fate))
            if outcome != "missing":
                rows.append(_row(name, outcome))
        batch.results = rows[::-1]

    def _file(self, batch_id: str) -> bytes:
        (batch,) = (each for each in self.batches if each.id == batch_id)
        return b"\n".join(json.dumps(row).encode() for row in batch.results or ())


def is_final(outcome: str, fate: Fate) -> bool:
    """Whether a request that ended like this is not submitted again."""
    if outcome == "missing":
        return not (fate.status == "expired" or (fate.status == "cancelled" and not fate.is_asked))
    return outcome in ("ok", "400", "402 as 429")


def _row(name: str, outcome: str) -> dict[str, Any]:
    if outcome == "expired":
        error = {"code": "batch_expired", "message": "too late"}
        return {"custom_id": name, "response": None, "error": error}
    if outcome == "ok":
        message = {"role": "assistant", "content": name}
        body: Any = {"id": "c", "choices": [{"index": 0, "message": message}]}
        return {"custom_id": name, "response": {"status_code": 200, "body": body}, "error": None}
    code = "insufficient_credits" if outcome.startswith("402") else "failed"
    error = {"code": code, "message": name}
    response = {"status_code": int(outcome.split()[-1]), "body": {"error": error}}
    return {"custom_id": name, "response": response, "error": error}
