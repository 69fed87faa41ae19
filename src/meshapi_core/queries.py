"""Parameters as pairs of text, for a query or the fields of a form; checked like a body.

Booleans become `true` and `false`, a list becomes one pair for each of its items, and None is left
out. Numbers are written as in JSON.
"""

from collections.abc import Iterator, Mapping
from typing import Any, Optional
from urllib.parse import quote, urlencode

import msgspec

from meshapi_core._json_kinds import is_object, is_sequence, value_name
from meshapi_core.errors import InvalidParamsError
from meshapi_core.params.encoding import build_params
from meshapi_core.params.plain_values import refuse_odd

__all__ = ["Pairs", "encode_query", "percent_encoded", "text_pairs"]

Pairs = tuple[tuple[str, str], ...]


def encode_query(
    params_type: type[Any], params: Optional[object], fields: Mapping[str, Any]
) -> Pairs:
    """Return the parameters as pairs for the query of a `Call`.

    Args:
        params: an instance of `params_type`, or None where `fields` has the parameters.
        fields: the parameters as keywords.

    Raises:
        InvalidParamsError: a parameter is missing, unknown or of the wrong type.
    """
    return text_pairs(build_params(params_type, params, fields, {}))


def percent_encoded(pairs: Pairs) -> str:
    """Return pairs as the query of a URL; it contains the values of secrets, not asterisks."""
    return urlencode([(name, str.__str__(value)) for name, value in pairs], quote_via=quote)


def text_pairs(plain: Mapping[str, Any]) -> Pairs:
    """Return plain values as pairs of text.

    Raises:
        InvalidParamsError: a value is an object, a list of anything but scalars, or text that UTF-8
            cannot encode.
    """
    # In a JSON body the encoder refuses such text; for pairs only this does.
    refuse_odd(plain, "")
    return tuple(pair for name, value in plain.items() for pair in _pairs(name, value))


def _pairs(name: str, value: Any) -> Iterator[tuple[str, str]]:
    if is_sequence(value):
        for index, item in enumerate(value):
            if item is not None:
                yield name, _text(f"{name}[{index}]", item)
    elif value is not None:
        yield name, _text(name, value)


def _text(field: str, value: Any) -> str:
    if isinstance(value, str):
        return value
    if is_sequence(value) or is_object(value):
        raise InvalidParamsError(field, "text, a number or a bool", value_name(value))
    return msgspec.json.encode(value).decode()
