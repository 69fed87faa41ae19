"""The base classes of all Structs of the API.

A `Record` is a part of a request or of a response, `Params` are the whole body of a request, and a
`ResponseModel` is a whole unit that the server sent: a response, one chunk of a stream, or one row
of a list. `OpenRecord` and `OpenResponseModel` also accept fields that they do not declare, and
show them as attributes.

All of them have the methods that users of pydantic know: `model_dump`, `model_validate`, ...

msgspec does not inherit `kw_only`, so each class repeats it.
"""

from collections.abc import Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, Optional, TypeVar, Union, cast

import msgspec
from typing_extensions import Self, SupportsIndex

from meshapi_core._json_kinds import is_array, is_mapping, is_object, value_name
from meshapi_core._named_fields import NamedFields
from meshapi_core._raw_data import (
    SENT,
    all_of,
    extra_of,
    keep_all,
    keep_extra,
    keep_meta,
    meta_of,
    raw_of,
    sent_of,
)
from meshapi_core.codec.decoding import fit, hand_down
from meshapi_core.codec.decoding_rules import decoding_rules_of
from meshapi_core.codec.parsing import parse, parse_exactly, parse_piece
from meshapi_core.errors import InvalidParamsError, ResponseDecodeError
from meshapi_core.params.encoding import check
from meshapi_core.params.plain_values import TOO_DEEP, as_plain
from meshapi_core.params.unknown_names import look_at_names
from meshapi_core.response_meta import ResponseMeta
from meshapi_core.types._dump import dump, refuse_nested
from meshapi_core.types._repr import show

if TYPE_CHECKING:
    from decimal import Decimal

__all__ = [
    "ResponseModel",
    "ResponseList",
    "OpenResponseModel",
    "OpenRecord",
    "Params",
    "Record",
    "always",
    "number",
]

T = TypeVar("T")


def always(value: T) -> T:
    """Return a field default that is sent even if the caller did not set the field.

    `omit_defaults` compares with plain defaults only: a default made by a factory is always sent.
    All instances share the value, so it must be immutable.
    """
    field: T = msgspec.field(default_factory=lambda: value)
    return field


class Record(
    msgspec.Struct,
    kw_only=True,
    omit_defaults=True,
    repr_omit_defaults=True,
    metaclass=NamedFields,
):
    """A group of named fields; in a request, fields that are None are not sent."""

    def __repr__(self) -> str:
        return show(self)

    def model_dump(
        self,
        *,
        mode: str = "python",
        include: Optional[Iterable[str]] = None,
        exclude: Optional[Iterable[str]] = None,
        by_alias: bool = False,
        exclude_unset: bool = False,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
    ) -> dict[str, Any]:
        """Return a copy of the fields as plain dicts and lists, at every depth.

        Args:
            mode: "python", or "json" to refuse values that JSON cannot represent.
            include, exclude: names of top-level fields to keep or to leave out.
            by_alias: accepted, without effect: fields are always named as in the JSON.
            exclude_defaults, exclude_none: leave out such fields, at every depth.
            exclude_unset: the same as `exclude_defaults`: a field that was set to its default
                cannot be told from a field that was never set.

        Raises:
            InvalidParamsError: `mode` is unknown; `include` or `exclude` is not a flat set of
                names; or, with mode="json", JSON cannot represent a value.
        """
        if mode not in ("python", "json"):
            raise InvalidParamsError("mode", "'python' or 'json'", value_name(mode, show=True))
        exclude_defaults = exclude_defaults or exclude_unset
        tree = dump(self, exclude_defaults=exclude_defaults, exclude_none=exclude_none)
        refuse_nested(include=include, exclude=exclude)
        if include is not None:
            wanted = frozenset(include)
            tree = {name: value for name, value in tree.items() if name in wanted}
        if exclude is not None:
            unwanted = frozenset(exclude)
            tree = {name: value for name, value in tree.items() if name not in unwanted}
        return as_plain(tree) if mode == "json" else tree

    def model_dump_json(
        self,
        *,
        indent: Optional[int] = None,
        include: Optional[Iterable[str]] = None,
        exclude: Optional[Iterable[str]] = None,
        by_alias: bool = False,
        exclude_unset: bool = False,
        exclude_defaults: bool = False,
        exclude_none: bool = False,
    ) -> str:
        """Return the fields as JSON text.

        Args:
            indent: spaces for each level of nesting; None puts everything on one line.
            include, exclude, by_alias, exclude_unset, exclude_defaults, exclude_none: as in
                `model_dump`.

        Raises:
            InvalidParamsError: JSON cannot represent a value.
        """
        tree = self.model_dump(
            mode="json",
            include=include,
            exclude=exclude,
            exclude_unset=exclude_unset,
            exclude_defaults=exclude_defaults,
            exclude_none=exclude_none,
        )
        try:
            text = msgspec.json.encode(tree)
        except UnicodeEncodeError:
            import json

            # Lone surrogates: a stream may split a character between two chunks.
            text = msgspec.json.encode(parse(json.dumps(tree).encode()))
        return (text if indent is None else msgspec.json.format(text, indent=indent)).decode()

    @classmethod
    def model_validate(cls, obj: Any) -> Self:
        """Return an instance of this class made from a mapping, checked at every depth.

        An instance of this class is returned unchanged. Response classes are as lenient as with
        what the server sends: a value that does not fit is replaced by the field's default.

        Raises:
            InvalidParamsError: a field is missing, unknown or of the wrong type.
        """
        if isinstance(obj, cls):
            return obj
        if not is_mapping(obj):
            raise InvalidParamsError("", f"a dict for {cls.__name__}", value_name(obj))
        try:
            return cls._validated(as_plain(obj))
        except RecursionError as exc:
            raise InvalidParamsError("", "", TOO_DEEP) from exc

    @classmethod
    def model_validate_json(cls, json_data: Union[str, bytes, bytearray]) -> Self:
        """Return an instance of this class made from JSON text; see `model_validate`.

        Raises:
            InvalidParamsError: the text is not JSON, or a field is missing, unknown or of the
                wrong kind.
        """
        # For callers without a type checker.
        if not isinstance(cast(Any, json_data), (str, bytes, bytearray)):
            hint = "call model_validate()" if is_mapping(json_data) else ""
            raise InvalidParamsError("", "JSON text", value_name(json_data), hint)
        try:
            data = json_data.encode() if isinstance(json_data, str) else bytes(json_data)
            pieces = decoding_rules_of(cls).pieces
            value = parse_piece(data) if pieces else parse(data)
        except (ResponseDecodeError, UnicodeEncodeError) as exc:
            raise InvalidParamsError("", "", "not valid JSON") from exc
        # A chunk may contain lone surrogates, which `as_plain` would refuse.
        return cls._validated(value) if pieces and is_object(value) else cls.model_validate(value)

    @classmethod
    def _validated(cls, plain: dict[str, Any]) -> Self:
        record = check(plain, cls)
        look_at_names(plain, cls)
        hand_down(record, plain)
        return record

    def model_copy(self, *, update: Optional[Mapping[str, Any]] = None, deep: bool = False) -> Self:
        """Return a copy with some fields changed; the new values are not checked.

        Args:
            update: the new values, by field name.
            deep: also copy the values of the other fields, at every depth.

        Raises:
            InvalidParamsError: `update` names a field that does not exist.
        """
        import copy

        twin = copy.deepcopy(self) if deep else copy.copy(self)
        for name, value in (update or {}).items():
            twin._set(name, value)
        return twin

    def _set(self, name: str, value: Any) -> None:
        if name not in self.__struct_fields__:
            from meshapi_core.params.wrong_names import no_such_field

            raise no_such_field(name, self.__struct_fields__, type(self).__name__)
        setattr(self, name, value)


