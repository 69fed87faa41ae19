"""The text in a response that should describe a value, or the error that says why it does not."""

from collections.abc import Sequence
from typing import Any, TypeVar

from meshapi_core._json_kinds import is_object
from meshapi_core.errors import (
    ContentFilterError,
    ModelRefusalError,
    OutputTruncatedError,
    OutputValidationError,
    StructuredOutputError,
)
from meshapi_core.structured.models import Mismatch
from meshapi_core.structured.outputs import Output
from meshapi_core.types.chat import ChatCompletionResponse
from meshapi_core.types.parsed import ParsedChatCompletion, ParsedResponse, with_value
from meshapi_core.types.responses import ResponsesResponse

__all__ = ["parsed_completion", "parsed_response"]

T = TypeVar("T")
E = TypeVar("E", bound=StructuredOutputError)


def parsed_completion(
    response: ChatCompletionResponse,
    output: Output[T],
    rejected: Sequence[ChatCompletionResponse] = (),
) -> ParsedChatCompletion[T]:
    """Return a completion with the value that its first choice describes.

    Args:
        rejected: those before it.

    Raises:
        StructuredOutputError: it describes none; each reason has its class.
    """
    made: ParsedChatCompletion[T] = with_value(
        ParsedChatCompletion, response, _value_of_completion(response, output), rejected
    )
    return made


def parsed_response(
    response: ResponsesResponse, output: Output[T], rejected: Sequence[ResponsesResponse] = ()
) -> ParsedResponse[T]:
    """Return a response with the value that its messages describe; see `parsed_completion`.

    Raises:
        StructuredOutputError: as for `parsed_completion`.
    """
    made: ParsedResponse[T] = with_value(
        ParsedResponse, response, _value_of_response(response, output), rejected
    )
    return made


def _value_of_completion(response: ChatCompletionResponse, output: Output[T]) -> T:
    if not response.choices:
        raise _error(StructuredOutputError, "the response has no choices", "", response)
    choice = response.choices[0]
    message = choice.message
    if message.refusal:
        raise _refusal(message.refusal, response)
    if message.tool_calls:
        said = "the model called tools, and gave no value; run_tools() answers such calls"
        raise _error(StructuredOutputError, said, message.text, response)
    return _decoded(message.text, choice.finish_reason or "", response, output)


def _value_of_response(response: ResponsesResponse, output: Output[T]) -> T:
    items: list[Any] = [item for item in response.output or () if is_object(item)]
    parts: list[Any] = [part for item in items for part in item.get("content") or ()]
    for part in parts:
        if is_object(part) and part.get("type") == "refusal":
            raise _refusal(str(part.get("refusal") or ""), response)
    text = response.output_text
    if response.status in ("failed", "cancelled", "queued", "in_progress"):
        error = response.model_extra.get("error")
        why = error.get("message") if is_object(error) else None
        said = f"the status of the response is {response.status!r}" + (f": {why}" if why else "")
        raise _error(StructuredOutputError, said, text, response)
    if not text and any(item.get("type") == "function_call" for item in items):
        said = "the model called tools, and gave no value; run_tools() answers such calls"
        raise _error(StructuredOutputError, said, text, response)
    details = response.model_extra.get("incomplete_details")
    why = str(details.get("reason") or "") if is_object(details) else ""
    finish = "length" if response.status == "incomplete" and not why else why
    return _decoded(text, finish, response, output)


def _decoded(text: str, finish: str, response: Any, output: Output[T]) -> T:
    """Return the value of a text.

    Args:
        finish: why the model stopped, in the words of either API.
    """
    if finish == "content_filter":
        raise _error(ContentFilterError, "a content filter stopped the model", text, response)
    try:
        return output.decode(text)
    except Mismatch as exc:
        mismatch = exc
    # A text that is a whole value in spite of the limit is as good as any other.
    if finish in ("length", "max_output_tokens", "max_tokens"):
        said = "the model's text is cut off at a limit of model tokens; raise max_tokens"
        raise _error(OutputTruncatedError, said, text, response) from mismatch
    said = f"the model's text does not match {output.title}: {mismatch}"
    error = _error(OutputValidationError, said, text, response)
    error.path, error.reason = mismatch.path, mismatch.reason
    raise error from mismatch


def _refusal(reason: str, response: Any) -> ModelRefusalError:
    return _error(ModelRefusalError, f"the model refused: {reason}", reason, response)


def _error(kind: type[E], message: str, text: str, response: Any) -> E:
    meta = response.meta
    error = kind(
        message,
        text=text,
        response=response,
        status=meta.status,
        headers=meta.headers,
        request_id=meta.request_id,
    )
    error.attempts, error.elapsed = meta.attempts, meta.elapsed
    return error
