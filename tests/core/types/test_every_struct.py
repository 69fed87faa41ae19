"""Laws for every Struct in `meshapi_core.types`, whatever its module.

A failure names the class to fix.
"""

import copy
import importlib
import json
import math
import pickle
import pkgutil
import re
import sys
import warnings
from typing import Any

import msgspec
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from msgspec import inspect

import meshapi_core
from meshapi_core import types
from meshapi_core.codec.decoding import decode
from meshapi_core.codec.decoding_rules import decoding_rules_of
from meshapi_core.errors import InvalidParamsError, ResponseDecodeError
from meshapi_core.params.encoding import encode_params
from meshapi_core.types import _base
from meshapi_core.types._base import OpenRecord, Params, Record, ResponseModel, attach
from meshapi_core.types._tagged import to_send
from meshapi_core.types.chat import ChatCompletionParams, ChatMessage
from meshapi_core.types.compare import CompareParams
from meshapi_core.types.embeddings import EmbeddingsParams
from meshapi_core.types.moderations import ModerationParams
from meshapi_core.types.responses import ResponsesParams
from meshapi_core.types.router import RouterSelectParams
from meshapi_core.types.videos import VideoGenerationParams
from support.examples import one_in
from support.metas import meta_with
from support.structs import (
    forms,
    json_objects,
    json_values,
    places,
    sample,
    shape,
    texts,
    wrong_values,
)


def _structs() -> list[Any]:
    names = [module.name for module in pkgutil.iter_modules(types.__path__)]
    modules = [importlib.import_module(f"{types.__name__}.{name}") for name in sorted(names)]
    return [
        kind
        for module in modules
        for kind in vars(module).values()
        if isinstance(kind, type)
        and issubclass(kind, msgspec.Struct)
        and kind.__module__ == module.__name__ != _base.__name__
    ]


UNKNOWN = {"type": "hologram", "hologram": {"depth": None}}

STRUCTS = _structs()
RESPONSES = [kind for kind in STRUCTS if issubclass(kind, ResponseModel)]
OPEN = [kind for kind in STRUCTS if issubclass(kind, OpenRecord)]
EXACT = [kind for kind in OPEN if kind.__struct_config__.forbid_unknown_fields]
PARAMS = [kind for kind in STRUCTS if issubclass(kind, Params)]
CLOSED = [kind for kind in STRUCTS if kind not in OPEN + PARAMS]

# Odd values cause warnings, which do not matter here.
pytestmark = pytest.mark.filterwarnings("ignore::meshapi_core.ResponseWarning")

each = pytest.mark.parametrize("kind", STRUCTS, ids=lambda kind: kind.__name__)
each_response = pytest.mark.parametrize("kind", RESPONSES, ids=lambda kind: kind.__name__)

# Few examples for each class, as there are many classes.
FEW = settings(one_in(25), database=None)


def received(kind: Any, value: Any) -> Any:
    """The value as a client gets it from the server."""
    body = msgspec.json.encode(value)
    return attach(decode(body, msgspec.json.Decoder(kind)), body, meta_with("req_1"))


def records(kind: Any) -> "st.SearchStrategy[Any]":
    """Instances with their JSON forms; a `ResponseModel` as if it had been received."""
    return forms(shape(kind)).map(lambda form: (_record(kind, form), form))


def _record(kind: Any, form: Any) -> Any:
    if issubclass(kind, ResponseModel):
        return received(kind, form)
    try:
        return kind.model_validate(form)
    except InvalidParamsError:
        # The class itself may check a field that is declared as Any.
        assume(not kind.__dict__.get("__post_init__"))
        raise


def whole_of(kind: Any) -> Any:
    """The JSON form of a Struct with every field."""
    whole = sample(shape(kind))
    while True:
        try:
            kind.model_validate(whole)
        except InvalidParamsError as exc:
            # The class itself may check a field that is declared as Any.
            assert kind.__dict__.get("__post_init__")
            del whole[exc.field.partition("[")[0].partition(".")[0]]
        else:
            return whole


def every_kind_of_json() -> list[Any]:
    return [None, True, 7, -1, 1.5, 1e300, "text", "", "7", [], [1], ["a", None], [[{}]], {}, [{}],
            {"a": 1}, {"type": "?"}, {"id": None}]  # fmt: skip


