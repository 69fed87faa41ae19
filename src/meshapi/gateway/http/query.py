"""Query parameters, read and checked as FastAPI does.

A reader takes the texts of one parameter and its location, and returns its value and the faults.

Source: https://docs.pydantic.dev/latest/errors/validation_errors/
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Callable

from starlette.requests import Request

from meshapi.gateway.http.validation import Check, Detail, Location, array, detail, invalid, string

Reader = Callable[[Sequence[str], Location], tuple[Any, list[Detail]]]

# The strings that pydantic accepts as booleans.
_TRUE = frozenset({"true", "1", "on", "t", "y", "yes"})
_FALSE = frozenset({"false", "0", "off", "f", "n", "no"})
_INTEGER = re.compile(r"\s*[+-]?\d{1,18}\s*", re.ASCII)


@dataclass(frozen=True)
class _Reader:
    parse: Callable[[str], Any]
    fault: tuple[str, str]
    check: Check

    def __call__(self, texts: Sequence[str], at: Location) -> tuple[Any, list[Detail]]:
        # If a parameter is given twice, the last one counts.
        value = self.parse(texts[-1])
        if value is None:
            kind, message = self.fault
            return None, [detail(kind, at, message)]
        return value, list(self.check(value, at))


def whole(check: Check) -> Reader:
    """A reader of an integer that passes the check."""
    message = "Input should be a valid integer, unable to parse string as an integer"
    return _Reader(_integer, ("int_parsing", message), check)


def flag() -> Reader:
    """A reader of a boolean."""
    message = "Input should be a valid boolean, unable to interpret input"
    return _Reader(_boolean, ("bool_parsing", message), lambda value, at: iter(()))


def word(check: Check = string) -> Reader:
    """A reader of a string that passes the check."""
    return _Reader(str, ("string_type", ""), check)


def words(check: Check = string) -> Reader:
    """A reader of a parameter that may be repeated: the list of its values, each checked."""
    return lambda texts, at: (list(texts), list(array(check)(list(texts), at)))


def read_query(request: Request, readers: Mapping[str, Reader]) -> dict[str, Any]:
    """The parameters that the request has, by name; unknown ones are ignored.

    Raises:
        GatewayError: 422 `validation_error` with one detail for each fault.
    """
    values: dict[str, Any] = {}
    faults: list[Detail] = []
    for name, reader in readers.items():
        texts = request.query_params.getlist(name)
        if texts:
            values[name], found = reader(texts, ("query", name))
            faults += found
    if faults:
        raise invalid(*faults)
    return values


def _integer(text: str) -> Any:
    return int(text) if _INTEGER.fullmatch(text) else None


def _boolean(text: str) -> Any:
    lowered = text.strip().lower()
    return lowered in _TRUE if lowered in _TRUE | _FALSE else None
