"""types._base: the methods of every Struct of the API, including open ones at any depth."""

import copy
import json
import pickle
from typing import Any, Optional, Union

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec import UNSET, UnsetType

from meshapi_core.codec.decoding import decode
from meshapi_core.errors import InvalidParamsError, ResponseWarning
from meshapi_core.params.encoding import build_params, encode_params
from meshapi_core.types._base import (
    OpenRecord,
    OpenResponseModel,
    Params,
    Record,
    ResponseList,
    ResponseModel,
    always,
    attach,
)
from support.metas import meta_with
from support.structs import json_objects, json_values


class Part(Record, kw_only=True):
    text: str = ""
    note: Optional[str] = None


class Tool(OpenRecord, kw_only=True, dict=True):
    type: str
    size: Optional[int] = None


class Ask(Params, kw_only=True):
    model: str
    kind: str = always("ask")
    parts: Optional[list[Part]] = None
    tools: Optional[list[Tool]] = None
    extra: Optional[dict[str, Any]] = None
    number: Optional[float] = None
    stream: bool = False


class Change(Params, kw_only=True):
    name: Union[str, None, UnsetType] = UNSET
    note: Optional[str] = None


class Row(OpenRecord, kw_only=True, dict=True):
    name: str = ""
    inner: "Optional[Row]" = None
    rows: "list[Row]" = msgspec.field(default_factory=list)


class Whole(OpenResponseModel, kw_only=True, dict=True):
    id: str = ""
    count: int = 0
    row: Optional[Row] = None
    rows: list[Row] = msgspec.field(default_factory=list)
    by_name: dict[str, Row] = msgspec.field(default_factory=dict)
    parts: list[Part] = msgspec.field(default_factory=list)


class Closed(ResponseModel, kw_only=True, dict=True):
    id: str = ""
    rows: list[Row] = msgspec.field(default_factory=list)


def received(kind: Any, value: Any) -> Any:
    """A response as a call returns it."""
    body = json.dumps(value).encode()
    return attach(decode(body, msgspec.json.Decoder(kind)), body, meta_with("req_1"))


ALL_OF_IT = {
    "id": "a",
    "new": {"deep": [1, None]},
    "nothing": None,
    "row": {"name": "r", "x": 1, "inner": {"y": [2]}},
    "rows": [{"name": "1", "z": 3}, {"name": "2"}],
    "by_name": {"k": {"v": True}},
    "parts": [{"text": "t"}],
}


