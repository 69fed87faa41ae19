"""types.images: limits, what is always sent, and the bytes of images."""

import base64
import json
from typing import Any
from urllib.parse import quote_from_bytes

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.codec.decoding import decode
from meshapi_core.errors import InvalidParamsError, ResponseDecodeError, ResponseWarning
from meshapi_core.params.encoding import encode_params
from meshapi_core.types.images import (
    ImageEditFields,
    ImageEditParams,
    ImageGenerationChunk,
    ImageGenerationFields,
    ImageGenerationParams,
    ImageGenerationResponse,
    ImageItem,
    ImageUsage,
)
from support.structs import json_objects

RESPONSE = msgspec.json.Decoder(ImageGenerationResponse)


def generation(**fields: Any) -> Any:
    return json.loads(encode_params(ImageGenerationParams, None, {"prompt": "p", **fields}, {}))


def edit(**fields: Any) -> Any:
    required = {"model": "m", "image": "data:,"}
    return json.loads(encode_params(ImageEditParams, None, {**required, **fields}, {}))


def test_keywords_are_the_fields_of_the_params_but_for_stream():
    names = set(ImageGenerationParams.__struct_fields__) - {"stream"}
    assert set(ImageGenerationFields.__annotations__) == names
    assert set(ImageEditFields.__annotations__) == set(ImageEditParams.__struct_fields__)


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"output_compression": 101}, "output_compression: expected int <= 100, got 101"),
        ({"output_compression": -1}, "output_compression: expected int >= 0, got -1"),
        ({"partial_images": 4}, "partial_images: expected int <= 3, got 4"),
        ({"seed": -2}, "seed: expected int >= -1, got -2"),
        ({"seed": 2**31}, "seed: expected int <= 2147483647, got 2147483648"),
        ({"guidance_scale": 0.5}, "guidance_scale: expected float >= 1, got 0.5"),
        ({"guidance_scale": 10.1}, "guidance_scale: expected float <= 10, got 10.1"),
        ({"output_format": 5}, "output_format: expected str, got int"),
        ({"image": ["a", 5]}, "image[1]: expected str, got int"),
        (
            {"image": b"\x89PNG"},
            (
                'image: expected str or list, got bytes; write "data:image/png;base64," + '
                "base64.b64encode(x).decode()"
            ),
        ),
    ],
)
def test_limits_of_a_generation(fields, message):
    with pytest.raises(InvalidParamsError) as caught:
        generation(**fields)
    assert message in str(caught.value)


@pytest.mark.parametrize(
    "fields",
    [
        {"output_compression": 0, "partial_images": 0, "seed": -1, "guidance_scale": 1},
        {"output_compression": 100, "partial_images": 3, "seed": 2**31 - 1, "guidance_scale": 10},
        {"image": "data:,"},
        {"image": []},
    ],
)
def test_the_limits_themselves_are_allowed(fields):
    assert generation(**fields) == {"prompt": "p", **fields}


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"operation": 5}, "operation: expected str, got int"),
        ({"image": {"uri": "u"}}, "image.url: expected str, got nothing"),
        ({"reference_images": ["a", 5]}, "reference_images[1]: expected "),
        ({"reference_images": [{"url": None}]}, "reference_images[0].url: expected str, got None"),
        ({"expand_factor": []}, "expand_factor: expected "),
    ],
)
def test_limits_of_an_edit(fields, message):
    with pytest.raises(InvalidParamsError) as caught:
        edit(**fields)
    assert message in str(caught.value)


def test_prompt_and_operation_are_always_sent():
    params = ImageEditParams(model="m", image="data:,")
    wire = {"model": "m", "image": "data:,", "prompt": "", "operation": "edit"}
    assert json.loads(encode_params(ImageEditParams, params, {}, {})) == edit() == wire


