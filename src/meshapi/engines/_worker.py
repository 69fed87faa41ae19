"""What a process of an engine keeps from one batch to the next: clients, and a loop for them.

Engines pass batches to threads, and to processes that they fork. The event loop has a thread of its
own, in which the calls of all batches are made; a forked process makes its own.
"""

import asyncio
import atexit
import os
import threading
from collections.abc import Sequence
from typing import Any, Final, Optional

from meshapi import AsyncMeshAPI, Budget, ClientSettings, JournalError
from meshapi.engines._results import Row, result_of, unsent
from meshapi_core.bulk import Entry

__all__ = ["Worker"]

_LOCK: Final = threading.Lock()

_CLOSING: Final = 5.0
"""Seconds in which the clients must be closed when the process ends."""

_LOCKED: Final = 60.0
"""Seconds in which another process must have ended that works on the same batch: an engine that has
lost the connection to a process gives its batch to another one, while the first still runs."""


class Worker:
    """The event loop, the clients and the budgets of this process; `here` returns it."""

    _found: "Optional[tuple[int, Worker]]" = None

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        self._clients: list[tuple[ClientSettings, AsyncMeshAPI]] = []
        self._budgets: dict[str, Budget] = {}
        self._thread = threading.Thread(target=self._loop.run_forever, name="meshapi", daemon=True)
        self._thread.start()
        atexit.register(self._close, os.getpid())

    @classmethod
    def here(cls) -> "Worker":
        """Return the worker of this process."""
        with _LOCK:
            process = os.getpid()
            if cls._found is None or cls._found[0] != process:
                cls._found = process, cls()
            return cls._found[1]

    def results(
        self,
        key: str,
        settings: ClientSettings,
        budget: Optional[dict[str, Any]],
        entries: Sequence[Entry],
        options: dict[str, Any],
    ) -> list[Row]:
        """Make calls, and return their results in order.

        Args:
            key: whose budget it is.
            settings: of the client.
            budget: its arguments; None is none.
            entries: the calls.
            options: for `map`.
        """
        if budget is not None:
            options = {**options, "budget": self._budget(key, budget)}
        made = _results(self._client(settings), entries, options)
        future = asyncio.run_coroutine_threadsafe(made, self._loop)
        try:
            return future.result()
        finally:
            # If this thread was interrupted; it does nothing to calls that have ended.
            future.cancel()

    def _client(self, settings: ClientSettings) -> AsyncMeshAPI:
        with _LOCK:
            for others, client in self._clients:
                if others == settings:
                    return client
            client = AsyncMeshAPI.from_settings(settings)
            self._clients.append((settings, client))
            return client

    def _budget(self, key: str, arguments: dict[str, Any]) -> Budget:
        with _LOCK:
            if key not in self._budgets:
                self._budgets[key] = Budget(**arguments)
            return self._budgets[key]

    def _close(self, process: int) -> None:
        if os.getpid() != process:
            return

        async def close() -> None:
            for _, client in self._clients:
                await client.aclose()

        future = asyncio.run_coroutine_threadsafe(close(), self._loop)
        try:
            future.result(_CLOSING)
        finally:
            self._loop.call_soon_threadsafe(self._loop.stop)
            self._thread.join(_CLOSING)
            if not self._loop.is_running():
                self._loop.close()


async def _results(
    client: AsyncMeshAPI, entries: Sequence[Entry], options: dict[str, Any]
) -> list[Row]:
    loop = asyncio.get_running_loop()
    end = loop.time() + _LOCKED
    while True:
        try:
            return await _made(client, entries, options)
        except JournalError as exc:
            if exc.error_code != "journal_locked" or loop.time() > end:
                raise
        await asyncio.sleep(0.5)


async def _made(
    client: AsyncMeshAPI, entries: Sequence[Entry], options: dict[str, Any]
) -> list[Row]:
    found: dict[int, Row] = {}
    calls = [entry.call if entry.given_id is None else (entry.id, entry.call) for entry in entries]
    async with client.map(calls, **options) as run:
        async for item in run:
            found[item.index] = result_of(item)
    limit = run.summary().limit
    return [found.get(entry.index) or unsent(limit) for entry in entries]
