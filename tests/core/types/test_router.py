"""types.router: conversations to choose a model for, and choices."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given

from meshapi_core.codec.decoding import decode
from meshapi_core.errors import InvalidParamsError
from meshapi_core.params.encoding import encode_params
from meshapi_core.types.chat import ChatMessage
from meshapi_core.types.router import (
    AutoRouterMeta,
    RouterSelectFields,
    RouterSelectParams,
    RouterSelectResponse,
)
from support.structs import json_objects

MESSAGES = [{"role": "user", "content": "hi"}]


def sent(**fields: Any) -> Any:
    return json.loads(encode_params(RouterSelectParams, None, fields, {}))


def test_keywords_are_the_fields_of_the_params():
    assert set(RouterSelectFields.__annotations__) == set(RouterSelectParams.__struct_fields__)


def test_the_type_of_api_is_always_sent():
    params = RouterSelectParams(messages=[ChatMessage(role="user", content="hi")])
    body = encode_params(RouterSelectParams, params, {}, {})
    assert (
        json.loads(body)
        == sent(messages=MESSAGES)
        == {"messages": MESSAGES, "api_type": "completions"}
    )


@given(json_objects)
def test_messages_keep_what_no_type_knows(unknown):
    message = {**MESSAGES[0], **{f"new_{name}": value for name, value in unknown.items()}}
    assert sent(messages=[message])["messages"] == [message]


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        (
            {},
            (
                'messages: expected list, got nothing; write messages=[{"role": "user", '
                '"content": "..."}]'
            ),
        ),
        ({"messages": []}, "messages: expected list of length at least 1, got length 0"),
        ({"messages": MESSAGES, "api_type": 1}, "api_type: expected str, got int; write str(x)"),
        (
            {"messages": MESSAGES, "candidate_models": ["a", 1]},
            "candidate_models[1]: expected str, got int; write str(x)",
        ),
    ],
)
def test_limits(fields, message):
    with pytest.raises(InvalidParamsError) as caught:
        sent(**fields)
    assert str(caught.value) == message


@pytest.mark.filterwarnings("ignore::meshapi_core.ResponseWarning")
@pytest.mark.parametrize("meta", [b"null", b"{}", b'{"fallback_used":null}', b'"odd"'])
def test_a_choice_without_its_history(meta):
    body = b'{"model":"m","auto_router":' + meta + b"}"
    response = decode(body, msgspec.json.Decoder(RouterSelectResponse))
    assert response == RouterSelectResponse(model="m", auto_router=AutoRouterMeta())