# Declarations


@each
def test_a_struct_is_a_record_by_keyword_that_says_where_it_is_from(kind):
    assert issubclass(kind, Record)
    config = kind.__struct_config__
    assert config.omit_defaults
    # Parts of chat messages also keep unknown fields, which `_json_kinds.is_exact` finds.
    assert bool(config.forbid_unknown_fields) is (kind in PARAMS or kind in EXACT)
    with pytest.raises(TypeError):
        kind("positional")  # else: repeat kw_only=True
    if not kind.__name__.startswith("_"):
        assert kind.__doc__
        assert re.search(r"^Source: .*https://", sys.modules[kind.__module__].__doc__, re.M | re.S)
        assert getattr(meshapi_core.types, kind.__name__) is kind, "tools/faces.py --write"


@each
def test_a_struct_that_keeps_what_was_sent_has_a_dict(kind):
    keeps = issubclass(kind, (ResponseModel, OpenRecord))
    assert bool(kind.__dictoffset__) is keeps, (
        "dict=True is for response models and open records only"
    )


@each_response
def test_every_field_of_a_response_has_a_default_and_its_enums_are_open(kind):
    assert kind() == kind()
    assert kind().raw is None
    for info in _reachable(shape(kind), set()):
        for field in info.fields:
            assert not field.required or not issubclass(info.cls, ResponseModel), field.name
            assert not _is_closed(field.type), f"{info.cls.__name__}.{field.name}"
        assert not issubclass(info.cls, Params), info.cls.__name__


def _reachable(info: Any, seen: set[Any]) -> list[Any]:
    """The Structs of which a response consists."""
    if isinstance(info, inspect.StructType):
        if info.cls in seen:
            return []
        seen.add(info.cls)
        return [info, *(s for field in info.fields for s in _reachable(field.type, seen))]
    if isinstance(info, inspect.UnionType):
        return [s for member in info.types for s in _reachable(member, seen)]
    if isinstance(info, inspect.ListType):
        return _reachable(info.item_type, seen)
    return _reachable(info.value_type, seen) if isinstance(info, inspect.DictType) else []


def _is_closed(info: Any) -> bool:
    """Whether msgspec refuses values of the right kind."""
    members = info.types if isinstance(info, inspect.UnionType) else (info,)
    limits = ("gt", "ge", "lt", "le", "min_length", "max_length", "pattern")
    return any(
        any(getattr(member, name, None) is not None for name in limits)
        or (isinstance(member, inspect.LiteralType) and len(member.values) > 1)
        for member in members
    )


# Known words in requests are open: providers invent others, and the gateway decides.


def _parts(info: Any, seen: set[Any], path: str = "") -> list[tuple[str, Any]]:
    """Every type declared in a request, with its path, including parts that differ by `type`."""
    found = [(path, info)]
    if isinstance(info, inspect.StructType):
        if info.cls in seen:
            return []
        seen.add(info.cls)
        for field in info.fields:
            found += _parts(field.type, seen, f"{info.cls.__name__}.{field.encode_name}")
    elif isinstance(info, inspect.UnionType):
        found += [part for member in info.types for part in _parts(member, seen, path)]
    elif isinstance(info, inspect.ListType):
        found += _parts(info.item_type, seen, path)
    elif isinstance(info, inspect.DictType):
        found += _parts(info.value_type, seen, path)
    elif isinstance(info, inspect.Metadata):
        for kind in (info.extra or {})["by_type"].values():
            found += _parts(shape(kind), seen, path)
    return found


SENT = [part for kind in PARAMS for part in _parts(shape(kind), set())]


def test_the_only_closed_words_in_requests_are_the_types_of_parts():
    closed = {where: info.values for where, info in SENT if isinstance(info, inspect.LiteralType)}
    assert closed
    for where, values in closed.items():
        assert where.endswith(".type"), where
        assert len(values) == 1, where


@given(json_objects, texts, st.data())
def test_a_part_of_an_unknown_type_is_sent_as_it_was_given(rest, word, data):
    known = [info.extra["by_type"] for _, info in SENT if isinstance(info, inspect.Metadata)]
    assert known
    classes = data.draw(st.sampled_from(known))
    assume(word not in classes)
    part = {**rest, "type": word}
    assert to_send(part, "here", "a part", classes) is part


