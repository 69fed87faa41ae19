"""Extras: headers, query parameters and body fields that a caller adds to requests.

They are checked when they are passed, not when they are used: a mistake raises where it was made.
"""

import re
from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Optional, Union

import msgspec
from msgspec import Struct
from msgspec.structs import force_setattr

from meshapi_core._copies import copied
from meshapi_core._json_kinds import is_mapping, is_object, is_sequence, value_name
from meshapi_core._named_fields import NamedFields
from meshapi_core._secret import Secret
from meshapi_core.errors import InvalidParamsError
from meshapi_core.multipart import Multipart
from meshapi_core.params.plain_values import TOO_DEEP, as_plain, refuse_odd
from meshapi_core.queries import Pairs, text_pairs

__all__ = ["Extras", "check_field_name", "checked_headers", "is_field_value", "may_be_secret"]

# RFC 9110: a token (section 5.6.2), and the characters of a header's value (section 5.5).
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_VALUE = re.compile(r"[\t\x20-\x7e\x80-\xff]*")

# The fields of a JSON object, with values that are not decoded: they are written unchanged.
_fields = msgspec.json.Decoder(dict[str, msgspec.Raw]).decode

_FRAMING = frozenset(
    "connection content-length content-type expect host keep-alive te trailer"
    " transfer-encoding upgrade".split()
)
"""Headers that frame the message or control the connection, which only the client may set."""

_HANDSHAKE = "sec-websocket-"
"""The prefix of such headers in the upgrade to a WebSocket."""

_OPEN = frozenset(
    "accept accept-encoding accept-language anthropic-beta anthropic-version api-version baggage"
    " date from http-referer idempotency-key limit model offset openai-beta openai-organization"
    " openai-project order origin priority referer request-id traceparent tracestate user-agent"
    " x-client-request-id x-correlation-id x-request-id x-title".split()
)
"""Names whose values are not secret, so that an error may quote them, as with names that end in
`version`. The value of any other name may be a secret."""


def may_be_secret(name: str) -> bool:
    """Return whether a header or parameter of this name may have a secret as its value."""
    lower = name.lower()
    return lower not in _OPEN and not lower.endswith("version")


def hidden_values(given: object) -> Any:
    """Return the headers or query that a caller passed, with every text in it a `Secret`.

    A function that takes such an argument calls this in its first line, because error trackers show
    the locals of a frame that raises. Nothing is checked here. Of a value of the wrong type, only
    the name of the type is kept.
    """
    if given is None:
        return None
    # By the class first, which takes a tenth of the time.
    if given.__class__ is not dict and not is_mapping(given):
        return _mere_type(given)
    mapping: Any = given
    return {
        name: Secret(value) if value.__class__ is str else _hidden(value)
        for name, value in mapping.items()
    }


def _hidden(value: object) -> Any:
    if isinstance(value, str):
        return value if isinstance(value, Secret) else Secret(str.__str__(value))
    if value is None or isinstance(value, (bool, int, float)):
        return value
    if is_sequence(value):
        return [_hidden(item) for item in value]
    if is_mapping(value):
        return hidden_values(value)
    return _mere_type(value)


def _mere_type(value: object) -> object:
    # It may be the right value in the wrong type: only the name of the type is kept.
    return type(type(value).__name__, (), {})()


