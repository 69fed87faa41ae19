"""types.embeddings: all forms of input, and vectors in both forms."""

import base64
import json
import math
import struct
from array import array
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.codec.decoding import decode
from meshapi_core.errors import InvalidParamsError, ResponseDecodeError
from meshapi_core.params.encoding import encode_params
from meshapi_core.types import embeddings
from meshapi_core.types.embeddings import (
    EmbeddingItem,
    EmbeddingsFields,
    EmbeddingsParams,
    EmbeddingsResponse,
    EmbeddingsUsage,
    MultimodalEmbeddingInput,
)
from support.structs import json_objects

RESPONSE = msgspec.json.Decoder(EmbeddingsResponse)
floats32 = st.lists(st.floats(width=32, allow_nan=False))


def sent(**fields: Any) -> Any:
    return json.loads(encode_params(EmbeddingsParams, None, fields, {}))


def test_keywords_are_the_fields_of_the_params():
    assert set(EmbeddingsFields.__annotations__) == set(EmbeddingsParams.__struct_fields__)


# Input


@pytest.mark.parametrize(
    "value",
    [
        "",
        "text",
        [],
        ["a", ""],
        [0, 1],
        [[0], [1, 2], []],
        [{"type": "text", "text": "a"}],
        ["a", 1, [2], {"type": "video_url", "video_url": {"url": "u"}}],
    ],
    ids=repr,
)
def test_every_form_of_input(value):
    assert sent(input=value) == {"input": value}
    body = encode_params(EmbeddingsParams, EmbeddingsParams(input=value), {}, {})
    assert json.loads(body) == {"input": value}


@pytest.mark.parametrize(
    ("value", "message"),
    [
        (None, "input: expected str or list, got None"),
        (5, "input: expected str or list, got int; put it in a list: input=[...]"),
        ({"type": "text"}, "input: expected str or list, got dict; put it in a list: input=[...]"),
        (b"text", "input: expected str or list, got bytes; write x.decode()"),
        (
            ["a", None],
            "input[1]: expected str or int or list or MultimodalEmbeddingInput, got None",
        ),
        (
            [0, 1.5],
            (
                "input[1]: expected int or str or list or MultimodalEmbeddingInput, got "
                "float; write int(x)"
            ),
        ),
        (
            [True],
            (
                "input[0]: expected int or str or list or MultimodalEmbeddingInput, got "
                'bool; write {"type": "...", "text": "..."}'
            ),
        ),
        ([[0], [1, "2"]], "input[1][1]: expected int, got str; write int(x)"),
        (
            [{"type": "text"}, {"text": "a"}],
            'input[1].type: expected str, got nothing; write {"type": "...", "text": "..."}',
        ),
        (
            [{"type": "image_url", "image_url": {"url": 1}}],
            "input[0].image_url.url: expected str, got int; write str(x)",
        ),
        (
            [{"type": "image_url", "image_url": "u"}],
            'input[0].image_url: expected ImageEmbeddingUrl, got str; write {"url": "..."}',
        ),
    ],
)
def test_an_invalid_input_is_refused_by_its_path(value, message):
    with pytest.raises(InvalidParamsError) as caught:
        sent(input=value)
    found, wanted = str(caught.value), message
    if "MultimodalEmbeddingInput" in wanted:
        # The order in which msgspec lists the members of a union does not matter.
        found, wanted = (
            " ".join(sorted(text.replace(",", "").split())) for text in (found, wanted)
        )
    assert found == wanted


@given(json_objects)
def test_objects_keep_what_no_type_knows(unknown):
    """Nested dicts are sent as given."""
    unknown = {f"new_{name}": value for name, value in unknown.items()}
    item = {"type": "image_url", "image_url": {"url": "u", **unknown}, **unknown}
    assert sent(input=[item], provider=unknown) == {"input": [item], "provider": unknown}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"dimensions": 0}, "dimensions: expected int >= 1, got 0"),
        ({"user": "x" * 257}, "user: expected str of length at most 256, got length 257"),
        ({"encoding_format": 8}, "encoding_format: expected str, got int"),
        ({"provider": 5}, "provider: expected str or ProviderPreferences, got int"),
    ],
)
def test_limits(fields, message):
    with pytest.raises(InvalidParamsError) as caught:
        sent(input="a", **fields)
    assert message in str(caught.value)


def test_the_limits_themselves_are_allowed():
    fields = {"input": "a", "dimensions": 1, "user": "x" * 256, "provider": ""}
    assert sent(**fields) == fields


# Vectors


@given(floats32)
def test_a_vector_is_the_same_from_numbers_and_from_base64(numbers):
    wire = base64.b64encode(struct.pack(f"<{len(numbers)}f", *numbers)).decode()
    from_numbers = EmbeddingItem(embedding=numbers).vector()
    from_text = EmbeddingItem(embedding=wire).vector()
    assert from_numbers == from_text == array("f", numbers)
    assert from_text.typecode == "f"
    assert list(from_text) == numbers