@pytest.mark.parametrize(
    ("kind", "fields"),
    [
        (ChatCompletionParams, {"tools": [UNKNOWN]}),
        (ChatCompletionParams, {"tool_choice": UNKNOWN}),
        (ChatCompletionParams, {"messages": [{"role": "user", "content": [UNKNOWN]}]}),
        (ChatCompletionParams, {"messages": [{"role": "assistant", "tool_calls": [UNKNOWN]}]}),
        (CompareParams, {"models": ["m"], "messages": [{"role": "user", "content": [UNKNOWN]}]}),
        (RouterSelectParams, {"messages": [{"role": "assistant", "tool_calls": [UNKNOWN]}]}),
        (ResponsesParams, {"input": [UNKNOWN], "tools": [UNKNOWN], "tool_choice": UNKNOWN}),
        (EmbeddingsParams, {"input": [UNKNOWN]}),
        (ModerationParams, {"input": [UNKNOWN]}),
        (VideoGenerationParams, {"model": "m", "content": [UNKNOWN]}),
    ],
)
def test_an_unknown_type_is_no_reason_to_refuse_a_request(kind, fields):
    if "messages" in kind.__struct_fields__:
        fields = {"messages": [{"role": "user", "content": "hi"}], **fields}
    for made in ((None, fields), (kind(**fields), {})):
        body = json.loads(encode_params(kind, *made))
        assert {name: body[name] for name in fields} == fields


# There and back again


@each
@FEW
@given(st.data())
def test_a_struct_survives_its_own_dump_its_own_json_pickle_and_copy(kind, data):
    record, _ = data.draw(records(kind))
    dumped = record.model_dump()
    for twin in (
        kind.model_validate(dumped),
        kind.model_validate_json(record.model_dump_json()),
        kind.model_validate_json(record.model_dump_json(exclude_defaults=True)),
        msgspec.json.decode(msgspec.json.encode(record), type=kind),
        pickle.loads(pickle.dumps(record)),
        copy.copy(record),
        record.model_copy(deep=True),
    ):
        assert type(twin) is kind
        assert twin == record
        assert twin.model_dump() == dumped
    assert repr(record).startswith(f"{kind.__name__}(")
    assert len(repr(record)) < 10_000


@each
def test_every_field_goes_out_and_comes_in_under_its_own_name(kind):
    assert kind.__struct_fields__ == kind.__struct_encode_fields__
    whole = whole_of(kind)
    record = kind.model_validate(whole)
    assert record.model_dump(exclude_none=True) == whole
    assert json.loads(msgspec.json.encode(record)) == whole
    assert kind(**whole).model_dump(exclude_none=True) == whole


@each
def test_a_struct_full_of_long_texts_prints_short(kind):
    def long(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: long(item) for key, item in value.items()}
        if isinstance(value, list):
            return [long(row) for row in value] * 20
        return value * 10_000 if isinstance(value, str) else value

    # Not checked: values that a limit or a literal refuses must also print.
    record = kind.model_validate(whole_of(kind))
    for name, value in whole_of(kind).items():
        setattr(record, name, long(value))
    assert len(repr(record)) < 10_000


# Undeclared fields


@pytest.mark.parametrize("kind", OPEN, ids=lambda kind: kind.__name__)
@FEW
@given(st.data())
def test_open_classes_keep_unknown_fields(kind, data):
    _, form = data.draw(records(kind))
    extra = {f"x_{name}": value for name, value in data.draw(json_objects).items()}
    record = _record(kind, {**form, **extra})
    assert record.model_extra == extra
    assert all(getattr(record, name) == value for name, value in extra.items())
    assert record.model_dump().items() >= extra.items()
    for twin in (
        pickle.loads(pickle.dumps(record)),
        copy.deepcopy(record),
        kind.model_validate_json(record.model_dump_json()),
        kind(**{name: getattr(record, name) for name in kind.__struct_fields__}, **extra),
    ):
        assert twin == record
        assert twin.model_extra == extra


