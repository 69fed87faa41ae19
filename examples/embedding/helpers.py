"""Helpers without this library's I/O: a wait for a batch, and a tool run, over `http.client`.

Both are flows: generators that yield steps and are sent their results.

    python helpers.py
"""

import os
from collections.abc import Callable, Generator
from time import monotonic, sleep
from typing import Any, Optional, TypeVar

from on_http_client import drive, warm

from meshapi_core import Call, ClientCall, MeshAPIConfig
from meshapi_core.endpoints import Batches, Completions
from meshapi_core.flows import (
    Emit,
    FunctionOutcome,
    ItemFlow,
    Now,
    Pause,
    RandomBytes,
    RunFunctions,
    Step,
)
from meshapi_core.tools import ToolCallEnded

T = TypeVar("T")
R = TypeVar("R")

MODEL = "openai/gpt-4o-mini"
config = MeshAPIConfig(base_url=os.environ["MESHAPI_BASE_URL"], token=os.environ["MESHAPI_TOKEN"])


def run(flow: ItemFlow[T, R], do: Callable[[Step], Any]) -> Generator[T, None, R]:
    """Yield the items of a flow, and return its result. To stop early, close the generator.

    `do` does the other steps.
    """
    result: Any = None
    error: Optional[Exception] = None
    try:
        while True:
            step = flow.send(result) if error is None else flow.throw(error)
            result = error = None
            if isinstance(step, Emit):
                yield step.value
                continue
            try:
                result = do(step)
            except Exception as exc:
                error = exc  # the flow may catch it, and go on
    except StopIteration as end:
        value: R = end.value
        return value
    finally:
        flow.close()


def do(step: Step) -> Any:
    if isinstance(step, Call):
        return make(step)
    if isinstance(step, Pause):
        return sleep(step.seconds)
    if isinstance(step, Now):
        return monotonic()
    if isinstance(step, RandomBytes):
        return os.urandom(step.size)
    if isinstance(step, RunFunctions):
        return [call_function(step, place) for place in range(len(step.calls))]
    raise NotImplementedError(f"nothing here needs {step!r}")


def make(call: Call[T]) -> T:
    (response,) = drive(ClientCall(call, config, now=monotonic(), random_bytes=os.urandom))
    return response


def call_function(step: RunFunctions, place: int) -> FunctionOutcome:
    """Call one function after the other; a host may call `step.at_once` at the same time."""
    call = step.calls[place]
    try:
        outcome = FunctionOutcome(call.function(*call.arguments, **call.keywords))
    except Exception as exc:
        outcome = FunctionOutcome(error=exc)
    step.on_end(place, outcome)
    return outcome


# The demonstration.


def get_weather(city: str) -> str:
    """Return the current weather in a city."""
    return f"18 degrees and sunny in {city}"


def wait_for_a_batch() -> Generator[Any, None, None]:
    body = {"model": MODEL, "messages": [{"role": "user", "content": "What is 2+2?"}]}
    batch = make(Batches.create.build(requests=[{"custom_id": "sum", "body": body}]))
    batch = yield from run(Batches.wait.build(batch, poll_interval=0.1), do)
    print(batch.status)


def run_tools() -> Generator[Any, None, None]:
    question = [{"role": "user", "content": "What is the weather in Paris?"}]
    loop = Completions.run_tools.build(model=MODEL, messages=question, tools=[get_weather])
    result = yield from run(loop.flow(), do)
    print(result.text)


if __name__ == "__main__":
    for _ in wait_for_a_batch():
        pass
    for step in run_tools():
        if isinstance(step, ToolCallEnded):
            print(f"{step.call.name}: {step.content}")
    for connection in warm.values():
        connection.close()
