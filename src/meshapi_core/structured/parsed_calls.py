"""Calls whose results have a value of a type: `parse.build(...)`, for runs and batches.

`parse` is a flow, as it may ask again. Such a call is one request: its reader makes the value, and
raises what `parse` raises where there is none. So an earlier response, such as one in a journal, is
read in the same way, and a call goes to another process if its type can be imported there.
"""

from collections.abc import Callable
from typing import Any, Generic, Optional, TypeVar

from msgspec import Struct, structs

from meshapi_core.calls import Call
from meshapi_core.errors import InvalidParamsError
from meshapi_core.messages import Response
from meshapi_core.params.encoding import refuse_unknown
from meshapi_core.readers import Reader
from meshapi_core.structured.answers import parsed_completion, parsed_response
from meshapi_core.structured.outputs import Output, output_of
from meshapi_core.structured.parsing import (
    OWN,
    check_background,
    check_retries,
    completion_asked,
    response_asked,
)
from meshapi_core.types.chat import ChatCompletionParams, ChatCompletionResponse
from meshapi_core.types.parsed import ParsedChatCompletion, ParsedResponse
from meshapi_core.types.responses import ResponsesParams, ResponsesResponse

__all__ = ["completion_call", "response_call"]

T = TypeVar("T")

Build = Callable[..., Call[Any]]

_OUTPUT = "_kept"


class _ParsingReader(Struct, Generic[T], frozen=True, dict=True):
    """What both readers share.

    Fields:
        reader: of the call without a type.
        kind: the type. It is not the `Output`, which cannot be pickled.
    """

    reader: Reader[Any]
    kind: Any

    @property
    def accept(self) -> str:
        """The request's Accept header."""
        return self.reader.accept

    def _output(self) -> Output[T]:
        kept = vars(self)
        if _OUTPUT not in kept:
            kept[_OUTPUT] = output_of(self.kind)
        made: Output[T] = kept[_OUTPUT]
        return made


class _CompletionReader(_ParsingReader[T], Generic[T], frozen=True, dict=True):
    def read(self, response: Response) -> ParsedChatCompletion[T]:
        """Return the completion with its value. Raises as `parse`."""
        completion: ChatCompletionResponse = self.reader.read(response)
        return parsed_completion(completion, self._output())


class _ResponseReader(_ParsingReader[T], Generic[T], frozen=True, dict=True):
    def read(self, response: Response) -> ParsedResponse[T]:
        """Return the response with its value. Raises as `parse`."""
        made: ResponsesResponse = self.reader.read(response)
        return parsed_response(made, self._output())


def completion_call(
    build: Build,
    params: Optional[ChatCompletionParams] = None,
    *,
    response_format: Any,
    validation_retries: int = 0,
    **fields: Any,
) -> Call[ParsedChatCompletion[Any]]:
    """Return the call of `chat.completions.parse.build`.

    Args:
        build: makes the call of `chat.completions.create`.
        params, response_format, validation_retries, fields: as for `chat.completions.parse`.

    Raises:
        UnsupportedSchemaError: the type has no schema.
        InvalidParamsError: a parameter is wrong; or there are to be validation retries.
    """
    refuse_unknown(ChatCompletionParams, fields, OWN)
    _check_no_retries(validation_retries)
    asked, _ = completion_asked(params, response_format=response_format, **fields)
    call = build(**asked)
    return structs.replace(call, reader=_CompletionReader(call.reader, response_format))


def response_call(
    build: Build,
    params: Optional[ResponsesParams] = None,
    *,
    response_format: Any,
    validation_retries: int = 0,
    **fields: Any,
) -> Call[ParsedResponse[Any]]:
    """Return the call of `responses.parse.build`; see `completion_call`.

    Raises:
        UnsupportedSchemaError, InvalidParamsError: as for `completion_call`; or the response is
            made in the background.
    """
    refuse_unknown(ResponsesParams, fields, OWN)
    _check_no_retries(validation_retries)
    asked, _ = response_asked(params, response_format=response_format, **fields)
    check_background(asked)
    call = build(**asked)
    return structs.replace(call, reader=_ResponseReader(call.reader, response_format))


def _check_no_retries(retries: Any) -> None:
    check_retries(retries)
    if retries:
        got = "given to build(), which makes one call"
        hint = "leave it out; an item whose text does not match has the error"
        raise InvalidParamsError("validation_retries", "", got, hint)