@each_response
@FEW
@given(st.data())
def test_the_raw_form_of_a_response_is_all_that_was_sent(kind, data):
    sent = {**data.draw(json_objects | forms(shape(kind))), "x_new": data.draw(json_values)}
    response = received(kind, sent)
    for one in (response, pickle.loads(pickle.dumps(response))):
        assert one.raw == sent
        assert one._request_id == "req_1"
    check_usable(response)


@pytest.mark.parametrize("kind", PARAMS, ids=lambda kind: kind.__name__)
def test_params_refuse_unknown_fields_by_name(kind):
    with pytest.raises(InvalidParamsError) as caught:
        kind.model_validate({**whole_of(kind), "x_new": 1})
    assert caught.value.field == "x_new"
    with pytest.raises(TypeError):
        kind(**whole_of(kind), x_new=1)


def test_a_message_with_unknown_fields_is_one_that_keeps_them():
    """Otherwise a stored conversation would lose them."""
    stored = {"role": "user", "content": "x", "cache_control": {"type": "ephemeral"}}
    message = ChatMessage.model_validate(stored)
    assert isinstance(message, ChatMessage)
    assert message.model_dump(exclude_none=True) == stored
    assert type(ChatMessage.model_validate({"role": "user", "content": "x"})) is ChatMessage


@pytest.mark.parametrize(
    "kind", [kind for kind in CLOSED if kind is not ChatMessage], ids=lambda kind: kind.__name__
)
def test_other_classes_ignore_unknown_fields(kind):
    whole = whole_of(kind)
    assert kind.model_validate({**whole, "x_new": 1}) == kind.model_validate(whole)


# What servers send


@each_response
def test_a_field_of_a_response_may_be_anything(kind):
    """If null or another kind raised, a paid response would be lost."""
    whole = sample(shape(kind))
    for name in kind.__struct_fields__:
        assert type(received(kind, {**whole, name: None})) is kind
        for value in every_kind_of_json():
            response = received_or_refused(kind, {name: value})
            if response is None:
                continue
            assert type(response) is kind
            assert response.raw == {name: value}
            check_usable(response)


def received_or_refused(kind: Any, sent: Any) -> Any:
    """The response; None if something essential in it is odd, which is a documented error."""
    try:
        return received(kind, sent)
    except ResponseDecodeError as exc:
        assert exc.error_code == "parse_error"
        assert "the response does not have the expected form: " in exc.message
        return None


@pytest.mark.parametrize(
    "kind", [kind for kind in RESPONSES if kind.__struct_fields__], ids=lambda kind: kind.__name__
)
@FEW
@given(st.data())
def test_a_wrong_kind_at_any_depth_costs_no_response_but_for_what_is_essential(kind, data):
    sent = sample(shape(kind))
    inner = [place for place in places(sent, shape(kind)) if place.path]
    place = data.draw(st.sampled_from(inner), label="place")
    place.holder[place.key] = data.draw(st.none() | wrong_values(place.info), label="value")
    response = received_or_refused(kind, sent)
    if response is not None:
        assert type(response) is kind
        check_usable(response)


@pytest.mark.parametrize(
    "kind", [kind for kind in RESPONSES if kind.__struct_fields__], ids=lambda kind: kind.__name__
)
@FEW
@given(st.data())
def test_a_scalar_of_another_kind_is_converted_or_reported(kind, data):
    whole = sample(shape(kind))
    scalars = [place for place in places(whole, shape(kind)) if is_scalar(place.info)]
    assume(scalars)
    place = data.draw(st.sampled_from(scalars), label="place")
    odd = data.draw(odd_values.filter(lambda value: value is not None), label="value")
    place.holder[place.key] = odd
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        response = received_or_refused(kind, whole)
    if response is None or caught:
        return
    got = at(response, place.path)
    assert means(got, odd, place.key), (got, odd)


odd_values = json_values | st.sampled_from(
    ["12", " 7 ", "0.5", "1e3", "true", "False", "null", "[3]", '{"a":1}', "007", "1_0", "NaN", "",
     "2024-01-01T00:00:00Z", 1700000000.25, 12.5, 3.0, 0, 1, [5], ["a"], [["a"]], [None]]
)  # fmt: skip


# Text fields that may arrive as content parts; without any parts they are empty.
PROSE = frozenset(name for kind in STRUCTS for name in decoding_rules_of(kind).prose)