@given(json_objects)
def test_images_to_edit_keep_what_no_type_knows(unknown):
    image = {"url": "data:,", **{f"new_{name}": value for name, value in unknown.items()}}
    sent = edit(image=image, mask=image, reference_images=[image])
    assert (sent["image"], sent["mask"], sent["reference_images"]) == (image, image, [image])


# The bytes of an image


@given(st.binary(min_size=1))
def test_base64_in_either_place_is_the_image(data):
    text = base64.b64encode(data).decode()
    assert ImageItem(b64_json=text).image_bytes() == data
    assert ImageItem(url=f"data:image/png;base64,{text}").image_bytes() == data


@given(st.binary())
def test_a_data_url_may_be_percent_encoded(data):
    assert ImageItem(url=f"data:image/svg+xml,{quote_from_bytes(data)}").image_bytes() == data
    text = quote_from_bytes(base64.b64encode(data), safe="")
    assert ImageItem(url=f"data:image/png;base64,{text}").image_bytes() == data


@pytest.mark.parametrize(
    "head", ["data:;base64,", "DATA:image/png;BASE64,", "data:image/png;name=a; base64 ,"]
)
def test_every_spelling_of_a_data_url(head):
    assert ImageItem(url=f"{head}AAE=").image_bytes() == b"\x00\x01"


def test_base64_comes_before_a_link():
    item = ImageItem(b64_json="AAE=", url="https://x.test/1.png")
    assert item.image_bytes() == b"\x00\x01"


@pytest.mark.parametrize("scheme", ["https", "http", "HTTPS", "asset", "file"])
def test_a_link_is_not_followed_and_its_query_is_not_shown(scheme):
    item = ImageItem(url=f"{scheme}://x.test/1.png?signature=s3cret")
    with pytest.raises(
        ValueError, match=r'only a link .* pass response_format="b64_json"'
    ) as caught:
        item.image_bytes()
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize("item", [ImageItem(), ImageItem(url="", b64_json="")])
def test_no_image_is_refused(item):
    with pytest.raises(
        ValueError, match=r"^the response has no image: b64_json and url are empty$"
    ):
        item.image_bytes()


@pytest.mark.parametrize(
    ("item", "message"),
    [
        (ImageItem(b64_json="AAEAA"), r"^b64_json is not base64 \(5 characters\)"),
        (ImageItem(url="data:image/png;base64,A%E="), "^the image's url is not base64"),
        (ImageItem(url="data:image/png;base64"), "has no comma$"),
    ],
)
def test_broken_images_are_refused(item, message):
    with pytest.raises(ValueError, match=message):
        item.image_bytes()


# Responses


def test_usage_under_the_names_of_openai():
    """Without the three counts that the official type requires."""
    usage = {"input_tokens": 3, "output_tokens": 16, "total_tokens": 19}
    response = decode(msgspec.json.encode({"usage": usage}), RESPONSE)
    assert response.usage == ImageUsage(input_tokens=3, output_tokens=16, total_tokens=19)
    assert response.usage.prompt_tokens == response.usage.completion_tokens == 0


def test_a_chunk_without_anything():
    assert decode(b"{}", msgspec.json.Decoder(ImageGenerationChunk)) == ImageGenerationChunk()
    assert ImageGenerationChunk().object == "image.chunk"


def test_a_row_that_may_be_an_image_is_missed_and_null_is_not():
    rows = [{"url": 5}, None, "u", {"b64_json": "AAE=", "new": 1}]
    with pytest.raises(ResponseDecodeError, match=r"data\[2\]: expected dict, got str"):
        decode(msgspec.json.encode({"created": None, "data": rows}), RESPONSE)
    del rows[2]
    with pytest.warns(ResponseWarning, match=r"data\[\]: expected dict, got None"):
        response = decode(msgspec.json.encode({"created": None, "data": rows}), RESPONSE)
    assert response == ImageGenerationResponse(
        data=[ImageItem(url="5"), ImageItem(b64_json="AAE=")]
    )
