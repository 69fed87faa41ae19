"""endpoints.templates: fields that are cleared, in every call form."""

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.endpoints.templates import Templates
from meshapi_core.errors import InvalidParamsError
from meshapi_core.headers import Headers
from meshapi_core.messages import Response
from meshapi_core.types.templates import (
    CreateTemplateParams,
    TemplateMessage,
    UpdateTemplateParams,
)
from support.structs import json_objects, texts

BY_ID = [Templates.get.build, Templates.update.build, Templates.delete.build]

ITSELF: dict[str, Any] = {}
ITSELF["itself"] = ITSELF

changes = st.fixed_dictionaries(
    {},
    optional={
        "name": st.none() | texts,
        "description": st.none() | texts,
        "messages": st.none() | st.lists(json_objects, max_size=2),
        "params": st.none() | json_objects,
        "variables": st.none() | st.lists(texts, max_size=2),
    },
)


def updated(*args: Any, **kwargs: Any) -> Any:
    return json.loads(Templates.update.build("t", *args, **kwargs).body)


class TestT6AFieldCanBeCleared:
    """In other clients `description=None` sent nothing, so that a field could never be cleared."""

    @given(changes)
    def test_every_call_form_sends_exactly_what_is_given(self, fields):
        assert updated(**fields) == fields
        assert updated(UpdateTemplateParams(**fields)) == fields
        assert updated(params=UpdateTemplateParams(**fields)) == fields

    def test_a_program_that_names_both_arguments(self):
        changes = UpdateTemplateParams(description=None)
        call = Templates.update.build(template_id="t", params=changes)
        assert call == Templates.update.build("t", changes)

    def test_structs_in_keywords(self):
        message = TemplateMessage(role="user", content="Hi")
        wire = [{"role": "user", "content": "Hi"}]
        assert updated(messages=[message], system=None) == {"messages": wire, "system": None}


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {"description": 5}, "description: expected str, got int"),
        ((), {"description": b"x"}, "description: expected str, got bytes; write x.decode()"),
        (
            (),
            {"team_id": "t"},
            (
                "team_id: no such parameter; the parameters are description, messages, model, "
                "name, system and variables"
            ),
        ),
        (
            (),
            {"team_id": None},
            (
                "team_id: no such parameter; the parameters are description, messages, model, "
                "name, system and variables"
            ),
        ),
        ((), {"params": ITSELF}, "params: nested too deeply, or contains itself"),
        ((), {"messages": ["hi"]}, "messages[0]: expected dict, got str"),
        ((), {"params": CreateTemplateParams(name="n"), "name": 5}, "name: expected str, got int"),
        (
            ({"name": "n"},),
            {},
            "params: expected UpdateTemplateParams, got dict; pass it as keywords: **params",
        ),
        ((CreateTemplateParams(name="n"),), {}, "expected UpdateTemplateParams, got CreateT"),
        (
            (UpdateTemplateParams(),),
            {"name": "n"},
            "given together with params",
        ),
        (
            (),
            {"params": UpdateTemplateParams(), "name": "n"},
            "given together with params",
        ),
        ((UpdateTemplateParams(name=5),), {}, "name: expected str, got int"),
        ((), {"params": UpdateTemplateParams(name=b"n")}, "name: expected str, got bytes"),
    ],
)
def test_wrong_changes_are_named(args, kwargs, message):
    with pytest.raises(InvalidParamsError) as caught:
        updated(*args, **kwargs)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("args", "kwargs", "message"),
    [
        ((), {}, "name: expected str, got "),
        ((), {"name": None}, "name: expected str, got "),
        ((), {"params": {"a": 1}}, "name: expected str, got "),
        ((UpdateTemplateParams(name="n"),), {}, "expected CreateTemplateParams, got UpdateT"),
        (
            (),
            {"params": CreateTemplateParams(name="n"), "model": "m"},
            "given together with params",
        ),
    ],
)
def test_a_wrong_template_is_refused(args, kwargs, message):
    with pytest.raises(InvalidParamsError) as caught:
        Templates.create.build(*args, **kwargs)
    assert message in str(caught.value)


@pytest.mark.parametrize("build", BY_ID)
@pytest.mark.parametrize("bad", ["", ".", "..", 5])
def test_an_id_that_leads_elsewhere_is_refused(build, bad):
    """Other clients fetched the list for `get("")`, and the catalogue for `get("../models")`."""
    with pytest.raises(InvalidParamsError, match=r"^template_id: "):
        build(bad)


@pytest.mark.parametrize("body", [b"", b'{"deleted":true}', b"<html>"])
@pytest.mark.parametrize("status", [200, 202, 204])
def test_whatever_a_success_says_a_template_is_deleted(status, body):
    """Other clients raised an error for a 2xx without a body."""
    assert Templates.delete.build("t").read(Response(status, Headers([]), body)) is None