def is_scalar(info: Any) -> bool:
    members = info.types if isinstance(info, inspect.UnionType) else (info,)
    scalars = (inspect.BoolType, inspect.IntType, inspect.FloatType, inspect.StrType)
    return all(isinstance(member, (*scalars, inspect.NoneType)) for member in members)


def at(value: Any, path: str) -> Any:
    """The value at a path of `places` in the typed response."""
    for step in path.replace("[", ".[").strip(".").split("."):
        if step.startswith("["):
            value = value[int(step[1:-1])]
        else:
            value = value[step] if isinstance(value, dict) else getattr(value, step)
    return value


def means(got: Any, sent: Any, name: Any) -> bool:
    """Whether a value means the same as what was sent; computed without the code under test."""
    if isinstance(got, str):
        # A URL that hides its query from reprs has a subclass.
        got = str(got)
    if name in PROSE and got in ("", None) and sent in ([], {}, [None]):
        return True
    if type(got) is type(sent) or (isinstance(got, float) and type(sent) is int):
        return bool(got == sent)
    if isinstance(got, bool):
        return (
            sent in (0, 1, [got])
            or str(sent).strip().lower() == str(got).lower()
            or is_one(sent, got)
        )
    if isinstance(got, str):
        # The parts of prose are joined.
        texts = [part for part in sent if part is not None] if isinstance(sent, list) else [None]
        joined = all(isinstance(text, str) for text in texts) and "".join(texts) == got
        return joined or json.loads(got) == sent
    if isinstance(sent, str) and sent.startswith("2024"):
        return got == 1704067200
    number = json.loads(sent) if isinstance(sent, str) else sent
    if isinstance(number, float) and (name == "created" or str(name).endswith("_at")):
        return got == math.floor(number)
    return is_one(sent, got)


def is_one(sent: Any, got: Any) -> bool:
    value = json.loads(sent) if isinstance(sent, str) else sent
    value = value[0] if isinstance(value, list) and len(value) == 1 else value
    value = json.loads(value) if isinstance(value, str) else value
    return bool(value == got)


PAGES = [kind for kind in RESPONSES if decoding_rules_of(kind).rows]


@pytest.mark.parametrize("kind", PAGES, ids=lambda kind: kind.__name__)
def test_the_rows_of_a_page_are_found_bare_and_in_data_as_well(kind):
    name = decoding_rules_of(kind).rows
    rows = sample(shape(kind))[name]
    wanted = getattr(received(kind, {name: rows}), name)
    assert len(wanted) == len(rows)
    for page in (rows, {"data": rows}, {"object": "list", "data": rows, "x_new": [1]}):
        response = received(kind, page)
        assert getattr(response, name) == wanted
        assert response.raw == page
        check_usable(response)
    assert getattr(received(kind, {"object": "list", "data": []}), name) == []


def test_every_list_is_one_of_them():
    """So that no list is forgotten: a response whose only list contains objects is a page."""
    lists = {
        kind
        for kind in RESPONSES
        if sum(_is_rows(field.type) for field in shape(kind).fields) == 1
        and kind.__name__.endswith(("Page", "ListResponse", "VoicesResponse", "Events"))
        and kind.__module__ != "meshapi_core.types.response_events"
    }
    assert lists <= set(PAGES)
    assert len(lists) >= 8


def _is_rows(info: Any) -> bool:
    return isinstance(info, inspect.ListType) and isinstance(
        info.item_type, (inspect.StructType, inspect.DictType)
    )


@each_response
def test_an_unknown_word_is_kept(kind):
    for name in kind.__struct_fields__:
        info = shape(kind)
        field = next(field for field in info.fields if field.name == name)
        members = field.type.types if isinstance(field.type, inspect.UnionType) else (field.type,)
        if any(isinstance(member, (inspect.StrType, inspect.LiteralType)) for member in members):
            assert getattr(received(kind, {name: "of tomorrow"}), name) == "of tomorrow"


def check_usable(response: Any) -> None:
    """The usual operations on a response do not raise."""
    assert repr(response)
    assert response.model_dump() is not None
    assert response.model_dump_json()
    assert response == copy.copy(response)