class TestModelDump:
    def test_every_field_is_there_by_its_name(self):
        ask = Ask(model="m", parts=[Part(text="a")])
        assert ask.model_dump() == {
            "model": "m",
            "kind": "ask",
            "parts": [{"text": "a", "note": None}],
            "tools": None,
            "extra": None,
            "number": None,
            "stream": False,
        }

    def test_none_is_left_out_at_every_depth_but_not_of_plain_dicts(self):
        ask = Ask(
            model="m", parts=[Part(text="a")], tools=[Tool(type="t", x=None)], extra={"a": None}
        )
        assert ask.model_dump(exclude_none=True) == {
            "model": "m",
            "kind": "ask",
            "parts": [{"text": "a"}],
            "tools": [{"type": "t"}],
            "extra": {"a": None},
            "stream": False,
        }

    def test_defaults_are_left_out_at_every_depth(self):
        ask = Ask(model="m", parts=[Part()], extra={"note": None})
        assert ask.model_dump(exclude_defaults=True) == {
            "model": "m",
            "kind": "ask",
            "parts": [{}],
            "extra": {"note": None},
        }

    def test_fields_may_be_chosen_at_the_top(self):
        whole = received(Whole, ALL_OF_IT)
        assert whole.model_dump(include={"id", "new"}) == {"id": "a", "new": {"deep": [1, None]}}
        assert "parts" not in whole.model_dump(exclude=["parts"])
        assert whole.model_dump(include=("id",), exclude=("id",)) == {}

    def test_by_alias_has_no_effect(self):
        ask = Ask(model="m")
        assert ask.model_dump(by_alias=True) == ask.model_dump()
        assert ask.model_dump_json(by_alias=True) == ask.model_dump_json()

    def test_undeclared_fields_are_there_at_any_depth(self):
        dumped = received(Whole, ALL_OF_IT).model_dump()
        assert dumped["new"] == {"deep": [1, None]}
        assert dumped["nothing"] is None
        assert dumped["row"]["x"] == 1
        assert dumped["row"]["inner"]["y"] == [2]
        assert dumped["rows"][0]["z"] == 3
        assert dumped["by_name"]["k"]["v"] is True

    def test_undeclared_fields_follow_exclude_none(self):
        assert "nothing" not in received(Whole, ALL_OF_IT).model_dump(exclude_none=True)

    def test_it_is_a_copy(self):
        extra = {"a": [1]}
        ask = Ask(model="m", extra=extra)
        ask.model_dump()["extra"]["a"].append(2)
        whole = received(Whole, ALL_OF_IT)
        whole.model_dump()["new"]["deep"].clear()
        assert extra == {"a": [1]}
        assert whole.new == {"deep": [1, None]}
        assert whole.raw == ALL_OF_IT

    def test_unset_fields_are_left_out(self):
        assert Change().model_dump() == {"note": None}
        assert Change(name=None).model_dump() == {"name": None, "note": None}
        assert Change().model_dump_json() == '{"note":null}'
        assert Change().model_dump(exclude_none=True, mode="json") == {}
        assert repr(Change()) == "Change()"

    def test_json_mode_refuses_what_json_cannot_hold(self):
        for odd in (float("nan"), b"bytes", {1, 2}, object()):
            ask = Ask(model="m", extra={"a": [odd]})
            assert ask.model_dump()["extra"] == {"a": [odd]}
            with pytest.raises(InvalidParamsError) as caught:
                ask.model_dump(mode="json")
            assert caught.value.field == "extra.a[0]"

    def test_another_mode_is_refused(self):
        with pytest.raises(InvalidParamsError, match="mode"):
            Part().model_dump(mode="yaml")

    def test_as_json(self):
        part = Part(text="ü")
        assert part.model_dump_json() == '{"text":"ü","note":null}'
        assert part.model_dump_json(exclude_none=True) == '{"text":"ü"}'
        assert part.model_dump_json(include={"text"}, indent=2) == '{\n  "text": "ü"\n}'
        whole = received(Whole, ALL_OF_IT)
        assert json.loads(whole.model_dump_json()) == whole.model_dump()

    @given(json_objects)
    def test_undeclared_fields_come_back_unchanged(self, fields):
        whole = received(Whole, {**ALL_OF_IT, "more": fields})
        again = Whole.model_validate_json(whole.model_dump_json())
        assert again == whole
        assert again.more == fields


class TestModelValidate:
    def test_a_mapping_becomes_an_instance_all_the_way_down(self):
        ask = Ask.model_validate({"model": "m", "parts": ({"text": "a"},), "tools": []})
        assert ask == Ask(model="m", parts=[Part(text="a")], tools=[])
        assert isinstance(ask.parts[0], Part)

    def test_an_instance_is_returned_as_it_is(self):
        ask = Ask(model="m")
        assert Ask.model_validate(ask) is ask

    def test_instances_may_stand_in_mappings(self):
        tool = Tool(type="t", x=1)
        assert Ask.model_validate({"model": "m", "tools": [tool]}) == Ask(model="m", tools=[tool])

    def test_open_parts_keep_their_fields(self):
        ask = Ask.model_validate({"model": "m", "tools": [{"type": "t", "x": {"y": 1}}]})
        assert ask.tools[0].x == {"y": 1}
        assert json.loads(encode_params(Ask, ask, {}))["tools"] == [{"type": "t", "x": {"y": 1}}]
        row = Row.model_validate({"rows": [{"a": 1}], "inner": {"inner": {"b": 2}}, "c": 3})
        assert (row.rows[0].a, row.inner.inner.b, row.c) == (1, 2, 3)

    @pytest.mark.parametrize(
        ("fields", "where"),
        [
            ({}, "model"),
            ({"model": 7}, "model"),
            ({"model": "m", "parts": {}}, "parts"),
            ({"model": "m", "parts": [{"text": None}]}, "parts[0].text"),
            ({"model": "m", "tools": [{"size": 1}]}, "tools[0].type"),
            ({"model": "m", "stream": 1}, "stream"),
            ({"model": "m", "modell": "n"}, "modell"),
            ({"model": "m", "number": float("inf")}, "number"),
        ],
    )
    def test_what_is_wrong_is_named(self, fields, where):
        with pytest.raises(InvalidParamsError) as caught:
            Ask.model_validate(fields)
        assert caught.value.field == where

    @pytest.mark.parametrize("other", [None, [], "text", 7, [("model", "m")], Part()])
    def test_other_things_than_mappings_are_refused(self, other):
        for kind in (Ask, Whole, Row, Closed):
            with pytest.raises(InvalidParamsError, match=kind.__name__):
                kind.model_validate(other)

    def test_responses_are_read_as_leniently_as_the_servers(self):
        with pytest.warns(ResponseWarning, match=r"rows\[\]: expected dict, got int"):
            closed = Closed.model_validate(
                {"id": None, "rows": [7, {"name": None, "x": 1}], "y": 2}
            )
        assert closed == Closed(rows=[Row(x=1)])
        assert closed.raw == {"id": None, "rows": [7, {"name": None, "x": 1}], "y": 2}
        with pytest.warns(ResponseWarning, match="count: expected int, got str"):
            whole = Whole.model_validate({"count": "many", "y": 2})
        assert (whole.count, whole.y, whole.raw) == (0, 2, {"count": "many", "y": 2})

    @pytest.mark.parametrize("text", ["", "{", "nonsense", b"\xff", b"", "[" * 100_000])
    def test_invalid_json_is_refused(self, text):
        for kind in (Ask, Whole):
            with pytest.raises(InvalidParamsError, match="JSON"):
                kind.model_validate_json(text)

    @pytest.mark.parametrize("text", [7, None, {"model": "m"}, ["{}"]])
    def test_anything_but_text_is_refused(self, text):
        with pytest.raises(InvalidParamsError, match="JSON"):
            Ask.model_validate_json(text)

    def test_half_a_character_is_refused(self):
        with pytest.raises(InvalidParamsError):
            Ask.model_validate_json('{"model": "\ud83d"}')

    def test_json_of_another_kind_is_refused(self):
        for text in ("[]", "null", "7", '"model"'):
            with pytest.raises(InvalidParamsError):
                Whole.model_validate_json(text)

    def test_json_may_be_text_or_bytes(self):
        for text in ('{"model":"m"}', b'{"model":"m"}', bytearray(b' {"model":"m"}\n')):
            assert Ask.model_validate_json(text) == Ask(model="m")

    def test_a_value_that_contains_itself_is_refused(self):
        circle: dict[str, Any] = {"model": "m"}
        circle["extra"] = circle
        for kind in (Ask, Whole):
            with pytest.raises(InvalidParamsError, match="nested too deeply"):
                kind.model_validate(circle)


