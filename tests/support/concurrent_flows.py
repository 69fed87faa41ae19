"""A flow that keeps several calls under way, and a server that responds to each as it is told."""

import threading
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from meshapi_core import END_OF_STREAM
from meshapi_core.endpoints import Completions
from meshapi_core.flows import PULL, CallEnd, Emit, ItemFlow, NextEnds, StartCalls, StartPull
from support.scripted_server import PATIENCE, Peer
from support.wire import failed, good


def asking(model: str) -> Any:
    """A call that names what the server is to do."""
    return Completions.create.build(model=model, messages=[{"role": "user", "content": "hi"}])


def keeping(models: Iterable[str], at_once: int) -> ItemFlow[CallEnd, int]:
    """Make a call for each model, with so many under way."""
    todo: Iterator[tuple[int, Any]] = enumerate(map(asking, models))
    under_way = made = 0
    while True:
        calls = list(islice(todo, at_once - under_way))
        if calls:
            yield StartCalls(calls)
            under_way += len(calls)
            made += len(calls)
        if not under_way:
            return made
        ended = yield NextEnds()
        for end in ended.ends:
            under_way -= 1
            yield Emit(end)


def pulling(source: Any, at_once: int) -> ItemFlow[CallEnd, int]:
    """The same for the models that a source gives; it emits an error of the source, too."""
    made = 0
    has_more, is_pulling, under_way = True, False, 0
    while True:
        if has_more and not is_pulling and under_way < at_once:
            yield StartPull(source)
            is_pulling = True
        if not under_way and not is_pulling:
            return made
        ended = yield NextEnds()
        for end in ended.ends:
            if end.number != PULL:
                under_way -= 1
                yield Emit(end)
                continue
            is_pulling = False
            if end.error is not None or end.value is END_OF_STREAM:
                has_more = False
                if end.error is not None:
                    yield Emit(end)
                continue
            yield StartCalls([(made, asking(end.value))])
            made += 1
            under_way += 1


class Desk:
    """Responds by the model: "never", "busy", "wait" (for `go_on`), "together", or at once.

    Args:
        party: how many calls of "together" are responded to at the same time.

    Attributes:
        most: the most requests that had no response at the same time. These are calls under way,
            while a connection may be open for longer: the server closes it when it comes to it.
    """

    def __init__(self, party: int = 1) -> None:
        self.left = threading.Semaphore(0)
        self.go_on = threading.Event()
        self.most = 0
        self._open = 0
        self._lock = threading.Lock()
        self._all_there = threading.Barrier(party)

    def script(self, peer: Peer) -> None:
        for request in peer.requests():
            model = request.json()["model"]
            self._count(1)
            if model == "never":
                peer.wait_until_left()
                self.left.release()
                return
            if model == "wait":
                self.go_on.wait(PATIENCE)
            if model == "together":
                self._all_there.wait(PATIENCE)
            busy = failed(503, "provider_not_available")
            self._count(-1)  # first: the client may begin another call as soon as this is sent
            peer.send(busy if model == "busy" else good(model))

    def _count(self, more: int) -> None:
        with self._lock:
            self._open += more
            self.most = max(self.most, self._open)

    def saw_leaving(self, count: int) -> bool:
        """Wait until so many calls of "never" have been given up."""
        return all(self.left.acquire(timeout=PATIENCE / 2) for _ in range(count))
