"""HTTP headers as a mapping that ignores case and keeps every value."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Optional, Union, cast

from typing_extensions import TypeAlias

_Text = Union[str, bytes]


def _text(value: _Text) -> str:
    # Latin-1 maps every byte to one character, so any header that a server sends can be decoded.
    return value.decode("latin-1") if isinstance(value, bytes) else value


_Index: TypeAlias = dict[bytes, Union[_Text, list[_Text]]]
"""Values by the keys of their names (see `_key`); a list of them where a header is repeated."""


def _key(name: str) -> bytes:
    return name.lower().encode("utf-8", "surrogatepass")


def _index_of(pairs: tuple[tuple[Any, _Text], ...]) -> _Index:
    # Names that arrive as lower-case bytes are keys already. This is quick because a response has
    # many headers, of which few are read.
    index: _Index = dict(pairs)
    try:
        names = b"".join(index)
    except TypeError:
        names = b""
    if len(index) == len(pairs) and names.isascii() and names.islower():
        return index
    lists: dict[bytes, list[_Text]] = {}
    for name, value in pairs:
        lists.setdefault(_key(_text(name)), []).append(value)
    return {key: found[0] if len(found) == 1 else found for key, found in lists.items()}


class Headers(Mapping[str, str]):
    """Headers in the order received: look-ups ignore case, repeated headers are joined by ", ".

    A value is decoded when it is looked up, because most headers of most responses are never read.
    Immutable.
    """

    __slots__ = ("_index", "_pairs")

    def __init__(self, pairs: Union[Mapping[str, str], Iterable[tuple[_Text, _Text]]] = ()) -> None:
        items: Iterable[tuple[_Text, _Text]]
        if isinstance(pairs, (list, tuple)):
            # The usual case, tested first: isinstance(pairs, Mapping) would take longer than all
            # the rest.
            items = pairs
        elif isinstance(pairs, Headers):
            # Also a Mapping, but its items have repeated headers joined.
            items = pairs.raw
        else:
            items = (
                cast("Mapping[str, str]", pairs).items() if isinstance(pairs, Mapping) else pairs
            )
        self._pairs: tuple[tuple[_Text, _Text], ...] = tuple(items)
        self._index: Optional[_Index] = None

    def _lookup(self) -> _Index:
        index = self._index
        if index is None:
            index = self._index = _index_of(self._pairs)
        return index

    def __getitem__(self, name: str) -> str:
        try:
            found = (self._index or self._lookup())[_key(name)]
        except KeyError:
            raise KeyError(name.lower()) from None
        if isinstance(found, bytes):
            return found.decode("latin-1")
        return ", ".join(map(_text, found)) if isinstance(found, list) else found

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys(_text(name).lower() for name, _ in self._pairs))

    def __len__(self) -> int:
        return len(self._lookup())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and _key(name) in (self._index or self._lookup())

    def get_all(self, name: str) -> list[str]:
        """Every value of a header, in the order received; an empty list where there is none."""
        found = self._lookup().get(_key(name), [])
        return [_text(value) for value in (found if isinstance(found, list) else [found])]

    @property
    def raw(self) -> tuple[tuple[_Text, _Text], ...]:
        """The headers as received: one pair for each, with names and values unchanged."""
        return self._pairs

    def __repr__(self) -> str:
        return f"Headers({dict(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return (Headers, (self._pairs,))


def content_type(headers: Mapping[str, str]) -> str:
    """Return the content type without its parameters, in lower case; "" where there is none."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


# Looked for after the gateway's own: those of other gateways and of providers, and last the one
# that an edge proxy adds. The nearer to the model, the more useful an ID is. In lower case, because
# callers may pass plain mappings.
_OTHER_IDS = (
    "request-id",
    "x-litellm-call-id",
    "x-amzn-requestid",
    "x-amzn-request-id",
    "x-amz-request-id",
    "apim-request-id",
    "x-ms-request-id",
    "x-correlation-id",
    "cf-ray",
)


def find_request_id(headers: Mapping[str, str]) -> str:
    """Return the request ID, by whichever name the server sends it; "" if it sends none.

    Source: https://docs.litellm.ai/docs/proxy/response_headers,
        https://docs.anthropic.com/en/api/errors#request-id,
        https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html
    """
    try:
        # The usual case, with one look-up.
        value = headers["x-request-id"].strip()
    except KeyError:
        value = ""
    return value or _find_other_id(headers)


def _find_other_id(headers: Mapping[str, str]) -> str:
    values = (headers[name].strip() for name in _OTHER_IDS if name in headers)
    return next(filter(None, values), "")
