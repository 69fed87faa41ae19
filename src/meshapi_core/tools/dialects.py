"""What a tool run needs to know of an API: how it asks, and what a response says."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Optional, TypeVar

from typing_extensions import Protocol

from meshapi_core.calls import Call, StreamCall
from meshapi_core.tools.function_tool import FunctionTool
from meshapi_core.tools.steps import ModelDelta
from meshapi_core.tools.usage import RunUsage

__all__ = ["Dialect", "Request", "forces_a_call"]

T = TypeVar("T")

Request = tuple[str, str, str]
"""ID, name and arguments of a call, as the model wrote them."""


class Dialect(Protocol[T]):
    """One API.

    Attributes:
        api: its name in checkpoints.
    """

    api: str

    def declare(self, tool: FunctionTool) -> dict[str, Any]:
        """Return what the request says about a tool."""
        ...

    def name_of(self, declaration: Mapping[str, Any]) -> Optional[str]:
        """Return the name of a declared function; None for tools that the provider runs."""
        ...

    def split(
        self, fields: Mapping[str, Any], tools: Sequence[Mapping[str, Any]]
    ) -> tuple[dict[str, Any], list[Any]]:
        """Return the parameters of all the requests, and what the history begins with.

        Raises:
            InvalidParamsError: a parameter is missing, unknown or not valid.
        """
        ...

    def call(
        self, fields: Mapping[str, Any], history: Sequence[Any], tools: Sequence[Mapping[str, Any]]
    ) -> Call[T]:
        """Return the call that asks the model for its next response."""
        ...

    def stream_call(
        self, fields: Mapping[str, Any], history: Sequence[Any], tools: Sequence[Mapping[str, Any]]
    ) -> StreamCall[Any]:
        """Return the call that asks for the next response as a stream, whose `partial` is a T."""
        ...

    def deltas(self) -> Callable[[Any], Sequence[ModelDelta]]:
        """Return a function that finds in each chunk of one stream what the model says."""
        ...

    def restored(self, response: Mapping[str, Any]) -> T:
        """Return a response from a checkpoint."""
        ...

    def check(self, response: T) -> None:
        """Raise for a response that has failed, which is not an answer.

        Raises:
            JobFailedError: says why.
        """
        ...

    def name_calls(self, response: T, prefix: str) -> None:
        """Give the calls of a response that have no ID one each, which begins with the prefix.

        Some providers send none, and refuse results without one.
        """
        ...

    def said(self, response: T) -> list[Any]:
        """Return what a response adds to the history."""
        ...

    def requested(self, response: T) -> list[Request]:
        """Return the calls that a response asks for."""
        ...

    def result(self, call_id: str, content: str) -> Any:
        """Return what the result of a call adds to the history."""
        ...

    def text(self, response: T) -> str:
        """Return the text of a response."""
        ...

    def used(self, usage: RunUsage, response: T) -> RunUsage:
        """Return the usage with that of a response added."""
        ...


def forces_a_call(choice: Any) -> bool:
    """Return whether a `tool_choice` makes the model call a tool in every response."""
    return choice == "required" or isinstance(choice, Mapping)
