"""/v1/moderations of the local gateway."""

from typing import Any

import pytest

from meshapi.testing import LocalGateway
from support.gateway_calls import post

PATH = "/v1/moderations"


def test_listed_words_are_flagged_and_the_response_says_that_it_is_a_stub(
    gateway: LocalGateway,
) -> None:
    body = post(gateway, PATH, {"input": "I will KILL you, idiot"}).json()
    (result,) = body["results"]
    assert result["flagged"] is True
    assert {name for name, hit in result["categories"].items() if hit} == {"violence", "harassment"}
    assert result["category_scores"]["violence"] > 0.9 > result["category_scores"]["hate"]
    assert body["id"].startswith("modr-")
    assert body["model"] == "omni-moderation-latest"
    assert body["x_stub"] is True
    assert "stub" in body["x_note"]


@pytest.mark.parametrize(
    ("value", "flags"),
    [
        ("hello", [False]),
        ("skilled bombast", [False]),
        (["hello", "a bomb"], [False, True]),
        (
            [
                {"type": "text", "text": "a bomb"},
                {"type": "image_url", "image_url": {"url": "data:,"}},
            ],
            [True, False],
        ),
    ],
)
def test_each_input_has_a_result(gateway: LocalGateway, value: Any, flags: list[bool]) -> None:
    body = post(gateway, PATH, {"input": value, "model": "openai/omni-moderation-latest"}).json()
    assert [result["flagged"] for result in body["results"]] == flags


@pytest.mark.parametrize(
    ("body", "kind", "where"),
    [
        ({}, "missing", ["input"]),
        ({"input": []}, "too_short", ["input"]),
        ({"input": [5]}, "string_type", ["input", 0]),
        ({"input": [{"type": "sound"}]}, "union_tag_invalid", ["input", 0]),
        ({"input": [{"type": "text"}]}, "missing", ["input", 0, "text"]),
        ({"input": "a", "model": 5}, "string_type", ["model"]),
    ],
)
def test_a_bad_body_is_refused(
    gateway: LocalGateway, body: dict[str, Any], kind: str, where: list[Any]
) -> None:
    assert post(gateway, PATH, body).faults[0] == (kind, ["body", *where])


def test_models_are_checked_and_fail_on_purpose(gateway: LocalGateway) -> None:
    def ask(model: str) -> Any:
        return post(gateway, PATH, {"input": "a", "model": model})

    assert ask("acme/none").code == (404, "model_not_found")
    assert ask("openai/gpt-4o").code == (400, "model_capability_not_supported")
    assert [ask("mesh/flaky").status for _ in range(3)] == [503, 503, 200]
