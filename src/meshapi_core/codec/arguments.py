"""The arguments of a tool call, which are JSON text that a model wrote."""

from typing import Any

from meshapi_core._json_kinds import is_object, type_name
from meshapi_core.codec.parsing import parse
from meshapi_core.errors import ResponseDecodeError

__all__ = ["ToolArgumentsError", "parse_arguments"]

_QUOTED = 100
"""Characters of the text in an error's message, which has at most 500."""


class ToolArgumentsError(ResponseDecodeError, ValueError):
    """The model should have written the arguments of a tool call as a JSON object, and did not.

    Attributes:
        name: The name of the function.
        arguments: What the model wrote.
    """

    name: str
    arguments: str

    def __init__(self, message: str, *, name: str = "", arguments: str = "") -> None:
        super().__init__(message)
        self.name = name
        self.arguments = arguments


def parse_arguments(name: str, text: str) -> dict[str, Any]:
    """Return the arguments of a tool call as a dict.

    Args:
        name: of the function, for the error.
        text: as the model wrote it. Many models write nothing at all where there is no argument.

    Raises:
        ToolArgumentsError: the text is not a JSON object.
    """
    if not text.strip():
        return {}
    try:
        parsed = parse(text.encode("utf-8", "replace"))
    except ResponseDecodeError:
        found = "no valid JSON"
    else:
        if is_object(parsed):
            return parsed
        found = type_name(parsed)
    quoted = text if len(text) <= _QUOTED else f"{text[:_QUOTED]}..."
    raise ToolArgumentsError(
        f"the model wrote {found} instead of a JSON object as the arguments of"
        f" {name or 'a tool call'}: {quoted!r}; .arguments has all of it",
        name=name,
        arguments=text,
    )
