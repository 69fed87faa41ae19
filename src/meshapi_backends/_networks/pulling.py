"""The task that asks an async iterator for its items."""

from collections.abc import Awaitable, Callable
from functools import partial
from typing import Any, Optional

from meshapi_core import END_OF_STREAM
from meshapi_core.flows import PULL, CallEnd


class Pulling:
    """Asks one source for its items, all in the task that runs `run`.

    Args:
        source: the async iterator.
        asked: waits until the next item is wanted, or the source is to be closed.
        report: is called with how each pull has ended.
        cancellation: the class of the loop's exception.
    """

    def __init__(
        self,
        source: Any,
        asked: Callable[[], Awaitable[None]],
        report: Callable[[CallEnd], None],
        cancellation: type[BaseException],
    ) -> None:
        self._source = source
        self._asked = asked
        self._report = report
        self._cancellation = cancellation
        self.is_asked = True
        self.is_ending = False
        # Whether the source is at work: then only cancellation ends it.
        self.is_busy = True

    async def run(self) -> None:
        """Give items as they are asked for, until the source has no more or is to be closed."""
        source = self._source
        held: Optional[CallEnd] = None
        while not self.is_ending:
            if not self.is_asked:
                self.is_busy = False
                try:
                    await self._asked()
                except self._cancellation as exc:
                    # Of a time limit or a nursery around a `yield` of the source, whose it is.
                    if not hasattr(source, "athrow"):
                        raise
                    self.is_busy = True
                    held = await self._outcome(partial(source.athrow, exc))
                continue
            self.is_busy = True
            end = held or await self._outcome(source.__anext__)
            held, self.is_asked = None, False
            is_last = end.error is not None or end.value is END_OF_STREAM
            self._report(end)
            del end
            if is_last:
                return
        if hasattr(source, "aclose"):
            await source.aclose()

    async def _outcome(self, step: Callable[[], Awaitable[Any]]) -> CallEnd:
        try:
            return CallEnd(PULL, await step())
        except StopAsyncIteration:
            return CallEnd(PULL, END_OF_STREAM)
        except Exception as exc:
            return CallEnd(PULL, None, exc)