class TestModelCopy:
    def test_a_copy_is_shallow_and_has_the_given_changes(self):
        parts = [Part()]
        ask = Ask(model="m", parts=parts)
        twin = ask.model_copy(update={"model": "n"})
        assert (ask.model, twin.model) == ("m", "n")
        assert twin.parts is parts

    def test_a_deep_copy_shares_nothing(self):
        ask = Ask(model="m", parts=[Part(text="a")], tools=[Tool(type="t", x=[1])])
        twin = ask.model_copy(deep=True)
        assert twin == ask
        twin.parts[0].text = "b"
        twin.tools[0].x.append(2)
        assert (ask.parts[0].text, ask.tools[0].x) == ("a", [1])

    def test_an_unknown_name_is_refused(self):
        for record in (Ask(model="m"), Part(), Closed()):
            with pytest.raises(InvalidParamsError) as caught:
                record.model_copy(update={"modell": "n"})
            assert caught.value.field == "modell"

    def test_open_ones_take_any_name(self):
        tool = Tool(type="t", x=1)
        twin = tool.model_copy(update={"x": 2, "y": 3, "size": 4})
        assert twin.model_dump() == {"type": "t", "size": 4, "x": 2, "y": 3}
        assert tool.model_dump() == {"type": "t", "size": None, "x": 1}

    def test_a_response_keeps_what_was_sent(self):
        for deep in (False, True):
            twin = received(Whole, ALL_OF_IT).model_copy(update={"id": "b"}, deep=deep)
            assert (twin.id, twin.raw, twin._request_id) == ("b", ALL_OF_IT, "req_1")
            assert twin.model_dump()["id"] == "b"


