"""Names in plain dicts: those that a type does not know, and what they may mean.

An unknown name in a dict inside a request is sent as given, as the gateway may know it. So a name
that is merely misspelt (`contents`) would be ignored in silence; a warning names it. A request
whose names are all known pays for one comparison of the keys of each dict.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache, lru_cache
from itertools import chain
from typing import Any, Final, NamedTuple, Optional, cast

from msgspec import inspect

from meshapi_core._json_kinds import is_array, is_mapping, is_object, shape
from meshapi_core._warnings import warn
from meshapi_core.errors import InvalidParamsError, ParamsWarning
from meshapi_core.params.field_paths import place_of, within

__all__ = ["MisspeltName", "folded", "holds_all", "look_at_names", "misspelt", "near", "nearest"]


class MisspeltName(NamedTuple):
    """A name that looks misspelt.

    Fields:
        kind: the Struct that does not know it.
        name: the name as given.
        meant: the name that was probably meant.
        holder: the dict that has it.
        alone: whether the dict has nothing else to say, such as `{"role": "user", "contents": ""}`.
    """

    kind: type
    name: str
    meant: str
    holder: dict[str, Any]
    alone: bool


def misspelt(plain: dict[str, Any], kind: Any) -> list[MisspeltName]:
    """Return the names that look misspelt in plain values that fit a type, at every depth."""
    unknown: list[tuple[Any, str, dict[str, Any]]] = []
    _collect([plain], kind, unknown)
    if not unknown:
        return []
    return [
        MisspeltName(owner, name, meant, holder, _is_alone(owner, name, meant, holder))
        for owner, name, holder in unknown
        for meant in [_meant(owner, name)]
        if meant is not None
    ]


# A name shorter than the first is like any other. In a name no longer than the second, two mistakes
# make another name: `string` is not `strict`.
_SHORTEST, _SHORT = 3, 6


def near(name: str, known: Iterable[str]) -> Optional[str]:
    """Return the known name that is most like this one; None if none is like it."""
    return next(iter(nearest(name, known)), None) if len(folded(name)) >= _SHORTEST else None


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """Return the known names that are most like this one, in alphabetical order."""
    given = folded(name)
    most = 1 if len(given) <= _SHORT else 2
    candidates = [other for other in known if abs(len(folded(other)) - len(given)) <= most]
    if len(given) < _SHORTEST:
        # So short a name must share a letter with the known one: `k` is not like `n`.
        candidates = [other for other in candidates if not set(given).isdisjoint(folded(other))]
    distances = [(_distance(given, folded(other)), other) for other in candidates]
    least = min(distances, default=(most + 1, ""))[0]
    return sorted(other for distance, other in distances if distance == least <= most)


def folded(name: str) -> str:
    """Return a name in lower case without `_` and `-`: `toolCalls` is like `tool_calls`."""
    return name.replace("_", "").replace("-", "").lower()


def _distance(one: str, other: str) -> int:
    """Return the number of letters that are missing, added, changed or swapped with a neighbour.

    Source: https://en.wikipedia.org/wiki/Damerau-Levenshtein_distance (optimal string alignment)
    """
    rows = [list(range(len(other) + 1))]
    for i, letter in enumerate(one, 1):
        row, last = [i], rows[-1]
        for j, twin in enumerate(other, 1):
            cost = min(last[j] + 1, row[-1] + 1, last[j - 1] + (letter != twin))
            if i > 1 and j > 1 and letter == other[j - 2] and one[i - 2] == twin:
                cost = min(cost, rows[-2][j - 2] + 1)
            row.append(cost)
        rows.append(row)
    return rows[-1][-1]


class _KnownNames(NamedTuple):
    """The names that a type knows in a dict, and where other such dicts are in it.

    Fields:
        names: the known names; None if any name is allowed.
        fields: the fields that contain dicts of other types, with these types: by the `type` that
            such a dict gives, and under None for a dict without one.
    """

    names: Optional[frozenset[str]]
    fields: dict[str, Mapping[Optional[str], Any]]


def _declared(kind: Any) -> _KnownNames:
    info = shape(kind)
    if not isinstance(info, inspect.StructType):
        return _KnownNames(None, {})
    found = [(field.encode_name, _structs(field.type)) for field in info.fields]
    fields = {name: structs for name, structs in found if structs}
    return _KnownNames(frozenset(kind.__struct_encode_fields__), fields)


def _structs(info: inspect.Type) -> Mapping[Optional[str], Any]:
    """Return the Structs that a field, or an item of its list, may be, by their `type`."""
    if isinstance(info, inspect.StructType):
        return {None: info.cls}
    if isinstance(info, inspect.ListType):
        return _structs(info.item_type)
    if isinstance(info, inspect.Metadata):
        extra: Any = cast(Any, info).extra
        return cast("Mapping[Optional[str], Any]", extra["by_type"])
    for member in info.types if isinstance(info, inspect.UnionType) else ():
        found = _structs(member)
        if found:
            return found
    return {}


_inside: Callable[[Any], _KnownNames] = cache(_declared)


_TEXT_OR_NONE = frozenset((str, type(None)))
_LISTS = frozenset((list,))
_DICTS = frozenset((dict,))


def _collect(
    rows: Sequence[dict[str, Any]], kind: Any, unknown: list[tuple[Any, str, dict[str, Any]]]
) -> None:
    names, fields = _inside(kind)
    # All rows at once, as a conversation may be long.
    given = set(chain.from_iterable(rows))
    if names is not None and not given <= names:
        unknown += [(kind, name, row) for row in rows for name in row if name not in names]
    # In the order of the fields, as what looks misspelt is told in it.
    for field in filter(given.__contains__, fields):
        structs = fields[field]
        held: list[Any] = [row.get(field) for row in rows]
        # The usual case: the content of a message is text.
        if _TEXT_OR_NONE.issuperset(map(type, held)):
            continue
        parts: list[Any] = []
        for value in held:
            parts += value if type(value) in _LISTS else (value,)
        if not _DICTS.issuperset(map(type, parts)):
            parts = [row for row in parts if type(row) in _DICTS]
        if len(structs) == 1:
            _collect(parts, structs[None], unknown)
        else:
            for inner, alike in _by_type(parts, structs).items():
                _collect(alike, inner, unknown)


def _by_type(
    parts: Iterable[dict[str, Any]], structs: Mapping[Optional[str], Any]
) -> dict[Any, list[dict[str, Any]]]:
    """Return parts grouped by the Struct of their `type`; parts of unknown types are left out."""
    found: dict[Any, list[dict[str, Any]]] = {}
    for part in parts:
        kind = structs.get(part.get("type"))
        if kind is not None:
            found.setdefault(kind, []).append(part)
    return found


def holds_all(kind: Any, value: dict[str, Any]) -> bool:
    """Return whether nothing in a dict is lost when it becomes an object of a type.

    Unknown names would be lost, and so would None, which an object leaves out.
    """
    names, fields = _inside(kind)
    if names is not None and not value.keys() <= names:
        return False
    for item in value.values():
        if item is None:
            return False
    for field, structs in fields.items():
        held = value.get(field)
        if type(held) in _TEXT_OR_NONE:
            continue
        for row in held if is_array(held) else (held,):
            if is_object(row):
                if not holds_all(structs[None], row):
                    return False
            elif is_mapping(row):
                return False
    return True


def _compared(kind: Any, name: str) -> Optional[str]:
    if name.startswith(("x_", "x-")):
        # Named as an extension.
        return None
    return near(name, kind.__struct_encode_fields__)


# Most unknown names are meant, and come again with each request.
_meant: Callable[[Any, str], Optional[str]] = lru_cache(maxsize=1024)(_compared)


def _is_alone(kind: Any, name: str, meant: str, holder: dict[str, Any]) -> bool:
    needed: tuple[str, ...] = getattr(kind, "_one_of", ())
    others = [other for other in holder if other != name]
    known: tuple[str, ...] = kind.__struct_encode_fields__
    return meant in needed and all(other in known and other not in needed for other in others)


# The limit for names in warnings: a program that passes on the dicts of others has no end of them.
_MOST_NAMED = 1000
_named: Final[set[tuple[type, str]]] = set()


def look_at_names(plain: dict[str, Any], kind: type[Any]) -> None:
    """Warn of each name that looks misspelt in plain values which fit a Struct, once.

    Raises:
        InvalidParamsError: all that a part says is under such a name.
    """
    for found in misspelt(plain, kind):
        field = within(place_of(plain, found.holder, "") or "", found.name)
        got, hint = f"no such field in {found.kind.__name__}", f"did you mean {found.meant}?"
        if found.alone:
            raise InvalidParamsError(field, "", got, hint)
        key = (found.kind, found.name)
        if key not in _named and len(_named) < _MOST_NAMED:
            warn(f"{field}: {got}, sent as given; {hint}", ParamsWarning)
            # Only now: if warnings are errors, `warn` raises, each time.
            _named.add(key)