class Params(Record, kw_only=True, forbid_unknown_fields=True):
    """The whole body of one request; only declared fields are accepted."""


class _Attached(Record, kw_only=True, dict=True):
    # A Struct with a `__dict__`, whose contents survive pickling and copying.

    @property
    def _kept(self) -> Any:
        """The decoded JSON that the server sent for this object; None if no server sent it."""
        return raw_of(self, parse_exactly)

    def __reduce__(self) -> tuple[Any, ...]:
        return _revive, (type(self), msgspec.structs.asdict(self), all_of(self))

    # msgspec's own pickling would forget the `__dict__`.
    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        return self.__reduce__()

    def __copy__(self) -> Self:
        return cast("Self", _revive(type(self), msgspec.structs.asdict(self), vars(self)))


class ResponseModel(_Attached, kw_only=True, dict=True):
    """One whole response: its typed fields, and the JSON that the server sent.

    The JSON and `.meta` survive pickling and copying, and take no part in `==`.
    """

    @property
    def raw(self) -> Any:
        """The decoded JSON of the whole response, including fields that the class does not declare.

        Parsed on first use, then kept. None if the object did not come from a server.
        """
        return self._kept

    @property
    def meta(self) -> ResponseMeta:
        """Status, headers, attempts, rate limits and the like of the response that this came in.

        Its `status` is 0 if the object did not come from a server, or is only a part of a response.
        """
        return meta_of(self)

    @property
    def cost_usd(self) -> "Optional[Decimal]":
        """What it cost in US dollars; None if the gateway does not say so."""
        # Imported on first use: few programs ask.
        from meshapi_core.usage import cost_of

        body = (sent_of(self) or (None,))[0]
        return cost_of(self, body, self._kept if body is None else None)

    @property
    def _request_id(self) -> str:
        """The request ID in the response's headers, to quote to support; "" if unknown."""
        return meta_of(self).request_id

    @classmethod
    def _validated(cls, plain: dict[str, Any]) -> Self:
        return _read(cls, plain)


