"""`map` on a host of your own: many calls at once, in one thread, with `select` alone.

A run of many calls is a flow, as the helpers in `helpers.py` are. Its steps begin calls, and wait
until some of them have ended. The flow decides about everything else: when a call may begin, which
is sent again, and when the run is over.

    python calls_at_once.py
"""

import os
from collections.abc import Iterator
from math import inf
from time import monotonic
from typing import Any, TypeVar

from helpers import run
from on_select import Task, Wait, drive, turn

from meshapi_core import AnyCall, MeshAPIConfig, MeshAPIError, PipeCall
from meshapi_core.bulk import MapItem, planned_run
from meshapi_core.endpoints import Completions
from meshapi_core.flows import (
    CallEnd,
    Ends,
    GetConfig,
    GetLimits,
    GetMostFiles,
    NextEnds,
    Now,
    RandomBytes,
    StartCalls,
    Step,
)

T = TypeVar("T")

config = MeshAPIConfig(base_url=os.environ["MESHAPI_BASE_URL"], token=os.environ["MESHAPI_TOKEN"])


class Host:
    """Does the steps of a run, which has no journal here."""

    def __init__(self) -> None:
        self.waits: dict[Task, Wait] = {}
        self.ends: list[CallEnd] = []

    def do(self, step: Step) -> Any:
        if isinstance(step, StartCalls):
            for number, call in step.calls:
                self.start(number, call)
            return None
        if isinstance(step, NextEnds):
            return self.next_ends(inf if step.seconds is None else step.seconds, step.most)
        if isinstance(step, GetConfig):
            return config
        if isinstance(step, (GetLimits, GetMostFiles)):
            return None  # it opens as many connections as there are calls
        if isinstance(step, Now):
            return monotonic()
        if isinstance(step, RandomBytes):
            return os.urandom(step.size)
        raise NotImplementedError(f"nothing here needs {step!r}")

    def start(self, number: int, call: AnyCall[Any]) -> None:
        """Begin one attempt: whether there is another, the flow decides."""
        task = self.attempt(CallEnd(number), call)
        for wait in task:
            self.waits[task] = wait
            break

    def attempt(self, end: CallEnd, call: AnyCall[Any]) -> Task:
        once = config.with_one_attempt()
        made = PipeCall(call, once, now=monotonic(), random_bytes=os.urandom)

        def take(value: Any) -> bool:
            end.value = value
            return True

        try:
            yield from drive(made, take)
        except MeshAPIError as exc:
            end.error = exc
        self.ends.append(end)

    def next_ends(self, seconds: float, most: int) -> Ends:
        until = monotonic() + seconds
        while not self.ends and monotonic() < until:
            turn(self.waits, until)
        ends, self.ends = self.ends[:most], self.ends[most:]
        return Ends(monotonic(), ends)

    def close(self) -> None:
        """End the calls that are under way."""
        for task in self.waits:
            task.close()


def map_calls(calls: Any, **options: Any) -> Iterator[MapItem[Any]]:
    """Yield what `client.map` yields, with its options."""
    template = options.pop("template", None)
    planned = planned_run(calls, template, options, takes_async=False)
    host = Host()
    try:
        yield from run(planned.flow(), host.do)
    finally:
        host.close()


# The demonstration.


def main() -> None:
    template = Completions.create.build(
        model="openai/gpt-4o-mini", messages=[{"role": "user", "content": "What is {n} + 1?"}]
    )
    rows = ({"id": n, "n": n} for n in range(100))
    found = {item.id: item for item in map_calls(rows, template=template, concurrency=10)}
    print(len(found), found["41"].result().text)


if __name__ == "__main__":
    main()
