"""types.templates: fields that are cleared, that stay, and that were never given."""

import copy
import pickle
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.codec.decoding import decode
from meshapi_core.errors import InvalidParamsError
from meshapi_core.params.encoding import build_params, check
from meshapi_core.types.templates import (
    CreateTemplateFields,
    CreateTemplateParams,
    TemplateMessage,
    TemplateSummary,
    UpdateTemplateFields,
    UpdateTemplateParams,
)
from support.structs import json_objects, texts

SUMMARY = msgspec.json.Decoder(TemplateSummary)

changes = st.fixed_dictionaries(
    {},
    optional={
        "name": st.none() | texts,
        "description": st.none() | texts,
        "system": st.none() | texts,
        "messages": st.none() | st.lists(json_objects, max_size=2),
        "model": st.none() | texts,
        "params": st.none() | json_objects,
        "variables": st.none() | st.lists(texts, max_size=2),
    },
)


def sent(params: UpdateTemplateParams) -> Any:
    return build_params(UpdateTemplateParams, params, {}, {})


@pytest.mark.parametrize(
    ("params", "fields"),
    [
        (CreateTemplateParams, CreateTemplateFields),
        (UpdateTemplateParams, UpdateTemplateFields),
    ],
)
def test_keywords_are_the_fields_of_the_params(params, fields):
    assert set(fields.__annotations__) == set(params.__struct_fields__)


class TestAFieldCanBeCleared:
    """None is sent; a field that was not given is not."""

    @given(changes)
    def test_exactly_what_was_given_is_sent(self, given_fields):
        assert sent(UpdateTemplateParams(**given_fields)) == given_fields

    @given(changes)
    def test_it_survives_its_own_dump(self, given_fields):
        params = UpdateTemplateParams(**given_fields)
        assert params.model_dump() == given_fields
        assert UpdateTemplateParams.model_validate(params.model_dump()) == params
        assert UpdateTemplateParams.model_validate_json(params.model_dump_json()) == params

    @given(changes)
    def test_copies_send_the_same(self, given_fields):
        params = UpdateTemplateParams(**given_fields)
        for twin in (copy.copy(params), copy.deepcopy(params), pickle.loads(pickle.dumps(params))):
            assert twin == params
            assert sent(twin) == given_fields

    def test_a_field_that_was_not_given_is_false(self):
        params = UpdateTemplateParams(model="m", system=None)
        assert not params.description
        assert params.description is msgspec.UNSET
        assert params.system is None
        assert repr(params) == "UpdateTemplateParams(system=None, model='m')"

    def test_a_change_of_mind(self):
        params = UpdateTemplateParams(model="m")
        params.model = None
        assert sent(params) == {"model": None}
        assert sent(params.model_copy(update={"name": "n"})) == {"model": None, "name": "n"}

    def test_what_is_wrong_is_named(self):
        with pytest.raises(InvalidParamsError) as caught:
            check({"description": 5}, UpdateTemplateParams)
        assert str(caught.value) == "description: expected str, got int; write str(x)"


def test_a_new_template_leaves_none_out():
    params = CreateTemplateParams(name="n", description=None, variables=[])
    wire = build_params(CreateTemplateParams, params, {}, {})
    assert wire == {"name": "n", "variables": []}


@given(json_objects)
def test_messages_are_sent_as_given(message):
    params = CreateTemplateParams(
        name="n", messages=[message, TemplateMessage(role="user", content="Hi {{name}}")]
    )
    wire = build_params(CreateTemplateParams, params, {}, {})
    assert wire["messages"] == [message, {"role": "user", "content": "Hi {{name}}"}]


@given(json_objects)
def test_messages_come_back_as_dicts(message):
    body = msgspec.json.encode({"messages": [message], "org_id": "o", "creator_email": None})
    response = decode(body, SUMMARY)
    assert response.messages == [message]
    assert (response.org_id, response.creator_email) == ("o", None)
