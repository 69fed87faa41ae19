"""HTTP header fields as a mapping that ignores case and forgets nothing."""

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Optional, Union, cast

_Text = Union[str, bytes]


def _text(value: _Text) -> str:
    # Latin-1 maps every byte to one character: no header a server can send fails to decode.
    return value.decode("latin-1") if isinstance(value, bytes) else value


class Headers(Mapping[str, str]):
    """Header fields in the order received: look-ups ignore case, repeated fields join by ", ".

    A value is decoded when it is looked up, because most answers are used without anyone reading
    most of their headers. Immutable.
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
        self._index: Optional[dict[str, list[_Text]]] = None

    def _lookup(self) -> dict[str, list[_Text]]:
        if self._index is None:
            index: dict[str, list[_Text]] = {}
            for name, value in self._pairs:
                # As `_text`, without a call for each field of each answer.
                text = name.decode("latin-1") if isinstance(name, bytes) else name
                index.setdefault(text.lower(), []).append(value)
            self._index = index
        return self._index

    def __getitem__(self, name: str) -> str:
        return ", ".join(map(_text, (self._index or self._lookup())[name.lower()]))

    def __iter__(self) -> Iterator[str]:
        return iter(self._lookup())

    def __len__(self) -> int:
        return len(self._lookup())

    def __contains__(self, name: object) -> bool:
        return isinstance(name, str) and name.lower() in (self._index or self._lookup())

    def get_all(self, name: str) -> list[str]:
        """Every value of a field, in the order received; an empty list where there is none."""
        return [_text(value) for value in self._lookup().get(name.lower(), ())]

    @property
    def raw(self) -> tuple[tuple[_Text, _Text], ...]:
        """The fields as received: one pair each, names and values as they came."""
        return self._pairs

    def __repr__(self) -> str:
        return f"Headers({dict(self)!r})"

    def __reduce__(self) -> tuple[Any, ...]:
        return (Headers, (self._pairs,))


def content_type(headers: Mapping[str, str]) -> str:
    """Return the content type without its parameters, in lower case; "" where there is none."""
    return headers.get("content-type", "").partition(";")[0].strip().lower()


# After the gateway's own those of other gateways and of providers, and last the one that an edge
# adds: the nearer to the model, the more it says. In lower case, as plain mappings may be given.
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
    """Return the request's id, under whichever name the server sends it; "" if under none.

    Source: https://docs.litellm.ai/docs/proxy/response_headers,
        https://docs.anthropic.com/en/api/errors#request-id,
        https://docs.aws.amazon.com/bedrock/latest/APIReference/CommonErrors.html
    """
    try:
        # Nearly always, and with one look-up.
        value = headers["x-request-id"].strip()
    except KeyError:
        value = ""
    return value or _find_other_id(headers)


def _find_other_id(headers: Mapping[str, str]) -> str:
    values = (headers[name].strip() for name in _OTHER_IDS if name in headers)
    return next(filter(None, values), "")
