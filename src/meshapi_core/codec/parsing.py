"""JSON as servers write it, as plain values: oddities are tolerated, anything else is refused.

Source: https://www.rfc-editor.org/rfc/rfc8259 (sections 8.1, 8.2 and 9)
"""

import re
from typing import Any, Callable, Final

import msgspec

from meshapi_core._json_kinds import is_array, is_object
from meshapi_core.codec.mismatches import broken

__all__ = ["parse", "parse_exactly", "parse_piece"]

_ANY: Final = msgspec.json.Decoder()
_LONE: Final = re.compile("[\ud800-\udfff]")
# The same, except a high surrogate at the end and a low one at the start.
_LONE_WITHIN: Final = re.compile("[\ud800-\udbff](?!\\Z)|(?<!\\A)[\udc00-\udfff]")


def parse(data: bytes) -> Any:
    """Return a JSON body of any form as plain Python values.

    Invalid UTF-8 and lone surrogates are replaced by U+FFFD. A byte order mark, NaN, infinities,
    and numbers too large for a double are tolerated.

    Raises:
        ResponseDecodeError: the body is not JSON, or nested more deeply than the stack allows.
    """
    return _parse(data, lambda text: _LONE.sub("\ufffd", text))


def parse_piece(data: bytes) -> Any:
    """Return a piece of a stream as `parse` does, but keep half characters at the ends of texts.

    A stream that splits an emoji sends one surrogate in one piece and the other in the next, and
    `growing.SurrogateBuffer` joins them.
    """
    return _parse(data, lambda text: _LONE_WITHIN.sub("\ufffd", text))


def parse_exactly(data: bytes) -> Any:
    """Return the body as `parse` does, but keep all lone surrogates as they were sent."""
    return _parse(data, str)


def _parse(data: bytes, mended: Callable[[str], str]) -> Any:
    try:
        return _ANY.decode(data)
    except RecursionError as exc:
        raise broken("the body is nested too deeply") from exc
    except (msgspec.DecodeError, UnicodeDecodeError):
        return _parse_tolerantly(data, mended)


def _parse_tolerantly(data: bytes, mended: Callable[[str], str]) -> Any:
    # Imported only for unusual responses: it takes as long as three modules of ours.
    import json

    try:
        return _with_texts(json.loads(data.decode("utf-8-sig", "replace")), mended)
    except json.JSONDecodeError as exc:
        raise broken(f"the body is not JSON: {exc}") from exc
    except RecursionError as exc:
        raise broken("the body is nested too deeply") from exc
    except ValueError as exc:
        # CPython refuses integers of more than a few thousand digits.
        raise broken("the body contains a number that is too long") from exc


def _with_texts(value: Any, mended: Callable[[str], str]) -> Any:
    if isinstance(value, str):
        return mended(value)
    if is_array(value):
        return [_with_texts(row, mended) for row in value]
    if is_object(value):
        return {mended(key): _with_texts(item, mended) for key, item in value.items()}
    return value
