"""IDs in URL paths, encoded so that no ID can change the rest of the path.

Everything but the unreserved characters is percent-encoded, so that any ID is a single segment.
IDs that no encoding makes safe are refused: an empty one addresses the collection, and clients,
proxies and servers resolve `.` and `..`, even if the dots are encoded.

Source: https://www.rfc-editor.org/rfc/rfc3986 (sections 2.3, 3.3 and 5.2.4)
"""

from inspect import getattr_static
from typing import Any
from urllib.parse import quote

from meshapi_core._json_kinds import is_mapping, value_name
from meshapi_core.errors import InvalidParamsError

__all__ = ["model_path", "path_segment"]

_DOTS = (".", "..")


def path_segment(field: str, value: object) -> str:
    """Return an ID as one segment of a path.

    Args:
        field: the name of the parameter, for errors.
        value: the ID.

    Raises:
        InvalidParamsError: it is not a str, empty, `.` or `..`, or holds what UTF-8 cannot encode.
    """
    text = _text(field, value)
    if text in _DOTS:
        raise InvalidParamsError(field, "an ID", repr(text))
    return _encoded(field, text)


def model_path(field: str, value: object) -> str:
    """Return a model ID as a path: the slashes within it separate segments.

    Raises:
        InvalidParamsError: as for `path_segment`, for the ID and for each of its segments.
    """
    parts = _text(field, value).split("/")
    for part in parts:
        if not part or part in _DOTS:
            got = f"one with {part!r} between slashes" if part else "one with an empty part"
            raise InvalidParamsError(field, "a model ID", got)
    return "/".join(_encoded(field, part) for part in parts)


def _text(field: str, value: object) -> str:
    if not isinstance(value, str):
        raise InvalidParamsError(field, "str", value_name(value), _advice(field, value))
    if not value:
        raise InvalidParamsError(field, "an ID", "an empty string")
    return str.__str__(value)


def _encoded(field: str, text: str) -> str:
    try:
        return quote(text, safe="")
    except UnicodeEncodeError as exc:
        got = f"a lone surrogate at index {exc.start}"
        raise InvalidParamsError(field, "text that UTF-8 can encode", got) from None


def _advice(field: str, value: Any) -> str:
    """Return how to get an ID from another value; "" where it is not clear."""
    for name in (field, "id"):
        if is_mapping(value) and name in value:
            return f'write x["{name}"]'
        # Without running code of its own, such as a property that fails.
        if not isinstance(value, type) and getattr_static(value, name, None) is not None:
            return f"write x.{name}"
    if isinstance(value, bytes):
        return "write x.decode()"
    is_id = isinstance(value, int) or type(value).__name__ == "UUID"
    return "write str(x)" if is_id and not isinstance(value, bool) else ""