class Extras(Struct, frozen=True, kw_only=True, metaclass=NamedFields):
    """Additions to every request of a client; a value.

    Fields:
        headers: replace the client's headers of the same name, Authorization included; None removes
            a header.
        query: replace the parameters of the same name; booleans and lists as in any query.
        body: fields that are added to JSON and form bodies, and replace those of the same name.
            Requests without a body, and uploads to signed URLs, are not changed.

    The repr shows no values: tokens and prompts do not belong in a log.

    Raises:
        InvalidParamsError: a name or value that a request cannot carry; a header that frames the
            message; `stream` in the body, which the method decides.
    """

    headers: Union[None, Mapping[str, Optional[str]]] = None
    query: Optional[Mapping[str, Any]] = None
    body: Optional[Mapping[str, Any]] = None

    def __post_init__(self) -> None:
        # This comes first: where a later line raises, the traceback's locals show `self`.
        force_setattr(self, "headers", hidden_values(self.headers))
        force_setattr(self, "query", hidden_values(self.query))
        force_setattr(self, "headers", _checked_extra_headers(self.headers))
        force_setattr(self, "query", _checked_query(self.query))
        force_setattr(self, "body", _checked_body(self.body))

    def __repr__(self) -> str:
        given = [(name, getattr(self, name)) for name in self.__struct_fields__]
        return f"Extras({', '.join(f'{name}={[*items]}' for name, items in given if items)})"

    def __rich_repr__(self) -> list[Any]:
        return [repr(self)]

    def __hash__(self) -> int:
        # Of the names only, as values may be lists and dicts, which have no hash.
        return hash((*(self.headers or ()), None, *(self.query or ()), None, *(self.body or ())))

    def merged(self, later: "Extras") -> "Extras":
        """These extras with `later` ones added, which win."""
        new = copied(self)
        # Both have been checked.
        for name in self.__struct_fields__:
            added = getattr(later, name)
            if added:
                force_setattr(new, name, {**(getattr(self, name) or {}), **added})
        return new

    def extended(self, headers: Any, query: Any, body: Any) -> "Extras":
        """These extras with others added, which win; None adds nothing.

        Args:
            headers, query: hidden already (`hidden_values`).
            body: as given.

        Raises:
            InvalidParamsError: as for new ones.
        """
        new = copied(self)
        for name, added, checked in (
            ("headers", headers, _checked_extra_headers),
            ("query", query, _checked_query),
            ("body", body, _checked_body),
        ):
            if added is not None:
                force_setattr(new, name, {**(getattr(self, name) or {}), **checked(added)})
        return new

    def with_headers(self, headers: Mapping[str, Optional[str]]) -> "Extras":
        """These extras with headers that have been checked, in lower case, which win."""
        new = copied(self)
        force_setattr(new, "headers", {**(self.headers or {}), **headers})
        return new

    def without_header(self, name: str) -> "Extras":
        """These extras without what they say about a header; its name is in lower case."""
        new = copied(self)
        headers = self.headers or {}
        force_setattr(new, "headers", {other: headers[other] for other in headers if other != name})
        return new

    def headers_of(self, ours: Pairs) -> Pairs:
        """The headers of a request with the extras."""
        if not self.headers:
            return ours
        kept = tuple(pair for pair in ours if pair[0] not in self.headers)
        added = ((name, value) for name, value in self.headers.items() if value is not None)
        return (*kept, *added)

    def secrets_with(self, *tokens: str) -> tuple[str, ...]:
        """The secrets that no error may show: the tokens, and the values that may be secret."""
        if not self.headers and not self.query:
            return tokens
        found: list[Any] = []
        for name, value in (*(self.headers or {}).items(), *(self.query or {}).items()):
            if may_be_secret(name):
                found += value if is_sequence(value) else [value]
        return (*tokens, *(value for value in found if isinstance(value, Secret)))

    def query_of(self, ours: Pairs) -> Pairs:
        """The query of a request with the extras."""
        return _replaced(ours, self.query) if self.query else ours

    def json_of(self, ours: bytes) -> bytes:
        """A JSON body with the extras."""
        if not self.body:
            return ours
        return msgspec.json.encode({**_fields(ours), **self.body})

    def form_of(self, ours: Multipart) -> Multipart:
        """A form with the extras."""
        if not self.body:
            return ours
        return Multipart(_replaced(ours.fields, self.body), ours.files)


def _replaced(ours: Pairs, added: Mapping[str, Any]) -> Pairs:
    return (*(pair for pair in ours if pair[0] not in added), *text_pairs(added))


def _mapping(field: str, value: object) -> Mapping[Any, Any]:
    mapping: Any = value
    if value.__class__ is not dict and not is_mapping(value):
        # Of a hidden value, only the name of its type is left.
        hint = f'write {field}={{"name": ...}}'
        if field == "extra_body" and type(value).__name__ in ("str", "bytes"):
            hint = "write json.loads(x)"
        elif type(value).__name__ in ("list", "tuple"):
            hint = "write dict(x)"
        raise InvalidParamsError(field, "dict", value_name(value), hint)
    checked: Mapping[Any, Any] = mapping
    return checked


def _checked_extra_headers(headers: object) -> dict[str, Optional[str]]:
    return checked_headers(headers, "extra_headers")


