"""A batch that is under way: when it is looked at, and which of its calls have another chance."""

from collections.abc import Sequence
from typing import Any, Final

from meshapi_core.batching.items import BatchItem, Ended
from meshapi_core.batching.parts import Entry
from meshapi_core.errors import APIStatusError, JobFailedError
from meshapi_core.flows.polling import Look, Polling
from meshapi_core.retries import RetryPolicy
from meshapi_core.types.batches import BatchObject

__all__ = ["OpenBatch"]

_FINAL_CODES: Final = RetryPolicy().final_codes
_EXPIRED: Final = frozenset({"expired", "batch_expired"})
"""The error codes of requests whose turn has not come in time."""


class OpenBatch:
    """A batch that is under way.

    Args:
        batch_id: the batch.
        entries: its calls that somebody waits for.
        look, polling: how it is looked at.
        due: when.
    """

    def __init__(
        self,
        batch_id: str,
        entries: Sequence[Entry],
        look: Look[BatchObject],
        polling: Polling,
        due: float,
    ) -> None:
        self.batch_id = batch_id
        self.entries = entries
        self.look = look
        self.polling = polling
        self.due = due
        self.done = 0
        self._cancelling = False

    def saw(self, batch: BatchObject) -> None:
        self.done = min(batch.completed_requests + batch.failed_requests, len(self.entries))
        asked: Any = batch.model_extra.get("cancelling_at")
        self._cancelling = self._cancelling or batch.status == "cancelling" or bool(asked)

    def may_succeed(self, item: BatchItem[Any], ended: Ended) -> bool:
        """Return whether the call of an item has another chance in another batch."""
        error = item.error
        if isinstance(error, APIStatusError):
            codes = {error.error_code, error.provider_code}
            return (error.status == 429 or error.status >= 500) and not codes & _FINAL_CODES
        if not isinstance(error, JobFailedError):
            return False
        status = (ended.batch.status or "").lower()
        was_cut = status == "expired" or (status.startswith("cancel") and not self._cancelling)
        # The other rows of such a batch say why they failed themselves.
        return (error is ended.failure and was_cut) or error.error_code in _EXPIRED
