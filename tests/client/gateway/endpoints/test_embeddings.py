"""/v1/embeddings of the local gateway."""

import base64
import math
import struct
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi.gateway.content.vectors import vector_of
from meshapi.testing import LocalGateway
from support.gateway_calls import Response, post

PATH = "/v1/embeddings"


def embed(gateway: LocalGateway, value: Any, **members: Any) -> Response:
    return post(gateway, PATH, {"input": value, **members})


def vectors(response: Response) -> list[Any]:
    assert response.status == 200, response.body
    return [item["embedding"] for item in response.json()["data"]]


def closeness(one: Any, other: Any) -> float:
    return sum(a * b for a, b in zip(one, other))


@given(st.text(), st.integers(min_value=1, max_value=64))
def test_any_text_has_a_vector_of_length_one_in_32_bits(text: str, dimensions: int) -> None:
    vector = vector_of(text, dimensions)
    assert len(vector) == dimensions
    assert math.isclose(math.hypot(*vector), 1, abs_tol=1e-5) or not any(vector)
    assert struct.unpack(f"<{dimensions}f", struct.pack(f"<{dimensions}f", *vector)) == vector
    assert vector_of(text, dimensions) == vector


def test_texts_with_words_in_common_are_close() -> None:
    cat, cats, weather = (
        vector_of(text, 1536)
        for text in ("the cat sat on the mat", "a cat sat down", "rain is expected tomorrow")
    )
    assert closeness(cat, cats) > closeness(cat, weather) + 0.1
    assert closeness(cat, vector_of("mat the on sat cat the", 1536)) < 1


def test_responses_have_every_documented_member(gateway: LocalGateway) -> None:
    body = embed(gateway, ["hello world", "bye"], model="openai/text-embedding-3-large").json()
    assert (body["object"], body["model"]) == ("list", "openai/text-embedding-3-large")
    assert [(item["object"], item["index"]) for item in body["data"]] == [
        ("embedding", 0),
        ("embedding", 1),
    ]
    assert {len(item["embedding"]) for item in body["data"]} == {1536}
    assert body["usage"] == {"prompt_tokens": 3, "total_tokens": 3}
    assert embed(gateway, "hi").json()["model"] == "openai/text-embedding-3-small"
    assert embed(gateway, "hi", model="auto").json()["model"] == "openai/text-embedding-3-small"


@pytest.mark.parametrize(
    ("value", "count", "tokens"),
    [
        ("one two", 1, 2),
        (["one", "two three"], 2, 3),
        ([1, 2, 3], 1, 3),
        ([[1], [2, 3]], 2, 3),
        (
            [
                {"type": "text", "text": "one two"},
                {"type": "image_url", "image_url": {"url": "data:,"}},
                {"type": "video_url", "video_url": {"url": "https://example.com/a.mp4"}},
            ],
            3,
            4,
        ),
        ("", 1, 0),
        ("\ud83d", 1, 1),
    ],
)
def test_every_kind_of_input_is_embedded(
    gateway: LocalGateway, value: Any, count: int, tokens: int
) -> None:
    response = embed(gateway, value, dimensions=8)
    assert len({tuple(vector) for vector in vectors(response)}) == count
    assert response.json()["usage"]["total_tokens"] == tokens


def test_the_same_input_has_the_same_vector_in_any_company(gateway: LocalGateway) -> None:
    alone = vectors(embed(gateway, "hello"))[0]
    assert vectors(embed(gateway, ["other", "hello"]))[1] == alone


@pytest.mark.parametrize("dimensions", [1, 3, 1536, 8192])
def test_base64_holds_the_same_floats(gateway: LocalGateway, dimensions: int) -> None:
    (floats,) = vectors(embed(gateway, "hello", dimensions=dimensions, encoding_format="float"))
    (text,) = vectors(embed(gateway, "hello", dimensions=dimensions, encoding_format="base64"))
    data = base64.b64decode(text, validate=True)
    assert list(struct.unpack(f"<{dimensions}f", data)) == floats


@pytest.mark.parametrize(
    ("body", "kind", "where"),
    [
        ({}, "missing", ["input"]),
        ({"input": 5}, "list_type", ["input"]),
        ({"input": []}, "too_short", ["input"]),
        ({"input": [[]]}, "too_short", ["input", 0]),
        ({"input": ["a", 1]}, "string_type", ["input", 1]),
        ({"input": [1, "a"]}, "int_type", ["input", 1]),
        ({"input": [-1]}, "greater_than_equal", ["input", 0]),
        ({"input": ["x"] * 2049}, "too_long", ["input"]),
        ({"input": [{"type": "smell"}]}, "union_tag_invalid", ["input", 0]),
        ({"input": [{"type": "image_url"}]}, "missing", ["input", 0, "image_url"]),
        ({"input": "a", "dimensions": 0}, "greater_than_equal", ["dimensions"]),
        ({"input": "a", "encoding_format": "hex"}, "literal_error", ["encoding_format"]),
        ({"input": "a", "provider": 5}, "model_attributes_type", ["provider"]),
        (
            {"input": "a", "provider": {"data_collection": "some"}},
            "literal_error",
            ["provider", "data_collection"],
        ),
    ],
)
def test_a_bad_body_is_refused(
    gateway: LocalGateway, body: dict[str, Any], kind: str, where: list[Any]
) -> None:
    assert post(gateway, PATH, body).faults[0] == (kind, ["body", *where])


def test_long_lists_of_tokens_are_one_input(gateway: LocalGateway) -> None:
    assert len(vectors(embed(gateway, list(range(3000)), dimensions=2))) == 1


def test_models_are_checked_and_fail_on_purpose(gateway: LocalGateway) -> None:
    assert embed(gateway, "a", model="acme/none").code == (404, "model_not_found")
    wrong = embed(gateway, "a", model="openai/gpt-4o")
    assert wrong.code == (400, "model_capability_not_supported")
    limited = embed(gateway, "a", model="mesh/rate-limited")
    assert limited.code == (429, "rate_limit_exceeded")
    flaky = [embed(gateway, "a", model="mesh/flaky", user="ann") for _ in range(3)]
    assert [response.status for response in flaky] == [503, 503, 200]
    assert embed(gateway, "a", model="mesh/broken-stream").broken


def test_sparse_embeddings_are_not_implemented(gateway: LocalGateway) -> None:
    response = embed(gateway, "a", sparse_embedding={"type": "enabled"})
    assert response.code == (501, "not_implemented")
