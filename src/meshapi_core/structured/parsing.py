"""The flows behind `parse`: ask for a value, and ask again if the text does not match its type."""

from collections.abc import Callable, Mapping
from typing import Any, Optional, TypeVar

import msgspec

from meshapi_core._json_kinds import is_mapping, is_object, value_name
from meshapi_core.calls import Call
from meshapi_core.errors import InvalidParamsError, OutputValidationError
from meshapi_core.flows.steps import Flow
from meshapi_core.structured.answers import value_of_completion, value_of_response
from meshapi_core.structured.outputs import Output, output_of
from meshapi_core.types.chat import ChatCompletionParams
from meshapi_core.types.parsed import ParsedChatCompletion, ParsedResponse, with_value
from meshapi_core.types.responses import ResponsesParams

__all__ = ["parse_completion", "parse_response"]

T = TypeVar("T")

Build = Callable[..., Call[Any]]


def parse_completion(
    build: Build,
    params: Optional[ChatCompletionParams],
    fields: Mapping[str, Any],
    wanted: Any,
    retries: int,
) -> Flow[ParsedChatCompletion[Any]]:
    """Return the flow of `chat.completions.parse`.

    Args:
        build: makes the call of `chat.completions.create`.
        params, fields: the parameters, as for `create`.
        wanted: the type.
        retries: how many more times to ask, at most.

    Raises:
        UnsupportedSchemaError: the type has no schema.
        InvalidParamsError: `retries` is not a number, or a parameter is for `create` only.
    """
    output = _output(wanted, retries)
    fields = _keywords(params, fields)
    if (fields.get("n") or 1) != 1:
        hint = "call parse() several times, or use create()"
        raise InvalidParamsError("n", "1, as parse() returns one value", str(fields["n"]), hint)
    if fields.get("response_format") is not None:
        raise _twice("response_format")
    fields["response_format"] = output.response_format()

    def again(fields: dict[str, Any], correction: list[Any]) -> dict[str, Any]:
        return {**fields, "messages": [*fields["messages"], *correction]}

    return parse(
        (build, fields, again),
        lambda response: value_of_completion(response, output),
        ParsedChatCompletion,
        retries,
    )


def parse_response(
    build: Build,
    params: Optional[ResponsesParams],
    fields: Mapping[str, Any],
    wanted: Any,
    retries: int,
) -> Flow[ParsedResponse[Any]]:
    """Return the flow of `responses.parse`; see `parse_completion`.

    Raises:
        UnsupportedSchemaError, InvalidParamsError: as for `parse_completion`.
    """
    output = _output(wanted, retries)
    fields = _keywords(params, fields)
    if fields.get("background"):
        hint = "use create(), and get() with the ID of the response"
        raise InvalidParamsError("background", "", "parse() waits for the whole response", hint)
    if fields.get("response_format") is not None:
        raise _twice("response_format")
    text: Any = fields.get("text") or {}
    if is_mapping(text):
        if "format" in text:
            raise _twice("text.format")
        fields["text"] = {**text, **output.text_format()}

    def again(fields: dict[str, Any], correction: list[Any]) -> dict[str, Any]:
        asked = fields["input"]
        first = [{"role": "user", "content": asked}] if isinstance(asked, str) else asked
        return {**fields, "input": [*first, *correction]}

    return parse(
        (build, fields, again),
        lambda response: value_of_response(response, output),
        ParsedResponse,
        retries,
    )


def parse(
    asking: tuple[Build, dict[str, Any], Callable[[dict[str, Any], list[Any]], dict[str, Any]]],
    value_of: Callable[[Any], Any],
    kind: Any,
    retries: int,
) -> Flow[Any]:
    build, fields, again = asking
    rejected: list[Any] = []
    while True:
        response: Any = yield build(**fields)
        try:
            value = value_of(response)
        except OutputValidationError as exc:
            if len(rejected) == retries:
                raise
            fields = again(fields, _correction(exc))
            rejected.append(response)
        else:
            return with_value(kind, response, value, rejected)


def _correction(error: OutputValidationError) -> list[dict[str, str]]:
    """Return the messages with which the model is asked again."""
    where = f" at {error.path}" if error.path else ""
    asked = (
        f"That does not match the JSON schema{where}: {error.reason}."
        " Send the whole JSON again, corrected, and nothing else."
    )
    said = [{"role": "assistant", "content": error.text}] if error.text else []
    return [*said, {"role": "user", "content": asked}]


def _output(wanted: Any, retries: Any) -> Output[Any]:
    if isinstance(retries, bool) or not isinstance(retries, int) or retries < 0:
        got = value_name(retries, show=True)
        raise InvalidParamsError("validation_retries", "an int, 0 or more", got)
    if is_object(wanted):
        hint = "pass a class, such as a dataclass; create() takes a schema"
        raise InvalidParamsError("response_format", "a type", "a dict", hint)
    return output_of(wanted)


def _keywords(params: Any, fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parameters as keywords, whichever way they were given."""
    if params is None or fields or not isinstance(params, msgspec.Struct):
        # `create` refuses both together, and what is not an object of parameters.
        return {**fields} if params is None else {"params": params, **fields}
    given = msgspec.structs.asdict(params)
    return {name: value for name, value in given.items() if value is not None}


def _twice(name: str) -> InvalidParamsError:
    hint = "pass the type as response_format of parse(), and nothing else for it"
    return InvalidParamsError(name, "", "given together with the type", hint)
