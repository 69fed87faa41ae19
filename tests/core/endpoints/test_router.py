"""endpoints.router: both forms of a call, and what is refused before anything is sent."""

import json
from typing import Any

import pytest

from meshapi_core.endpoints.router import Router
from meshapi_core.errors import InvalidParamsError
from meshapi_core.types.chat import ChatMessage
from meshapi_core.types.router import RouterSelectParams


def test_both_forms_say_the_same():
    by_object = Router.select.build(
        RouterSelectParams(messages=[ChatMessage(role="user", content="hi")])
    )
    by_keyword = Router.select.build(messages=[{"role": "user", "content": "hi"}])
    assert json.loads(by_object.body) == json.loads(by_keyword.body)


def test_a_common_mistake_is_told_with_the_way_out():
    messages: Any = "hi"
    with pytest.raises(InvalidParamsError) as caught:
        Router.select.build(messages=messages)
    assert str(caught.value) == (
        'messages: expected list, got str; write messages=[{"role": "user", "content": "..."}]'
    )


def test_a_bad_message_is_refused_at_its_place():
    with pytest.raises(InvalidParamsError, match=r"^messages\[0\]\.role: expected str, got int"):
        Router.select.build(messages=[{"role": 5, "content": "hi"}])


def test_no_messages_are_refused():
    with pytest.raises(InvalidParamsError, match=r"^messages: expected list of length at least 1"):
        Router.select.build(messages=[])
