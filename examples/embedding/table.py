"""The calls that every example makes, with one line of JSON printed for each.

An example is a host: it drives a `PipeCall` or a `ClientCall` with its library. All examples make
the same calls, and must print the same (`tests/examples/test_embedding.py`): a response after two
retries, and six streams. One is complete; the others are left in the middle, refused, broken, ended
by an error of the server, and stalled.
"""

import json
import os
from collections.abc import AsyncGenerator, Callable, Generator
from time import monotonic
from typing import Any, Optional, Union

from meshapi_core import ClientCall, MeshAPIConfig, MeshAPIError, PipeCall, RetryPolicy, Timeout
from meshapi_core.endpoints import Completions
from meshapi_core.types import ChatCompletionChunk, ChatCompletionResponse

Result = Union[ChatCompletionResponse, ChatCompletionChunk]

IDLE = 1.0
"""Seconds for which a stream may send no event."""

NAMES = ("retries", "stream", "left", "refused", "broken", "error", "stalled")


class Case:
    """One call and its outcome.

    Args:
        name: one of NAMES.
        example: the name of the example, so that the gateway counts its failures separately.
    """

    def __init__(self, name: str, example: str = "") -> None:
        self.name = name
        self._text = ""
        self._user = example
        self._call: Union[None, PipeCall[Result], ClientCall[Result]] = None

    def pipe_call(self, clock: Callable[[], float] = monotonic) -> PipeCall[Result]:
        """Return the call for a host with pipes."""
        call: PipeCall[Result]
        call = PipeCall(self._built(), config(), now=clock(), random_bytes=os.urandom)
        self._call = call
        return call

    def client_call(self, clock: Callable[[], float] = monotonic) -> ClientCall[Result]:
        """Return the call for a host with an HTTP client."""
        call: ClientCall[Result]
        call = ClientCall(self._built(), config(), now=clock(), random_bytes=os.urandom)
        self._call = call
        return call

    def _built(self) -> Any:
        model, question = {
            "retries": ("mesh/flaky", "What is 2+2?"),
            "left": ("openai/gpt-4o-mini", "Count to 1000."),
            "refused": ("no-such/model", "Hello!"),
            "broken": ("mesh/broken-stream", "Count to 6."),
            "error": ("mesh/error-in-stream", "Count to 6."),
            "stalled": ("mesh/stall", "Count to 6."),
        }.get(self.name, ("openai/gpt-4o-mini", "Count to 5."))
        build = Completions.create.build if self.name == "retries" else Completions.stream.build
        messages = [{"role": "user", "content": question}]
        return build(model=model, messages=messages, user=self._user)

    def take(self, response: Result) -> bool:
        """Take an item, and return whether to go on."""
        if isinstance(response, ChatCompletionResponse):
            self._text += str(response.choices[0].message.content)
        elif response.choices:
            self._text += response.choices[0].delta.content or ""
        return self.name != "left" or self._text != "1 2 3"

    def end(self, error: Optional[MeshAPIError] = None) -> None:
        """Print the outcome."""
        line: dict[str, Any] = {"case": self.name, "text": self._text}
        if self._call is not None:
            line["attempts"] = self._call.attempts
        if error is not None:
            line.update(error=type(error).__name__, code=error.error_code, status=error.status)
            if isinstance(error.partial, ChatCompletionResponse):
                line["partial"] = error.partial.choices[0].message.content
        print(json.dumps(line), flush=True)


def config() -> MeshAPIConfig:
    """Return a configuration for the gateway that the environment names."""
    return MeshAPIConfig(
        base_url=os.environ["MESHAPI_BASE_URL"],
        token=os.environ["MESHAPI_TOKEN"],
        timeout=Timeout(connect=10.0, read=10.0, idle=IDLE),
        retry=RetryPolicy(initial_delay=0.05),
    )


def play(example: str, drive: Callable[[Case], Generator[Result, None, None]]) -> None:
    """Make all calls with a function that yields the items of one."""
    for name in NAMES:
        case = Case(name, example)
        responses = drive(case)
        try:
            while (response := next(responses, None)) is not None and case.take(response):
                pass
        except MeshAPIError as exc:
            case.end(exc)
        else:
            responses.close()
            case.end()


async def play_async(example: str, drive: Callable[[Case], AsyncGenerator[Result, None]]) -> None:
    """Make all calls with an asynchronous generator function."""
    for name in NAMES:
        case = Case(name, example)
        responses = drive(case)
        try:
            async for response in responses:
                if not case.take(response):
                    break
        except MeshAPIError as exc:
            case.end(exc)
        else:
            await responses.aclose()
            case.end()
