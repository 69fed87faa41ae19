"""What a request is about."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi.gateway.http.contents import messages_in, model_in, text_in

USER = {"role": "user", "content": "Rain?"}

names = st.sampled_from(["model", "messages", "input", "role", "content", "text", "prompt", "type"])
values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.sampled_from(["user", "Rain?"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4),
    max_leaves=12,
)


@given(values)
def test_nothing_in_a_body_raises(body: Any) -> None:
    assert isinstance(messages_in(body), list)
    assert isinstance(model_in(body), (str, type(None)))
    assert isinstance(text_in(body), (str, type(None)))


@pytest.mark.parametrize(
    ("body", "text"),
    [
        ({"messages": [{"role": "system", "content": "Be brief."}, USER]}, "Rain?"),
        ({"messages": [USER, {"role": "assistant", "content": "Yes."}]}, "Rain?"),
        ({"messages": [USER, {"role": "user", "content": "Snow?"}]}, "Snow?"),
        (
            {
                "messages": [
                    {
                        "role": "user",
                        "content": [
                            {"type": "text", "text": "What"},
                            {"type": "image_url", "image_url": {"url": "data:"}},
                            {"type": "text", "text": "is it?"},
                        ],
                    }
                ]
            },
            "What is it?",
        ),
        ({"messages": [{"role": "system", "content": "Be brief."}]}, None),
        ({"messages": []}, None),
        ({"input": "Rain?"}, "Rain?"),
        ({"input": [USER, {"type": "function_call_output", "output": "7"}]}, "Rain?"),
        ({"input": [{"role": "user", "content": [{"type": "input_text", "text": "R"}]}]}, "R"),
        ({"input": ["rain", "snow"]}, "rain\nsnow"),
        ({"input": [{"type": "text", "text": "rain"}]}, "rain"),
        ({"input": [[1, 2], [3]]}, None),
        ({"prompt": "a cat", "model": "m"}, "a cat"),
        ({"query": "cats"}, "cats"),
        ({"content": [{"type": "text", "text": "a film"}]}, "a film"),
        ({"file_ids": []}, None),
        ([], None),
    ],
)
def test_the_text_is_what_the_user_said_last(body: Any, text: Any) -> None:
    assert text_in(body) == text


def test_messages_of_responses_are_its_items() -> None:
    assert messages_in({"input": "Rain?"}) == [USER]
    assert messages_in({"input": [USER, "x"]}) == [USER]