def checked_headers(headers: object, argument: str) -> dict[str, Optional[str]]:
    """Return headers that a caller passed, by their names in lower case.

    Args:
        headers: what the caller passed, after `hidden_values`; None is no headers.
        argument: its name, for errors.

    Raises:
        InvalidParamsError: a request cannot carry them.
    """
    checked: dict[str, Optional[str]] = {}
    for name, value in _mapping(argument, {} if headers is None else headers).items():
        # By the class, because only a str is sure to have a hash.
        known = _known_name if name.__class__ is str else check_field_name
        lower = known(argument, name)
        if value is not None and not (isinstance(value, Secret) and is_field_value(value)):
            field = f"{argument}[{name!r}]"
            if not isinstance(value, Secret):
                hint = _TO_TEXT.get(type(value).__name__, "")
                raise InvalidParamsError(field, "str or None", value_name(value), hint)
            # The value is not shown, whatever is wrong with it.
            expected = "text that a header can carry"
            raise InvalidParamsError(field, expected, *_value_fault(value.reveal()))
        checked[lower] = value
    return checked


_TO_TEXT = {
    "bool": "write str(x)",
    "bytes": "write x.decode()",
    "float": "write str(x)",
    "int": "write str(x)",
    "list": 'write ", ".join(x)',
}


def _value_fault(value: str) -> tuple[str, str]:
    """Return what is wrong with a header's value, and what to do about it."""
    if value != value.strip():
        return "whitespace around it", "write x.strip()"
    if any(ord(c) > 0xFF for c in value):
        return "characters outside Latin-1", "percent-encode it"
    return "a control character", "leave it out"


def check_field_name(field: str, name: object) -> str:
    """Return the name of a header in lower case.

    Args:
        field: the argument that has the name, for errors.
        name: the name.

    Raises:
        InvalidParamsError: it is not the name of a header, or of one that frames the message.
    """
    if not isinstance(name, str):
        raise InvalidParamsError(field, "header names as str", value_name(name))
    if not _NAME.fullmatch(name):
        # The name is not shown: after a colon, it may contain the value.
        expected = "header names of letters, digits and hyphens"
        got = "a name with other characters" if name else "an empty name"
        hint = 'write {"name": "value"}' if ":" in name else ""
        raise InvalidParamsError(field, expected, got, hint)
    lower = name.lower()
    if lower in _FRAMING or lower.startswith(_HANDSHAKE):
        raise InvalidParamsError(f"{field}[{name!r}]", "", "set by the client", "leave it out")
    return lower


# Programs use few names, in many calls.
_known_name = lru_cache(maxsize=256)(check_field_name)


def is_field_value(value: str) -> bool:
    """Return whether a header can have this value."""
    return _VALUE.fullmatch(value) is not None and value == value.strip()


def _is_simple(mapping: Mapping[Any, Any]) -> bool:
    """Return whether a mapping has nothing to convert or to refuse: most have one or two flags."""
    for name, value in mapping.items():
        kind = value.__class__
        if name.__class__ is not str or not name.isascii() or kind not in _SIMPLE:
            return False
        if (kind is int and not -_SAFE <= value <= _SAFE) or (
            (kind is str or kind is Secret) and not value.isascii()
        ):
            return False
    return True


_SIMPLE = frozenset({str, Secret, int, bool})
_SAFE = 2**53


def _checked_query(query: object) -> dict[str, Any]:
    plain = _plain("extra_query", query, hidden_values)
    for name, value in plain.items():
        if value.__class__ in _SIMPLE:
            continue
        items = value if is_sequence(value) else [value]
        if any(is_sequence(item) or is_object(item) for item in items):
            expected = "text, numbers, booleans or a list of them"
            raise InvalidParamsError(f"extra_query[{name!r}]", expected, value_name(value))
    return plain


def _checked_body(body: object) -> dict[str, Any]:
    plain = _plain("extra_body", body)
    if "stream" in plain:
        hint = "call stream() or create()"
        raise InvalidParamsError("extra_body['stream']", "", "set by the method", hint)
    return plain


def _plain(
    field: str, value: object, hidden: Optional[Callable[[object], Any]] = None
) -> dict[str, Any]:
    if value is None:
        return {}
    mapping = _mapping(field, value)
    if _is_simple(mapping):
        return {**mapping}
    try:
        # In one expression: if the next line raises, no local may have the values in plain text.
        plain: dict[str, Any] = as_plain(mapping) if hidden is None else hidden(as_plain(mapping))
        refuse_odd(plain, "")
    except InvalidParamsError as exc:
        inner = f"{field}.{exc.field}" if exc.field else field
        raise InvalidParamsError(inner, exc.expected, exc.got, exc.hint) from None
    except RecursionError as exc:
        raise InvalidParamsError(field, "", TOO_DEEP) from exc
    return plain
