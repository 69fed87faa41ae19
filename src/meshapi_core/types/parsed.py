"""Responses whose text was made into a value: what `parse` returns.

Source: MeshAPI chat completions and responses, https://developers.meshapi.ai/docs
"""

from collections.abc import Sequence
from typing import Any, Final, Generic, TypeVar, Union

import msgspec
from typing_extensions import TypeAlias

from meshapi_core._raw_data import all_of, keep_all
from meshapi_core.types.chat import ChatCompletionResponse
from meshapi_core.types.responses import ResponsesResponse

__all__ = ["ParsedChatCompletion", "ParsedResponse"]

T = TypeVar("T")

_Plain: TypeAlias = Union[ChatCompletionResponse, ResponsesResponse]

# In the `__dict__`, beside what the server sent: neither is a field of the response.
_PARSED: Final = "_parsed"
_REJECTED: Final = "_rejected"


def _parsed(response: object) -> Any:
    kept = vars(response)
    if _PARSED not in kept:
        raise AttributeError("only a response that parse() returned has a parsed value")
    return kept[_PARSED]


class ParsedChatCompletion(ChatCompletionResponse, Generic[T], kw_only=True, dict=True):
    """A whole chat completion, and the value that its text describes.

    The fields are those of `ChatCompletionResponse`. The value survives pickling and copying; it is
    not in `model_dump()`.
    """

    @property
    def parsed(self) -> T:
        """The value."""
        value: T = _parsed(self)
        return value

    @property
    def rejected(self) -> Sequence[ChatCompletionResponse]:
        """The responses before this one whose text did not match: one for each validation retry."""
        found: Sequence[ChatCompletionResponse] = vars(self).get(_REJECTED, ())
        return found


class ParsedResponse(ResponsesResponse, Generic[T], kw_only=True, dict=True):
    """A whole response, and the value that its text describes.

    The fields are those of `ResponsesResponse`. The value survives pickling and copying; it is not
    in `model_dump()`.
    """

    @property
    def parsed(self) -> T:
        """The value."""
        value: T = _parsed(self)
        return value

    @property
    def rejected(self) -> Sequence[ResponsesResponse]:
        """The responses before this one whose text did not match: one for each validation retry."""
        found: Sequence[ResponsesResponse] = vars(self).get(_REJECTED, ())
        return found


def with_value(kind: Any, response: _Plain, value: Any, rejected: Sequence[_Plain] = ()) -> Any:
    """Return a response as a `kind`, with its value attached."""
    made = kind(**msgspec.structs.asdict(response))
    keep_all(made, {**all_of(response), _PARSED: value, _REJECTED: tuple(rejected)})
    return made
