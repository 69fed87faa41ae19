"""HTTP header fields as a mapping that ignores case and forgets nothing."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Optional, Union, cast

_Text = Union[str, bytes]


def _text(value: _Text) -> str:
    # Latin-1 maps every byte to one character: no header a server can send fails to decode.
    return value.decode("latin-1") if isinstance(value, bytes) else value


class Headers(Mapping[str, str]):
    """Header fields in the order received: look-ups ignore case, repeated fields join by ", ".

    Fields are decoded when they are first looked up, because most answers are used without
    anyone reading most of their headers. Immutable.
    """

    __slots__ = ("_index", "_pairs")

    def __init__(self, pairs: Union[Mapping[str, str], Iterable[tuple[_Text, _Text]]] = ()) -> None:
        items: Iterable[tuple[_Text, _Text]]
        if isinstance(pairs, Headers):
            # A Mapping, too, but as one it has its repeated fields joined.
            items = pairs.raw
        else:
            items = (
                cast("Mapping[str, str]", pairs).items() if isinstance(pairs, Mapping) else pairs
            )
        self._pairs: tuple[tuple[_Text, _Text], ...] = tuple(items)
        self._index: Optional[dict[str, list[str]]] = None

    def _lookup(self) -> dict[str, list[str]]:
        if self._index is None:
            index: dict[str, list[str]] = {}
            for name, value in self._pairs:
                index.setdefault(_text(name).lower(), []).append(_text(value))
            self._index = index
        return self._index

    def __getitem__(self, name: str) -> str:
        return ", ".join(self._lookup()[name.lower()])

    def __iter__(self) -> Iterator[str]:
        return iter(self._lookup())

    def __len__(self) -> int:
        return len(self._lookup())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in self._lookup()

    def get_all(self, name: str) -> list[str]:
        """Every value of a field, in the order received; an empty list where there is none."""
        return list(self._lookup().get(name.lower(), ()))

    @property
    def raw(self) -> tuple[tuple[_Text, _Text], ...]:
        """The fields as received: one pair each, names and values as they came."""
        return self._pairs

    def __repr__(self) -> str:
        return f"Headers({dict(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return (Headers, (self._pairs,))
