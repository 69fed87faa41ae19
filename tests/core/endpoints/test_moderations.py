"""endpoints.moderations: both forms of a call, and responses with unknown fields."""

import json

import pytest

from meshapi_core.endpoints.moderations import Moderations
from meshapi_core.errors import InvalidParamsError
from meshapi_core.headers import Headers
from meshapi_core.messages import Response
from meshapi_core.types.moderations import ModerationInputItem, ModerationParams

JSON = Headers([("Content-Type", "application/json")])


def test_both_forms_say_the_same():
    by_object = Moderations.create.build(
        ModerationParams(input=[ModerationInputItem(type="text", text="a")])
    )
    by_keyword = Moderations.create.build(input=[{"type": "text", "text": "a"}])
    assert json.loads(by_object.body) == json.loads(by_keyword.body)


def test_input_is_required():
    with pytest.raises(
        InvalidParamsError, match=r"^input: expected str or list, got nothing; write input="
    ):
        Moderations.create.build(model="m")


def test_what_no_type_names_is_in_the_response_at_every_depth():
    body = b'{"results":[{"flagged":true,"reason":"rude"}],"took_ms":5}'
    response = Moderations.create.build(input="a").read(Response(200, JSON, body))
    assert response.took_ms == 5
    assert response.results[0].reason == "rude"
    assert response.model_dump(exclude_defaults=True) == {
        "results": [{"flagged": True, "reason": "rude"}],
        "took_ms": 5,
    }