class _OpenMeta(NamedFields):
    """The metaclass of classes whose constructors also accept fields that they do not declare."""

    if not TYPE_CHECKING:  # type checkers derive the constructor from the fields

        def __call__(cls, /, *args: Any, **fields: Any) -> Any:  # noqa: N805 - it is a class
            known: tuple[str, ...] = getattr(cls, "__struct_fields__", ())
            extra = {name: fields.pop(name) for name in [*fields] if name not in known}
            made = super().__call__(*args, **fields)
            if extra:
                keep_extra(made, extra)
            return made


class OpenRecord(_Attached, kw_only=True, dict=True, metaclass=_OpenMeta):
    """A group of fields that may also contain undeclared ones.

    An undeclared field is an attribute like any other, appears in `model_dump()`, takes part in
    `==`, and can be passed to the constructor by keyword.
    """

    @property
    def model_extra(self) -> dict[str, Any]:
        """The fields that the class does not declare, by name."""
        return extra_of(self, self.__struct_encode_fields__, parse_exactly)

    def __getattr__(self, name: str) -> Any:
        # Called only for names that were not found. Python's own protocols look for dunder names.
        if not name.startswith("__"):
            extra = self.model_extra
            if name in extra:
                return extra[name]
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __setattr__(self, name: str, value: Any) -> None:
        # Names that begin with an underscore are ours: such a field is in `model_extra` only.
        # Properties cannot be set, and Python says so.
        is_known = name in self.__struct_fields__ or name.startswith("_")
        if is_known or isinstance(getattr(type(self), name, None), property):
            super().__setattr__(name, value)
        else:
            self._set(name, value)

    def __delattr__(self, name: str) -> None:
        if name in self.model_extra:
            keep_extra(self, {k: v for k, v in self.model_extra.items() if k != name})
        else:
            super().__delattr__(name)

    def __dir__(self) -> list[str]:
        return sorted({*super().__dir__(), *self.model_extra})

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return (
            msgspec.structs.astuple(self) == msgspec.structs.astuple(other)
            and self.model_extra == other.model_extra
        )

    def _set(self, name: str, value: Any) -> None:
        if name in self.__struct_fields__:
            setattr(self, name, value)
        else:
            keep_extra(self, {**self.model_extra, name: value})


class OpenResponseModel(OpenRecord, ResponseModel, kw_only=True, dict=True):
    """A `ResponseModel` that may also contain undeclared fields; see `OpenRecord`."""

    @classmethod
    def _validated(cls, plain: dict[str, Any]) -> Self:
        return _read(cls, plain)


class ResponseList(list[T]):
    """The rows of a response that is a bare list, and the JSON that the server sent."""

    @property
    def raw(self) -> Any:
        """The decoded JSON of the whole response, parsed anew on each access.

        None if the object did not come from a server.
        """
        sent = sent_of(self)
        return None if sent is None or sent[0] is None else parse_exactly(sent[0])

    @property
    def meta(self) -> ResponseMeta:
        """Status, headers, attempts, rate limits and the like; see `ResponseModel.meta`."""
        return meta_of(self)

    @property
    def _request_id(self) -> str:
        return meta_of(self).request_id

    def pages(self) -> Iterator[Self]:
        """Return an iterator over the pages of the list: this one alone, which has all rows."""
        return iter((self,))

    def _rows(self) -> list[T]:
        return self

    def __repr__(self) -> str:
        return show(list(self))

    def _repr_html_(self) -> Optional[str]:
        from meshapi_core.types._html import rows_html

        return rows_html(self)


_KEEPS: Final[tuple[Any, ...]] = (ResponseModel, ResponseList)


def number(rows: Any) -> None:
    """Set the `index` of each row of a response to its position, if several rows have index 0.

    A missing index is read as 0, and some gateways' adapters send 0 in every row.
    """
    many = is_array(rows) and len(rows) > 1 and isinstance(rows[0], Record)
    if many and [row.index for row in rows].count(0) > 1:
        for place, row in enumerate(rows):
            row.index = place


def _read(kind: type[T], plain: dict[str, Any]) -> T:
    """Return a response from a mapping, read as leniently as from a server."""
    try:
        return fit(plain, kind)
    except ResponseDecodeError as exc:
        raise InvalidParamsError("", "", exc.message) from exc


def attach(response: T, body: bytes, meta: ResponseMeta) -> T:
    """Return the same response with its body, and what is known about it, attached.

    Other values than `ResponseModel` and `ResponseList`, such as None and plain JSON, are returned
    unchanged. The body is kept alive as long as the response; it must be JSON that `parse` accepts.
    """
    target: Any = response
    if isinstance(target, _KEEPS):
        vars(target)[SENT] = (body, meta)
    return response


def attach_meta(response: T, meta: ResponseMeta) -> T:
    """Return the same response with what is known about it, and the body that it had, if any."""
    target: Any = response
    if isinstance(target, _KEEPS):
        keep_meta(target, meta)
    return response


def _revive(kind: type[_Attached], fields: dict[str, Any], kept: dict[str, Any]) -> _Attached:
    response = kind(**fields)
    keep_all(response, kept)
    return response
