"""Tool runs, structured output and conversations on a host of your own: all it needs is a `Runner`.

These helpers are flows: generators that yield steps, such as a call to make or functions to call.
`Items` drives a flow, `do` does its steps, and a `HostRunner` is what the methods of the endpoints
ask for. The calls are made by the host in `on_http_client.py`; each of the others would do.
"""

import os
from collections.abc import Generator, Iterator
from time import monotonic
from typing import Any, Generic, Optional, TypeVar, Union

from on_http_client import drive, warm
from typing_extensions import Self

from meshapi_core import END_OF_STREAM, AnyCall, ClientCall, StreamUsageError
from meshapi_core.endpoints import Call, Chat, Flow, ItemFlow, Stream, StreamCall
from meshapi_core.flows import (
    CloseStream,
    Emit,
    FunctionCall,
    FunctionOutcome,
    NextChunk,
    OpenStream,
    RunFunctions,
    Step,
    Tell,
)
from table import config

T = TypeVar("T")
R = TypeVar("R")


def begun(call: AnyCall[T]) -> ClientCall[T]:
    return ClientCall(call, config(), now=monotonic(), random_bytes=os.urandom)


class Chunks:
    """A stream for flows."""

    def __init__(self, call: AnyCall[Any]) -> None:
        self._call = begun(call)
        self._chunks = drive(self._call)

    @property
    def partial(self) -> Any:
        return self._call.decoder and self._call.decoder.partial()

    def next(self) -> Any:
        return next(self._chunks, END_OF_STREAM)

    def close(self) -> None:
        self._chunks.close()


def do(step: Step) -> Any:
    """Do a step, and return its result. The other kinds of steps are those of other helpers."""
    if isinstance(step, Tell):
        return step.function(*step.arguments)
    if isinstance(step, RunFunctions):
        outcomes: list[FunctionOutcome] = []
        for position, call in enumerate(step.calls):  # one after the other
            outcomes.append(outcome_of(call))
            step.on_end(position, outcomes[-1])
        return outcomes
    if isinstance(step, OpenStream):
        return Chunks(step.call)
    if isinstance(step, NextChunk):
        return step.stream.next()
    if isinstance(step, CloseStream):
        return step.stream.close()
    if isinstance(step, Call):
        asked: Call[Any] = step
        return HostRunner().run(asked)
    raise NotImplementedError(type(step).__name__)


def outcome_of(call: FunctionCall) -> FunctionOutcome:
    try:
        return FunctionOutcome(call.function(*call.arguments, **call.keywords))
    except Exception as exc:
        return FunctionOutcome(error=exc)


class Items(Generic[T, R]):
    """The items of a flow: an `ItemStream`."""

    def __init__(self, flow: ItemFlow[T, R]) -> None:
        self.ended = False
        self._items = self._drive(flow)
        self._result: Optional[tuple[R]] = None

    def _drive(self, flow: ItemFlow[T, R]) -> Generator[T, None, None]:
        sent: Any = None
        error: Optional[Exception] = None
        opened: list[Chunks] = []
        try:
            while True:
                step = flow.send(sent) if error is None else flow.throw(error)
                sent = error = None
                if isinstance(step, Emit):
                    yield step.value
                    continue
                try:
                    sent = do(step)
                except Exception as exc:  # the flow decides about it
                    error = exc
                if isinstance(sent, Chunks):
                    opened.append(sent)
        except StopIteration as stop:
            self._result = (stop.value,)
        finally:
            self.ended = True
            for stream in opened:
                stream.close()
            flow.close()

    def until_done(self) -> R:
        for _ in self._items:
            pass
        if self._result is None:
            raise StreamUsageError("this was closed, or ended with an error")
        return self._result[0]

    def close(self) -> None:
        self.ended = True
        self._items.close()

    def __iter__(self) -> Iterator[T]:
        return self

    def __next__(self) -> T:
        return next(self._items)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exc_info: object) -> None:
        self.close()


class HostRunner:
    """A `Runner`."""

    def run(self, call: AnyCall[T], /) -> T:
        (result,) = drive(begun(call))
        return result

    def run_flow(self, flow: Flow[R], /) -> R:
        return self.open_flow(flow).until_done()

    def open_flow(self, flow: ItemFlow[T, R], /) -> Items[T, R]:
        return Items(flow)

    def open(self, call: StreamCall[T], /) -> Stream[T]:
        raise NotImplementedError("for stream(): it returns a `Stream`")


# The demonstration.


def get_weather(city: str) -> str:
    """Return the weather in a city."""
    return f"sunny in {city}"


def main() -> None:
    chat = Chat(HostRunner())
    history = chat.conversation(model="openai/gpt-4o-mini", tools=[get_weather])
    for text in history.stream("What is the weather in Paris?").text_stream:
        print(text, end="", flush=True)
    print()
    print(history.parse("There are 7 people in Berlin.", Union[list[str], int]).parsed)
    run = chat.completions.run_tools(
        model="openai/gpt-4o-mini",
        messages=[{"role": "user", "content": "What is the weather in Rome?"}],
        tools=[get_weather],
    )
    print([step.type for step in run], run.until_done().text)
    for connection in warm.values():
        connection.close()


if __name__ == "__main__":
    main()
