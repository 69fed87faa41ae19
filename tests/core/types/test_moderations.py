"""types.moderations: all forms of input, and responses with undeclared fields."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given

from meshapi_core.codec.decoding import decode
from meshapi_core.errors import InvalidParamsError, ResponseDecodeError, ResponseWarning
from meshapi_core.params.encoding import encode_params
from meshapi_core.types.moderations import (
    ModerationFields,
    ModerationInputItem,
    ModerationParams,
    ModerationResponse,
    ModerationResult,
)
from support.structs import json_objects

RESPONSE = msgspec.json.Decoder(ModerationResponse)


def sent(value: Any) -> Any:
    body = json.loads(encode_params(ModerationParams, None, {"input": value}, {}))
    assert body.pop("model") == "omni-moderation-latest"
    return body["input"]


def test_keywords_are_the_fields_of_the_params():
    assert set(ModerationFields.__annotations__) == set(ModerationParams.__struct_fields__)


def test_the_model_is_always_sent_by_an_object():
    body = encode_params(ModerationParams, ModerationParams(input=""), {}, {})
    assert json.loads(body) == {"input": "", "model": "omni-moderation-latest"}


@pytest.mark.parametrize(
    "value", ["", "a", [], ["a", ""], [{"type": "text", "text": "a"}, "b"]], ids=repr
)
def test_every_form_of_input(value):
    assert sent(value) == value


@given(json_objects)
def test_items_keep_what_no_type_knows(unknown):
    unknown = {f"new_{name}": value for name, value in unknown.items()}
    item = {"type": "image_url", "image_url": {"url": "u", **unknown}, **unknown}
    typed = ModerationInputItem(type="text", text="t")
    assert sent([item, typed]) == [item, {"type": "text", "text": "t"}]


@pytest.mark.parametrize(
    ("value", "place"),
    [
        (5, "input"),
        (["a", None], "input[1]"),
        ([{"type": "text"}, {"type": 5}], "input[1].type"),
        ([{"type": "image_url", "image_url": {}}], "input[0].image_url.url"),
    ],
)
def test_an_invalid_input_is_refused_by_its_path(value, place):
    with pytest.raises(InvalidParamsError) as caught:
        sent(value)
    assert caught.value.field == place


def test_unknown_fields_are_attributes_at_every_depth():
    body = msgspec.json.encode(
        {"id": "m", "results": [{"flagged": True, "applied": {"violence": ["text"]}}], "cost": "0"}
    )
    response = decode(body, RESPONSE)
    assert response.results[0].applied == {"violence": ["text"]}
    assert response.results == [ModerationResult(flagged=True, applied={"violence": ["text"]})]
    assert response.results[0].model_dump(exclude_defaults=True) == {
        "flagged": True,
        "applied": {"violence": ["text"]},
    }


def test_scores_and_categories_of_other_kinds_do_not_break_the_rest():
    rows = [{"categories": {"a": True, "b": None}, "category_scores": {"a": 1, "b": "x"}}]
    with pytest.warns(ResponseWarning, match=r"results\[\].category_scores.\*: expected float"):
        response = decode(msgspec.json.encode({"results": rows}), RESPONSE)
    (result,) = response.results
    assert (result.categories, result.category_scores) == ({"a": True}, {"a": 1.0})
    assert result.flagged is False
    # Each row is about one text: without this row, the next would be about the wrong text.
    with pytest.raises(ResponseDecodeError, match=r"results\[1\]: expected dict, got None"):
        decode(msgspec.json.encode({"results": [*rows, None, *rows]}), RESPONSE)
