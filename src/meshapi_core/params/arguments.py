"""Arguments that a method or a class does not take: which, and what was probably meant.

Python and msgspec refuse them with a bare TypeError, without a hint. The code that catches it calls
these functions, so a good call pays nothing. They are given names only, as values may be secrets.
"""

from collections.abc import Callable, Collection
from inspect import Parameter, signature
from typing import Any, Optional

from meshapi_core._json_kinds import kind_name, shape
from meshapi_core.errors import InvalidParamsError
from meshapi_core.params.wrong_names import did_you_mean, no_such_field, no_such_parameter

__all__ = ["fault_of_arguments", "fault_of_fields"]

_BY_PLACE = (Parameter.POSITIONAL_ONLY, Parameter.POSITIONAL_OR_KEYWORD)
_VARIABLE = (Parameter.VAR_POSITIONAL, Parameter.VAR_KEYWORD)


def fault_of_arguments(
    method: Callable[..., Any], number: int, keywords: Collection[str]
) -> Optional[InvalidParamsError]:
    """Return the error in the arguments of a method; None if the arguments are right.

    Args:
        method: a function whose first parameter is `self`.
        number: the number of positional arguments, without `self`.
        keywords: the names of the keyword arguments.
    """
    declared = list(signature(method).parameters.values())[1:]
    names = [one.name for one in declared if one.kind not in _VARIABLE]
    by_place = [one.name for one in declared if one.kind in _BY_PLACE]
    if number > len(by_place):
        most = f"at most {len(by_place)} ({', '.join(by_place)})" if by_place else "none"
        others = [name for name in names if name not in by_place]
        hint = f"write {others[0]}=..." if others else "pass the others as keywords"
        if not by_place and any(one.kind is Parameter.VAR_KEYWORD for one in declared):
            # Which of all parameters it is cannot be known.
            hint = "pass each by its name, such as model=..."
        return InvalidParamsError("positional arguments", most, str(number), hint)
    taken = by_place[:number]
    unknown = [name for name in keywords if name not in names]
    for name in keywords:
        if name in taken:
            got = "given both by position and by keyword"
            return InvalidParamsError(name, "", got, "pass it once")
    if unknown and not any(one.kind is Parameter.VAR_KEYWORD for one in declared):
        return no_such_parameter(unknown[0], names)
    for one in declared:
        is_given = one.name in taken or one.name in keywords
        if one.kind not in _VARIABLE and one.default is Parameter.empty and not is_given:
            return _missing(one.name, unknown)
    return None


def _missing(name: str, unknown: Collection[str]) -> InvalidParamsError:
    for other in unknown:
        hint = did_you_mean(other, [name])
        if hint:
            return InvalidParamsError(other, "", "no such parameter", hint)
    expected = "an ID" if name.endswith("_id") else "a value"
    return InvalidParamsError(name, expected, "nothing", f"write {name}=...")


def fault_of_fields(
    kind: Any, number: int, keywords: Collection[str]
) -> Optional[InvalidParamsError]:
    """Return the error in the arguments of a Struct; None if the arguments are right.

    Args:
        number: the number of positional arguments.
        keywords: the names of the keyword arguments.
    """
    declared = signature(kind).parameters.values()
    names = [one.name for one in declared]
    by_place = [one.name for one in declared if one.kind in _BY_PLACE]
    owner: str = kind.__name__
    if number > len(by_place):
        expected = f"at most {len(by_place)}" if by_place else "none"
        hint = f"write {owner}({', '.join(f'{name}=...' for name in names[:number])})"
        if number == 1 and hasattr(kind, "of"):
            hint = f"write {owner}.of(...)"
        return InvalidParamsError(f"positional arguments of {owner}", expected, str(number), hint)
    for name in keywords:
        if name not in names:
            return no_such_field(name, names, owner)
    for one in list(declared)[number:]:
        if one.default is Parameter.empty and one.name not in keywords:
            expected = kind_name(shape(one.annotation))
            hint = f"write {owner}({one.name}=...)"
            return InvalidParamsError(one.name, expected, "nothing", hint)
    return None
