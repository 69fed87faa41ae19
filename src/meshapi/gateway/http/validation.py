"""Checks of request bodies, with faults in the format of FastAPI's.

A check takes a value and its location, and yields one detail `{"type", "loc", "msg"}` for each
fault. The functions here combine checks into larger ones; an endpoint's schema is one expression.

Source: https://docs.pydantic.dev/latest/errors/validation_errors/
"""

import json
from collections.abc import Iterator, Mapping
from typing import Any, Callable, Optional, Union, cast

from starlette.requests import Request

from meshapi.gateway.http.errors import GatewayError

# Two bytes of JSON are a list of 64 bytes. A batch of 50,000 requests has about 300,000 parts.
_MOST_PARTS = 4_000_000

Location = tuple[Union[str, int], ...]
Detail = dict[str, Any]
Check = Callable[[Any, Location], Iterator[Detail]]


def detail(kind: str, at: Location, message: str) -> Detail:
    """The detail of one fault."""
    return {"type": kind, "loc": list(at), "msg": message}


def string(value: Any, at: Location) -> Iterator[Detail]:
    """Check for any string."""
    if not isinstance(value, str):
        yield detail("string_type", at, "Input should be a valid string")


def boolean(value: Any, at: Location) -> Iterator[Detail]:
    """Check for true or false; 0 and 1 are faults."""
    if not isinstance(value, bool):
        yield detail("bool_type", at, "Input should be a valid boolean")


def mapping(value: Any, at: Location) -> Iterator[Detail]:
    """Check for an object with any content."""
    if not isinstance(value, dict):
        yield detail("dict_type", at, "Input should be a valid dictionary")


def anything(value: Any, at: Location) -> Iterator[Detail]:
    """Check that accepts any value."""
    return iter(())


def integer(*, ge: Optional[int] = None, le: Optional[int] = None) -> Check:
    """A check for an integer within bounds."""

    def check(value: Any, at: Location) -> Iterator[Detail]:
        if not isinstance(value, int) or isinstance(value, bool):
            yield detail("int_type", at, "Input should be a valid integer")
        elif ge is not None and value < ge:
            yield detail("greater_than_equal", at, f"Input should be greater than or equal to {ge}")
        elif le is not None and value > le:
            yield detail("less_than_equal", at, f"Input should be less than or equal to {le}")

    return check


def number(
    *, gt: Optional[float] = None, ge: Optional[float] = None, le: Optional[float] = None
) -> Check:
    """A check for a number within bounds."""

    def check(value: Any, at: Location) -> Iterator[Detail]:
        if not isinstance(value, (int, float)) or isinstance(value, bool):
            yield detail("float_type", at, "Input should be a valid number")
        elif gt is not None and not value > gt:
            yield detail("greater_than", at, f"Input should be greater than {gt}")
        elif ge is not None and not value >= ge:
            yield detail("greater_than_equal", at, f"Input should be greater than or equal to {ge}")
        elif le is not None and not value <= le:
            yield detail("less_than_equal", at, f"Input should be less than or equal to {le}")

    return check


def one_of(*values: str) -> Check:
    """A check for one of these strings."""
    *head, last = [f"'{value}'" for value in values]
    expected = f"{', '.join(head)} or {last}" if head else last

    def check(value: Any, at: Location) -> Iterator[Detail]:
        if value not in values:
            yield detail("literal_error", at, f"Input should be {expected}")

    return check


def text(*, min_length: int = 0, max_length: int) -> Check:
    """A check for a string whose length is within bounds."""

    def check(value: Any, at: Location) -> Iterator[Detail]:
        if not isinstance(value, str):
            yield from string(value, at)
        elif len(value) < min_length:
            message = f"String should have at least {min_length} character"
            yield detail("string_too_short", at, message)
        elif len(value) > max_length:
            message = f"String should have at most {max_length} characters"
            yield detail("string_too_long", at, message)

    return check


