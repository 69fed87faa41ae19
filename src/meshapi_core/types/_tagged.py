"""Parts that their `type` tells apart: a class for each type that is known, a dict for others.

`type` is an ordinary field that callers pass, so msgspec cannot tell the classes apart by tag, and
a type that nobody knows here must go out as it was given. So such a part is declared as
`by_type(...)`, which is any value to msgspec, and the class that holds it calls `to_send` for each
of them when it is made.
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
    """Return how such a part is declared, for `params.unknown_names` and for tests to read.

    Args:
        default: the type of a part that does not say its own.
    """
    known: dict[Optional[str], type[Record]] = dict(classes.items())
    if default is not None:
        known[None] = classes[default]
    return Annotated[Any, msgspec.Meta(extra={"by_type": known})]


def like(kind: type[Record]) -> Any:
    """Return how a dict is declared that is sent as given, though its names are those of a class.

    Names that look misspelt are warned of, as in other dicts.
    """
    return Annotated[dict[str, Any], msgspec.Meta(extra={"by_type": {None: kind}})]


def to_send(
    value: Any,
    field: str,
    what: str,
    classes: Mapping[str, type[Record]],
    default: Optional[str] = None,
) -> Any:
    """Return a part as the class of its type where nothing is lost by that, else as given.

    Args:
        field: where it stands, for errors.
        what: what is expected there: "a tool".
        default: the type of a part that does not say its own; without one it must.

    Raises:
        InvalidParamsError: it is neither a dict nor a part, has no `type`, or is of a known type
            and has a field of the wrong kind.
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
    # What those classes do not name that keep it all the same.
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
        # It holds what JSON cannot, which is refused, with its full path, when it is sent.
        return value


def _may_be(kind: type[Record], value: Mapping[str, Any]) -> bool:
    """Return whether a dict without a type has all else that a class needs."""
    needed = [field.name for field in msgspec.structs.fields(kind) if field.required]
    return needed not in ([], ["type"]) and all(name in value for name in needed)


def all_to_send(
    values: Any, field: str, what: str, classes: Mapping[str, type[Record]], default: str
) -> Any:
    """Return a list of such parts, each as `to_send` says; what is no list is returned as it is."""
    if not is_array(values):
        return values
    return [
        to_send(value, f"{field}[{place}]", what, classes, default)
        for place, value in enumerate(values)
    ]
