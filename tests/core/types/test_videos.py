"""types.videos: requests, and tasks in every state."""

import json

import msgspec
import pytest
from hypothesis import given

from meshapi_core.codec.decoding import decode
from meshapi_core.errors import InvalidParamsError
from meshapi_core.params.encoding import encode_params
from meshapi_core.types.videos import (
    ListVideoGenerationsFields,
    ListVideoGenerationsParams,
    VideoGenerationFields,
    VideoGenerationParams,
    VideoTaskError,
    VideoTaskListResponse,
    VideoTaskResponse,
    VideoTaskUsage,
)
from support.structs import json_objects


def test_keywords_are_the_fields_of_the_params():
    names = set(VideoGenerationParams.__struct_fields__)
    assert set(VideoGenerationFields.__annotations__) == names
    names = set(ListVideoGenerationsParams.__struct_fields__)
    assert set(ListVideoGenerationsFields.__annotations__) == names


@given(json_objects)
def test_content_keeps_what_no_type_knows(unknown):
    unknown = {f"new_{name}": value for name, value in unknown.items()}
    item = {"type": "image_url", "image_url": unknown, **unknown}
    fields = {"model": "m", "content": [item]}
    assert json.loads(encode_params(VideoGenerationParams, None, fields, {})) == fields


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (
            "A bicycle",
            'content: expected list, got str; write content=[{"type": "...", "text": "..."}]',
        ),
        (
            ["A bicycle"],
            'content[0]: expected VideoContentItem, got str; write {"type": "...", "text": "..."}',
        ),
        (
            [{"text": "A bicycle"}],
            'content[0].type: expected str, got nothing; write {"type": "...", "text": "..."}',
        ),
        ([{"type": "image_url", "image_url": "u"}], "content[0].image_url: expected dict, got str"),
    ],
)
def test_invalid_content_is_refused_by_its_path(content, message):
    with pytest.raises(InvalidParamsError) as caught:
        encode_params(VideoGenerationParams, None, {"model": "m", "content": content}, {})
    assert str(caught.value) == message


def test_an_error_and_a_usage_without_their_parts():
    body = b'{"id":"t","status":"failed","error":{"code":null},"usage":{},"created_at":1.0}'
    assert decode(body, msgspec.json.Decoder(VideoTaskResponse)) == VideoTaskResponse(
        id="t", status="failed", error=VideoTaskError(), usage=VideoTaskUsage(), created_at=1
    )


def test_the_url_of_a_task_is_that_of_its_video():
    body = b'{"id":"t","content":{"video_url":"https://files.test/a.mp4"}}'
    task = decode(body, msgspec.json.Decoder(VideoTaskResponse))
    assert task.url == "https://files.test/a.mp4"
    assert VideoTaskResponse(id="t").url is None
    assert "url" not in task.model_dump()


def test_each_task_of_a_list_has_what_the_server_sent_for_it():
    """Undeclared fields are in the `raw` of each row."""
    rows = [{"id": "a", "new": 1}, {"id": "b", "status": None}]
    body = msgspec.json.encode({"data": rows})
    page = decode(body, msgspec.json.Decoder(VideoTaskListResponse))
    assert [task.raw for task in page.data] == rows