def array(item: Check, *, min_length: int = 0, max_length: Optional[int] = None) -> Check:
    """A check for a list whose length is within bounds, and whose items pass `item`."""

    def check(value: Any, at: Location) -> Iterator[Detail]:
        if not isinstance(value, list):
            yield detail("list_type", at, "Input should be a valid list")
            return
        rows = cast("list[object]", value)
        if len(rows) < min_length:
            message = f"List should have at least {min_length} item after validation"
            yield detail("too_short", at, f"{message}, not {len(rows)}")
        if max_length is not None and len(rows) > max_length:
            message = f"List should have at most {max_length} items after validation"
            yield detail("too_long", at, f"{message}, not {len(rows)}")
        for index, row in enumerate(rows):
            yield from item(row, (*at, index))

    return check


def string_or(word: Check, other: Check) -> Check:
    """A check for a string that passes `word`, or another value that passes `other`."""

    def check(value: Any, at: Location) -> Iterator[Detail]:
        return word(value, at) if isinstance(value, str) else other(value, at)

    return check


def fields(required: Mapping[str, Check], optional: Mapping[str, Check]) -> Check:
    """A check for an object with these fields.

    Optional ones may be null; unknown ones are ignored.
    """

    def check(value: Any, at: Location) -> Iterator[Detail]:
        if not isinstance(value, dict):
            message = "Input should be a valid dictionary or object to extract fields from"
            yield detail("model_attributes_type", at, message)
            return
        row = cast("dict[str, Any]", value)
        for name, inner in required.items():
            if name in row:
                yield from inner(row[name], (*at, name))
            else:
                yield detail("missing", (*at, name), "Field required")
        for name, inner in optional.items():
            if row.get(name) is not None:
                yield from inner(row[name], (*at, name))

    return check


def only_fields(required: Mapping[str, Check], optional: Mapping[str, Check]) -> Check:
    """A check like `fields` for which unknown fields are faults, as in the bodies of requests."""
    inner = fields(required, optional)

    def check(value: Any, at: Location) -> Iterator[Detail]:
        yield from inner(value, at)
        if isinstance(value, dict):
            for name in cast("dict[str, Any]", value):
                if name not in required and name not in optional:
                    yield detail("extra_forbidden", (*at, name), "Extra inputs are not permitted")

    return check


def tagged(tag: str, variants: Mapping[str, Check]) -> Check:
    """A check for an object whose tag names the variant that it must pass."""

    def check(value: Any, at: Location) -> Iterator[Detail]:
        if not isinstance(value, dict):
            yield from mapping(value, at)
            return
        name = cast("dict[str, Any]", value).get(tag)
        if isinstance(name, str) and name in variants:
            yield from variants[name](cast(Any, value), at)
        else:
            expected = ", ".join(f"'{variant}'" for variant in variants)
            message = f"Input tag {name!r} found using '{tag}' does not match any of: {expected}"
            yield detail("union_tag_invalid", at, message)

    return check


async def read_json(request: Request, schema: Check) -> dict[str, Any]:
    """The request's body: a JSON object that passes the schema.

    Raises:
        GatewayError: 422 `validation_error` with one detail for each fault.
    """
    value = _parse(request.headers.get("content-type", ""), await request.body())
    faults = list(schema(value, ("body",)))
    if faults:
        raise invalid(*faults)
    return cast("dict[str, Any]", value)


def invalid(*faults: Detail) -> GatewayError:
    """The 422 error for these faults; its message names the first one."""
    where = ".".join(str(step) for step in faults[0]["loc"])
    message = f"The request is not valid: {where}: {faults[0]['msg']}"
    return GatewayError(422, "validation_error", message, details=faults)


def has_too_many_parts(body: bytes) -> bool:
    """Whether JSON may have more lists and objects than there is memory for, once it is parsed."""
    return body.count(b"[") + body.count(b"{") > _MOST_PARTS


def _parse(content_type: str, body: bytes) -> Any:
    # Like FastAPI, which parses a body as JSON only if its Content-Type says so.
    if content_type.partition(";")[0].strip().lower() != "application/json":
        return None
    if has_too_many_parts(body):
        message = f"more than {_MOST_PARTS} lists and objects"
        raise invalid(detail("json_invalid", ("body",), f"JSON decode error: {message}"))
    try:
        return json.loads(body.decode(), parse_constant=_refuse_constant)
    except (ValueError, RecursionError) as error:
        raise invalid(detail("json_invalid", ("body",), f"JSON decode error: {error}")) from error


def _refuse_constant(name: str) -> Any:
    raise ValueError(f"{name} is not JSON")
