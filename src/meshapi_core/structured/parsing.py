"""The flows behind `parse`: ask for a value, and ask again if the text does not match its type."""

from collections.abc import Callable
from typing import Any, Optional, TypeVar

import msgspec

from meshapi_core._json_kinds import is_mapping, is_type, value_name
from meshapi_core.calls import Call
from meshapi_core.errors import InvalidParamsError, OutputValidationError
from meshapi_core.flows.steps import Flow
from meshapi_core.structured.answers import parsed_completion, parsed_response
from meshapi_core.structured.outputs import Output, output_of
from meshapi_core.types.chat import ChatCompletionParams
from meshapi_core.types.responses import ResponsesParams

__all__ = [
    "OWN",
    "check_background",
    "check_retries",
    "completion_asked",
    "correction",
    "parse_completion",
    "parse_response",
    "response_asked",
    "wanted_output",
]

T = TypeVar("T")

Build = Callable[..., Call[Any]]
Fields = dict[str, Any]

OWN = ("response_format", "validation_retries")
"""The parameters of `parse` besides those of `create`."""


def completion_asked(
    params: Optional[ChatCompletionParams] = None, *, response_format: Any, **fields: Any
) -> tuple[Fields, Output[Any]]:
    """Return the parameters of a completion that asks for a type, and the type's output.

    Args:
        params, fields: the parameters, as for `chat.completions.create`.
        response_format: the type.

    Raises:
        UnsupportedSchemaError: the type has no schema.
        InvalidParamsError: it is not a type, or a parameter does not go with one.
    """
    output = wanted_output(response_format)
    fields = _keywords(params, fields)
    if (fields.get("n") or 1) != 1:
        hint = "make several calls, or pass no type"
        raise InvalidParamsError("n", "1, as there is one value", str(fields["n"]), hint)
    if fields.get("response_format") is not None:
        raise _twice("response_format")
    return {**fields, "response_format": output.response_format()}, output


def response_asked(
    params: Optional[ResponsesParams] = None, *, response_format: Any, **fields: Any
) -> tuple[Fields, Output[Any]]:
    """Return the parameters of a response that asks for a type; see `completion_asked`.

    Raises:
        UnsupportedSchemaError, InvalidParamsError: as for `completion_asked`.
    """
    output = wanted_output(response_format)
    fields = _keywords(params, fields)
    if fields.get("response_format") is not None:
        raise _twice("response_format")
    text: Any = fields.get("text") or {}
    if is_mapping(text):
        if "format" in text:
            raise _twice("text.format")
        fields["text"] = {**text, **output.text_format()}
    return fields, output


def parse_completion(build: Build, fields: Fields, output: Output[T], retries: int) -> Flow[Any]:
    """Return the flow of `chat.completions.parse`.

    Args:
        build: makes the call of `chat.completions.create`.
        fields, output: what `completion_asked` returned.
        retries: how many more times to ask, at most.

    Raises:
        InvalidParamsError: `retries` is not such a number.
    """

    def again(fields: Fields, correction: list[Any]) -> Fields:
        return {**fields, "messages": [*fields["messages"], *correction]}

    return _parse((build, fields, again), parsed_completion, output, retries)


def parse_response(build: Build, fields: Fields, output: Output[T], retries: int) -> Flow[Any]:
    """Return the flow of `responses.parse`; see `parse_completion`.

    Raises:
        InvalidParamsError: as for `parse_completion`; or the response is made in the background.
    """
    check_background(fields)

    def again(fields: Fields, correction: list[Any]) -> Fields:
        asked = fields["input"]
        first = [{"role": "user", "content": asked}] if isinstance(asked, str) else asked
        return {**fields, "input": [*first, *correction]}

    return _parse((build, fields, again), parsed_response, output, retries)


def _parse(
    asking: tuple[Build, Fields, Callable[[Fields, list[Any]], Fields]],
    parsed: Callable[[Any, Output[T], list[Any]], Any],
    output: Output[T],
    retries: Any,
) -> Flow[Any]:
    check_retries(retries)
    build, fields, again = asking
    rejected: list[Any] = []
    while True:
        response: Any = yield build(**fields)
        try:
            return parsed(response, output, rejected)
        except OutputValidationError as exc:
            if len(rejected) == retries:
                raise
            fields = again(fields, correction(exc))
            rejected.append(response)


def correction(error: OutputValidationError) -> list[dict[str, str]]:
    """Return the messages with which the model is asked again; the last one says what is wrong."""
    where = f" at {error.path}" if error.path else ""
    asked = (
        f"That does not match the JSON schema{where}: {error.reason}."
        " Send the whole JSON again, corrected, and nothing else."
    )
    said = [{"role": "assistant", "content": error.text}] if error.text else []
    return [*said, {"role": "user", "content": asked}]


def check_background(fields: Fields) -> None:
    """Check that the response is not made in the background.

    Raises:
        InvalidParamsError: it is.
    """
    if fields.get("background"):
        hint = "use create(), and get() with the ID of the response"
        raise InvalidParamsError("background", "", "parse() waits for the whole response", hint)


def check_retries(retries: Any) -> None:
    """Check `validation_retries`.

    Raises:
        InvalidParamsError: it is not such a number.
    """
    if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
        got = value_name(retries, show=True)
        raise InvalidParamsError("validation_retries", "an int, 0 or more", got)


def wanted_output(wanted: Any) -> Output[Any]:
    """Return the output of the type that a program asks for.

    Raises:
        UnsupportedSchemaError: the type has no schema.
        InvalidParamsError: it is not a type.
    """
    if not is_type(wanted):
        hint = "pass a class, such as a dataclass; create() takes a schema"
        raise InvalidParamsError("response_format", "a type", value_name(wanted), hint)
    return output_of(wanted)


def _keywords(params: Any, fields: Fields) -> Fields:
    """Return the parameters as keywords, whichever way they were given."""
    if params is None or fields or not isinstance(params, msgspec.Struct):
        # `create` refuses both together, and what is not an object of parameters.
        return {**fields} if params is None else {"params": params, **fields}
    given = msgspec.structs.asdict(params)
    return {name: value for name, value in given.items() if value is not None}


def _twice(name: str) -> InvalidParamsError:
    hint = "pass the type as response_format=..., and nothing else for it"
    return InvalidParamsError(name, "", "given together with the type", hint)