class TestOpenRecords:
    def test_undeclared_fields_are_attributes_and_take_part_in_comparisons(self):
        tool = Tool(type="t", x=1)
        assert tool.x == 1
        assert tool == Tool(x=1, type="t")
        assert tool != Tool(type="t", x=2) != Tool(type="t")
        assert tool != Part()
        assert "x" in dir(tool)
        assert not hasattr(tool, "y")

    def test_a_missing_attribute_says_so_as_usual(self):
        with pytest.raises(AttributeError, match=r"'Tool' object has no attribute 'y'"):
            _ = Tool(type="t").y

    def test_attributes_may_be_set_and_removed(self):
        tool = Tool(type="t")
        twin = copy.copy(tool)
        tool.x = 1
        tool.size = 2
        assert tool.model_dump() == {"type": "t", "size": 2, "x": 1}
        assert json.loads(encode_params(Ask, None, {"model": "m", "tools": [tool]}))["tools"] == [
            {"type": "t", "size": 2, "x": 1}
        ]
        assert twin.model_dump() == {"type": "t", "size": None}
        del tool.x
        assert tool.model_dump() == {"type": "t", "size": 2}
        with pytest.raises(AttributeError):
            del tool.x

    @pytest.mark.parametrize(
        "names",
        [["cls", "self", "args", "fields"], ["_raw", "_sent", "_extra"], ["model_extra", "dict"]],
    )
    def test_any_name_can_be_given(self, names):
        tool = Tool(type="t", **dict.fromkeys(names, 1))
        assert tool.model_dump() == {"type": "t", "size": None, **dict.fromkeys(names, 1)}
        assert tool.model_extra == dict.fromkeys(names, 1)

    def test_other_mappings_that_contain_them_lose_nothing(self):
        from collections import OrderedDict, UserDict
        from types import MappingProxyType

        fields: Any = {"model": "m", "extra": {"a": [Tool(type="t", x=1)]}}
        for kind in (OrderedDict, UserDict, MappingProxyType):
            plain = build_params(Ask, None, {**fields, "extra": kind(fields["extra"])}, {})
            assert plain["extra"] == {"a": [{"type": "t", "x": 1}]}

    def test_a_required_field_is_still_required(self):
        with pytest.raises(TypeError):
            Tool(x=1)

    def test_they_cannot_be_hashed_like_other_structs(self):
        with pytest.raises(TypeError):
            hash(Tool(type="t"))


MARKS = [
    "raw", "meta", "model_dump", "model_validate", "model_copy", "model_extra", "_raw", "_sent",
    "_extra", "_kept", "_request_id", "__class__", "__dict__", "__struct_fields__", "self", "cls",
    "", "__getattr__", "_set", "fields",
]  # fmt: skip


class TestOddNames:
    @pytest.mark.parametrize("name", MARKS)
    @pytest.mark.parametrize("value", [None, 7, {"a": 1}, [b"x".decode(), "y"]])
    def test_a_field_of_the_server_named_like_ours_does_no_harm(self, name, value):
        sent = {"id": "a", name: value, "rows": [{name: value}]}
        for kind in (Whole, Closed):
            response = received(kind, sent)
            for one in (response, copy.copy(response), pickle.loads(pickle.dumps(response))):
                assert type(one) is kind
                assert one.id == "a"
                assert one.raw == sent
                assert one._request_id == "req_1"
                assert one.rows[0].model_dump()[name] == value
                assert one.rows[0].model_extra == {name: value}
                assert one == response
                repr(one)
        whole = received(Whole, sent)
        assert whole.model_extra == {name: value}
        assert whole.model_dump()[name] == value
        assert json.loads(whole.model_dump_json())[name] == value

    @given(st.dictionaries(st.sampled_from(MARKS) | st.text(max_size=3), json_values, max_size=5))
    def test_no_name_does_harm(self, fields):
        if fields.keys() & {"id", "count", "row", "rows", "by_name", "parts", "name", "inner"}:
            return
        whole = received(Whole, {"id": "a", **fields, "row": fields})
        assert whole.model_extra == whole.row.model_extra == fields
        assert pickle.loads(pickle.dumps(whole)) == copy.deepcopy(whole) == whole
        assert Whole.model_validate(whole.model_dump()) == whole


class TestCopies:
    @pytest.mark.parametrize(
        "make", [copy.copy, copy.deepcopy, lambda value: pickle.loads(pickle.dumps(value))]
    )
    @pytest.mark.parametrize("looked_at", [False, True])
    def test_what_is_attached_survives(self, make, looked_at):
        whole = received(Whole, ALL_OF_IT)
        if looked_at:
            assert whole.raw
            assert whole.model_extra
        twin = make(whole)
        assert twin == whole
        assert (twin.raw, twin.new, twin._request_id) == (ALL_OF_IT, {"deep": [1, None]}, "req_1")
        assert twin.row.inner.y == [2]
        assert make(whole.rows[0]).z == 3

    def test_every_pickle_protocol_works(self):
        for protocol in range(pickle.HIGHEST_PROTOCOL + 1):
            whole = received(Whole, ALL_OF_IT)
            twin = pickle.loads(pickle.dumps(whole, protocol))
            assert (twin, twin.raw) == (whole, ALL_OF_IT)

    def test_a_pickled_response_contains_its_body_once(self):
        text = "x" * 100_000
        whole = received(Whole, {"id": "a", "new": text})
        assert whole.raw
        assert len(pickle.dumps(whole)) < 150_000

    def test_extra_fields_of_a_copy_are_its_own(self):
        tool = Tool(type="t", x=1)
        twin = copy.copy(tool)
        twin.x = 2
        assert (tool.x, twin.x) == (1, 2)

    def test_attached_bytes_take_no_part_in_comparisons(self):
        one = received(Closed, {"id": "a", "x": 1})
        assert one == received(Closed, {"id": "a", "x": 2}) == Closed(id="a")
        assert received(Whole, {"id": "a", "x": 1}) != received(Whole, {"id": "a", "x": 2})


