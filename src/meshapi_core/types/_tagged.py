"""Parts that differ by their `type`: a class for each known type, a dict for any other.

`type` is an ordinary field that callers pass, so it cannot be msgspec's tag, and a part of an
unknown type must be sent as given. So a field of such parts is declared as `by_type(...)`, which
msgspec treats as any value, and the class that has the field calls `to_send` for each part when it
is made.
"""

from collections.abc import Mapping
from typing import Annotated, Any, Optional

import msgspec

from meshapi_core._json_kinds import is_array, is_mapping, is_object, value_name
from meshapi_core.codec.decoding import hand_down
from meshapi_core.errors import InvalidParamsError
from meshapi_core.params.encoding import check
from meshapi_core.params.unknown_names import holds_all
from meshapi_core.types._base import OpenRecord, Record

__all__ = ["all_to_send", "by_type", "like", "to_send"]


def by_type(classes: Mapping[str, type[Record]], default: Optional[str] = None) -> Any:
    """Return the annotation for such a part; `params.unknown_names` and tests read the classes.

    Args:
        default: the type of a part that has no `type`.
    """
    known: dict[Optional[str], type[Record]] = dict(classes.items())
    if default is not None:
        known[None] = classes[default]
    return Annotated[Any, msgspec.Meta(extra={"by_type": known})]


def like(kind: type[Record]) -> Any:
    """Return the annotation for a dict that is sent as given, but has the names of a class.

    A name that looks misspelt causes a warning, as in other dicts.
    """
    return Annotated[dict[str, Any], msgspec.Meta(extra={"by_type": {None: kind}})]


def to_send(
    value: Any,
    field: str,
    what: str,
    classes: Mapping[str, type[Record]],
    default: Optional[str] = None,
) -> Any:
    """Return a part as an instance of its type's class if that loses nothing, else as given.

    Args:
        field: the name and position of the part, for errors.
        what: what is expected there, such as "a tool".
        default: the type of a part that has no `type`; without a default, `type` is required.

    Raises:
        InvalidParamsError: the part is neither a dict nor a Struct, has no `type`, or has a known
            type and a field of the wrong type.
    """
    if not is_object(value):
        if isinstance(value, Record):
            return value
        if not is_mapping(value):
            from meshapi_core.params.advice import for_part

            hint = for_part(value, field, [*classes.values()])
            raise InvalidParamsError(field, what, value_name(value), hint)
    kind = value.get("type", default)
    if not isinstance(kind, str):
        got = value_name(kind) if "type" in value else "nothing"
        fits = [name for name, of_it in classes.items() if _may_be(of_it, value)]
        verb = "write" if "type" in value else "add"
        hint = f'{verb} "type": "{fits[0]}"' if fits else ""
        raise InvalidParamsError(f"{field}.type", "str", got, hint)
    wanted = classes.get(kind)
    if wanted is None:
        return value
    known = check(value, wanted, field)
    # Undeclared fields, for the classes that keep them.
    hand_down(known, dict(value))
    if isinstance(known, OpenRecord):
        return known
    if is_object(value) and holds_all(wanted, value):
        return known
    try:
        whole = {"type": kind, **value}
        forms = (
            msgspec.to_builtins(known),
            known.model_dump(),
            known.model_dump(exclude_none=True),
        )
        return known if whole in forms else value
    except (TypeError, RecursionError):
        # JSON cannot represent a value of it; sending it raises an error with the full path.
        return value


def _may_be(kind: type[Record], value: Mapping[str, Any]) -> bool:
    """Return whether a dict without a type has all else that a class needs."""
    needed = [field.name for field in msgspec.structs.fields(kind) if field.required]
    return needed not in ([], ["type"]) and all(name in value for name in needed)


def all_to_send(
    values: Any, field: str, what: str, classes: Mapping[str, type[Record]], default: str
) -> Any:
    """Return a list of such parts, each from `to_send`; other values are returned as given."""
    if not is_array(values):
        return values
    return [
        to_send(value, f"{field}[{place}]", what, classes, default)
        for place, value in enumerate(values)
    ]
