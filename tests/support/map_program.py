"""A program that makes many calls with `client.map`, for tests that kill or interrupt it.

    python -m support.map_program '{"url": ..., "flavour": "trio", "calls": 50, ...}'

Each thing that it has to tell is one write of one line of JSON to its output, so that a kill loses
nothing that was told:

    {"begun": true}                                    everything is loaded, and nothing was done
    {"item": "call-7", "ok": true, "recorded": false}  handed over
    {"ended": "completed", "calls": 50, ...}           also "interrupted", or the code of an error
"""

import asyncio
import json
import os
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Optional

import meshapi_backends
from meshapi import AsyncMeshAPI, Budget, MeshAPI
from meshapi_core import MeshAPIError
from meshapi_core.endpoints import Completions

_PRELOADED = (meshapi_backends,)


def tell(**fields: Any) -> None:
    os.write(1, json.dumps(fields).encode() + b"\n")


class Program:
    """What the program was told to do.

    Args:
        given: `url`, `token`, `flavour`, `journal`, `calls` (how many), `options` (of `map`),
            `models` (which the calls take turns with), `prefix` (of their texts), `most_bytes` (of
            a file; see RLIMIT_FSIZE), `budget` (requests) and `die`: `[when, what, n]`, to be
            killed "before" or "after" the n-th request such as "POST /v1/batches", or "after" the
            n-th "item".
    """

    def __init__(self, given: "dict[str, Any]") -> None:
        self._given = given
        self._seen = 0

    def calls(self) -> "Iterator[Any]":
        models = self._given.get("models") or ["openai/gpt-4o-mini"]
        for number in range(self._given["calls"]):
            text = f"{self._given.get('prefix', 'call')} {number}"
            yield Completions.create.build(
                model=models[number % len(models)],
                messages=[{"role": "user", "content": text}],
                max_tokens=5,
            )

    def options(self) -> "dict[str, Any]":
        given = self._given
        budget = given.get("budget")
        return {
            "journal": given["journal"],
            **given.get("options", {}),
            **({} if budget is None else {"budget": Budget(requests=budget)}),
        }

    def settings(self, middleware: Any) -> "dict[str, Any]":
        found = {"base_url": self._given["url"], "token": self._given["token"]}
        return {**found, "middleware": [middleware]} if self._given.get("die") else found

    def die_if(self, when: str, what: str) -> None:
        """Kill this very process if its time has come."""
        if self._given.get("die", [])[:2] == [when, what]:
            self._seen += 1
            if self._seen >= self._given["die"][2]:
                os.kill(os.getpid(), signal.SIGKILL)

    def take(self, item: Any) -> None:
        tell(item=item.id, ok=item.error is None, recorded=item.recorded)
        self.die_if("after", "item")

    def end(self, run: Any) -> None:
        summary = run.summary()
        tell(
            ended=run.stopped,
            calls=summary.calls,
            recorded=summary.recorded,
            attempts=summary.attempts,
        )

    def in_threads(self) -> None:
        def watch(request: Any, call_next: Any) -> Any:
            what = request_kind(request)
            self.die_if("before", what)
            response = call_next(request)
            self.die_if("after", what)
            return response

        with MeshAPI(**self.settings(watch)) as client:
            run = client.map(self.calls(), **self.options())
            with run:
                for item in run:
                    self.take(item)
            self.end(run)

    async def on_a_loop(self) -> None:
        async def watch(request: Any, call_next: Any) -> Any:
            what = request_kind(request)
            self.die_if("before", what)
            response = await call_next(request)
            self.die_if("after", what)
            return response

        async with AsyncMeshAPI(**self.settings(watch)) as client:
            run = client.map(self.calls(), **self.options())
            async with run:
                async for item in run:
                    self.take(item)
            self.end(run)

    def run(self) -> None:
        tell(begun=True)
        flavour = self._given["flavour"]
        if flavour == "sync":
            self.in_threads()
        elif flavour == "asyncio":
            asyncio.run(self.on_a_loop())
        else:
            import trio

            trio.run(self.on_a_loop)


def request_kind(request: Any) -> str:
    """Return the method and the collection, such as "GET /v1/batches"."""
    path = request.plain_target.partition("?")[0]
    return f"{request.method} {'/'.join(path.split('/')[:3])}"


@contextmanager
def files_of_at_most(size: "Optional[int]") -> "Iterator[None]":
    """Let no file grow beyond a size, as on a disk that is full."""
    if size is None:
        yield
        return
    import resource

    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, resource.RLIM_INFINITY))
    try:
        yield
    finally:
        # What is told goes to a file, too.
        resource.setrlimit(resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY,) * 2)


def _leaf(exc: BaseException) -> BaseException:
    """Return the error in groups of one."""
    inner: Optional[Any] = getattr(exc, "exceptions", None)
    return _leaf(inner[0]) if inner else exc


def main() -> None:
    given = json.loads(sys.argv[1])
    try:
        with files_of_at_most(given.get("most_bytes")):
            Program(given).run()
    except MeshAPIError as exc:
        tell(ended=exc.error_code, message=str(exc))
    except BaseException as exc:
        if not isinstance(_leaf(exc), KeyboardInterrupt):
            raise
        tell(ended="interrupted")


if __name__ == "__main__":
    main()
