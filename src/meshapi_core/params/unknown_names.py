"""Names in plain dicts: whether a type knows them all, and what one that it does not may mean.

What is unknown in a dict inside a request is sent on, as the gateway may know it; so a name that is
only misspelt (`contents`) would be lost without a word. A request in which every name is known pays
for one comparison of the keys of each dict.
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
    """A name that looks like a misspelt one.

    Fields:
        kind: the Struct that does not know it.
        name: as it was given.
        meant: what it looks like.
        holder: the dict that it stands in.
        alone: whether the dict says nothing without it.
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


# Letters below which every name is like some other, and up to which two mistakes make another
# name: `string` is not `strict`.
_SHORTEST, _SHORT = 3, 6


def near(name: str, known: Iterable[str]) -> Optional[str]:
    """Return the known name that is most like this one; None where none is like it."""
    return next(iter(nearest(name, known)), None) if len(folded(name)) >= _SHORTEST else None


def nearest(name: str, known: Iterable[str]) -> list[str]:
    """Return the known names that are most like this one, by their alphabet."""
    given = folded(name)
    most = 1 if len(given) <= _SHORT else 2
    candidates = [other for other in known if abs(len(folded(other)) - len(given)) <= most]
    if len(given) < _SHORTEST:
        # One letter for another makes another name of these.
        candidates = [other for other in candidates if not set(given).isdisjoint(folded(other))]
    distances = [(_distance(given, folded(other)), other) for other in candidates]
    least = min(distances, default=(most + 1, ""))[0]
    return sorted(other for distance, other in distances if distance == least <= most)


def folded(name: str) -> str:
    """Return a name without what sets `toolCalls` apart from `tool_calls`."""
    return name.replace("_", "").replace("-", "").lower()


def _distance(one: str, other: str) -> int:
    """Return how many letters are missing, added, changed or swapped with their neighbour.

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
    """What to look at in a dict of a type.

    Fields:
        names: those that it knows; None where it may hold any.
        fields: those that hold dicts of other types, and of which: one for each `type` that they
            may say, None for any other.
    """

    names: Optional[frozenset[str]]
    fields: tuple[tuple[str, Mapping[Optional[str], Any]], ...]


def _declared(kind: Any) -> _KnownNames:
    info = shape(kind)
    if not isinstance(info, inspect.StructType):
        return _KnownNames(None, ())
    found = [(field.encode_name, _structs(field.type)) for field in info.fields]
    fields = tuple((name, structs) for name, structs in found if structs)
    return _KnownNames(frozenset(kind.__struct_encode_fields__), fields)


def _structs(info: inspect.Type) -> Mapping[Optional[str], Any]:
    """Return the Structs that a field, or the items of its list, may be."""
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
    # All of them at once, as a conversation may be long.
    given = set(chain.from_iterable(rows))
    if names is not None and not given <= names:
        unknown += [(kind, name, row) for row in rows for name in row if name not in names]
    for field, structs in fields:
        if field not in given:
            continue
        held: list[Any] = [row.get(field) for row in rows]
        # Of most messages, the content is text.
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
    """Return parts by the Struct that they fit, but for those of types that no Struct is for."""
    found: dict[Any, list[dict[str, Any]]] = {}
    for part in parts:
        kind = structs.get(part.get("type"))
        if kind is not None:
            found.setdefault(kind, []).append(part)
    return found


def holds_all(kind: Any, value: dict[str, Any]) -> bool:
    """Return whether an object of a type has all that a dict which fits it has.

    An object leaves out what is None.
    """
    names, fields = _inside(kind)
    if names is not None and not value.keys() <= names:
        return False
    for item in value.values():
        if item is None:
            return False
    for field, structs in fields:
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
        # An extension, and named as one.
        return None
    return near(name, kind.__struct_encode_fields__)


# Most names that are unknown are so on purpose, and come again with each request.
_meant: Callable[[Any, str], Optional[str]] = lru_cache(maxsize=1024)(_compared)


def _is_alone(kind: Any, name: str, meant: str, holder: dict[str, Any]) -> bool:
    needed: tuple[str, ...] = getattr(kind, "_one_of", ())
    others = [other for other in holder if other != name]
    known: tuple[str, ...] = kind.__struct_encode_fields__
    return meant in needed and all(other in known and other not in needed for other in others)


# Names that are warned of, at most: whoever passes dicts of others on has no end of them.
_MOST_NAMED = 1000
_named: Final[set[tuple[type, str]]] = set()


def look_at_names(plain: dict[str, Any], kind: type[Any]) -> None:
    """Warn of names that look misspelt in plain values which fit a Struct; each of them once.

    Raises:
        InvalidParamsError: a part says nothing but by such a name.
    """
    for found in misspelt(plain, kind):
        field = within(place_of(plain, found.holder, "") or "", found.name)
        got, hint = f"no such field of {found.kind.__name__}", f"did you mean {found.meant}?"
        if found.alone:
            raise InvalidParamsError(field, "", got, hint)
        key = (found.kind, found.name)
        if key not in _named and len(_named) < _MOST_NAMED:
            warn(f"{field}: {got}, sent as given; {hint}", ParamsWarning)
            # Not before: where warnings are errors, each of them is.
            _named.add(key)