def test_numbers_that_do_not_fit_into_32_bits():
    vector = EmbeddingItem(embedding=[0.1, 1e300, 1e-300, 7]).vector()
    assert vector[0] == pytest.approx(0.1)
    assert list(vector[1:]) == [math.inf, 0.0, 7.0]


def test_a_vector_is_made_anew_each_time():
    item = EmbeddingItem(embedding="AACAPw==")
    item.vector()[0] = 5.0
    assert list(item.vector()) == [1.0]


def test_on_a_big_endian_machine_the_bytes_are_swapped(monkeypatch):
    monkeypatch.setattr(embeddings, "_BIG_ENDIAN", not embeddings._BIG_ENDIAN)
    turned = EmbeddingItem(embedding="AACAPw==").vector()
    assert turned.tobytes() == array("f", [1.0]).tobytes()[::-1]


@given(st.binary().filter(lambda data: len(data) % 4))
def test_bytes_that_are_not_whole_floats_are_refused(data):
    item = EmbeddingItem(embedding=base64.b64encode(data).decode())
    with pytest.raises(
        ValueError,
        match=rf"^embedding is {len(data)} bytes, which is not a multiple of 4 \(parse_error\)$",
    ):
        item.vector()


@pytest.mark.parametrize("text", ["AACAP", "AACA=P", "{}", "\u00e4", "AACA%%%="])
def test_text_that_is_not_base64_is_refused(text):
    with pytest.raises(ValueError, match=r"^embedding is not base64"):
        EmbeddingItem(embedding=text).vector()


# Responses


def test_usage_without_counts():
    """With one's own key for the provider, the counts may be missing."""
    usage = decode(b'{"usage":{"byok_used":true}}', RESPONSE).usage
    assert usage == EmbeddingsUsage(byok_used=True)


def received(*rows: Any) -> EmbeddingsResponse:
    response: EmbeddingsResponse = decode(msgspec.json.encode({"data": rows}), RESPONSE)
    return response


@pytest.mark.parametrize(
    ("embedding", "where"),
    [
        ([1.0, None, 3.0], r"\[1\]: expected float, got None"),
        ([None], r"\[0\]: expected float, got None"),
        ([[1.0], [2.0]], r"\[0\]: expected float, got list"),
        ([[1.0, None]], r"\[1\]: expected float, got None"),
        (["one"], r"\[0\]: expected float, got str"),
        ([1.0, True], r"\[1\]: expected float, got bool"),
        ({"0": 1.0}, ": expected list or str, got dict"),
        (5, ": expected list or str, got int"),
        (True, ": expected list or str, got bool"),
    ],
)
def test_a_vector_that_cannot_be_read_is_an_error_and_never_an_empty_one(embedding, where):
    with pytest.raises(ResponseDecodeError, match=rf"data\[1\]\.embedding{where} \(parse_error"):
        received({"embedding": [0.5]}, {"embedding": embedding})


@pytest.mark.parametrize(
    "embedding",
    [[1, 2.5], ["1", "2.5"], [[1.0, 2.5]], "[1.0, 2.5]", "AACAPwAAIEA", "AACA\nPwAAIEA="],
)
def test_other_forms_of_a_vector_are_that_vector(embedding):
    response = received({"embedding": embedding})
    assert list(response.data[0].vector()) == [1.0, 2.5]


@pytest.mark.parametrize("odd", [None, 5, [], [["a"]]])
def test_a_row_without_a_vector_is_an_error_as_the_others_would_move_up(odd):
    with pytest.raises(ResponseDecodeError, match=r"data\[1\]"):
        received({"embedding": [0.5]}, odd, {"embedding": [1.5]})


@given(st.lists(st.sampled_from([{}, {"index": None}, {"index": 0}]), min_size=2, max_size=5))
def test_vectors_without_an_index_keep_their_order(indexes):
    response = received(*({"embedding": [i], **index} for i, index in enumerate(indexes)))
    assert [(row.index, row.embedding) for row in response.data] == [
        (i, [float(i)]) for i in range(len(indexes))
    ]


def test_an_index_in_any_order_and_as_text_is_the_one_that_was_sent():
    response = received({"embedding": [1], "index": "1"}, {"embedding": [0], "index": 0.0})
    assert [row.index for row in response.data] == [1, 0]


@pytest.mark.parametrize(
    "body",
    [
        [{"embedding": [1.0]}, {"embedding": [2.0]}],
        [[1.0], [2.0]],
        {"embeddings": [[1.0], [2.0]]},
        {"data": {"data": [{"embedding": [1.0]}, {"embedding": [2.0]}]}},
    ],
)
def test_vectors_are_found_wherever_the_list_of_them_is(body):
    response = decode(msgspec.json.encode(body), RESPONSE)
    assert [(row.index, row.embedding) for row in response.data] == [(0, [1.0]), (1, [2.0])]


def test_an_input_as_an_object_is_sent_without_what_is_none():
    item = MultimodalEmbeddingInput(type="text", text="")
    assert sent(input=[item]) == {"input": [{"type": "text", "text": ""}]}