class TestLenientResponses:
    def test_open_parts_keep_their_own_fields_when_rows_are_dropped(self):
        sent = {
            "count": "odd",
            "rows": [7, {"name": None, "x": 1}, "no", {"name": "2", "x": 2, "rows": [0, {"y": 3}]}],
            "by_name": {"a": 1, "b": {"x": 4}},
            "row": {"name": 5, "inner": {"inner": {"rows": None, "x": 6}}},
            "new": 8,
        }
        with pytest.warns(ResponseWarning) as caught:
            whole = received(Whole, sent)
        lost = ["count", "rows[]", "rows[]", "rows[].rows[]", "by_name.*"]
        assert [str(w.message).split("; ")[1].split(":")[0] for w in caught] == lost
        assert [row.x for row in whole.rows] == [1, 2]
        assert whole.rows[1].rows[0].y == 3
        assert whole.by_name["b"].x == 4
        assert whole.row.inner.inner.x == 6
        assert whole.new == 8
        assert whole.raw == sent

    def test_a_closed_response_hands_down_too(self):
        with pytest.warns(ResponseWarning, match=r"rows\[\]: expected dict, got int"):
            closed = received(Closed, {"rows": [{"x": 1}, 2, {"x": 3}]})
        assert [row.x for row in closed.rows] == [1, 3]


class TestLists:
    def test_rows_with_the_json_that_was_sent(self):
        rows = attach(ResponseList([Part(text="a")]), b'[{"text":"a","x":1}]', meta_with("req_1"))
        assert rows == [Part(text="a")]
        for one in (rows, copy.copy(rows), copy.deepcopy(rows), pickle.loads(pickle.dumps(rows))):
            assert type(one) is ResponseList
            assert one == rows
            assert one.raw == [{"text": "a", "x": 1}]
            assert one._request_id == "req_1"

    def test_a_list_that_no_server_sent(self):
        assert ResponseList().raw is None
        assert ResponseList()._request_id == ""


class TestRepr:
    def test_only_fields_that_are_not_at_their_defaults(self):
        assert repr(Part()) == "Part()"
        assert repr(Ask(model="m", parts=[Part(text="a")])) == (
            "Ask(model='m', kind='ask', parts=[Part(text='a')])"
        )
        assert repr(Tool(type="t", x=[None])) == "Tool(type='t', x=[None])"

    def test_an_image_in_base64_is_cut_short(self):
        part = Part(text="A" * 10_000_000)
        assert len(repr(part)) < 300
        assert "10000000 characters" in repr(part)
        assert len(repr(Ask(model="m", extra={"image": {"b64": part.text}}))) < 400

    def test_a_vector_is_cut_short(self):
        shown = repr(Ask(model="m", extra={"v": [0.123] * 1536}))
        assert len(shown) < 200
        assert "1536 rows" in shown

    def test_the_query_of_a_url_is_not_shown(self):
        for url in ("https://x.example/f?sig=secret", "HTTP://x.example?sig=secret"):
            shown = repr(Ask(model=url, extra={"u": [url]}, tools=[Tool(type="t", u=url)]))
            assert "secret" not in shown
            assert "x.example" in shown

    @pytest.mark.parametrize(
        "odd",
        [
            10**5000,
            tuple(range(10_000)),
            set(range(10_000)),
            range(10**9),
            b"x" * 10_000,
            {"k" * 10_000: 1},
            dict.fromkeys(map(str, range(10_000)), "v" * 100),
            [[[[[["x" * 190] * 9] * 9] * 9] * 9] * 9] * 9,
        ],
        ids=lambda odd: type(odd).__name__,
    )
    def test_nothing_prints_long(self, odd):
        assert len(repr(Ask(model="m", extra={"a": odd}))) < 10_000
        assert len(repr(Tool(type="t", a=odd, **{"n" * 10_000: 1}))) < 10_000
        many = {f"n{i}": i for i in range(1000)}
        assert len(repr(Tool(type="t", **many))) < 1000

    def test_a_value_that_contains_itself_prints(self):
        circle: list[Any] = []
        circle.append(circle)
        assert "rows" in repr(Ask(model="m", extra={"a": circle}))
