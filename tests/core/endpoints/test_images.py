"""endpoints.images: which call may stream, when a stream is complete, what a broken one leaves."""

import copy
import json
import pickle
from collections.abc import Iterable
from typing import Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.endpoints.images import Images
from meshapi_core.errors import (
    APIStatusError,
    InvalidParamsError,
    MeshAPIError,
    ResponseDecodeError,
    StreamInterruptedError,
)
from meshapi_core.headers import Headers
from meshapi_core.messages import Response
from meshapi_core.signals import END_OF_STREAM, NEED_DATA
from meshapi_core.types.images import (
    ImageGenerationChunk,
    ImageGenerationParams,
    ImageGenerationResponse,
    ImageItem,
    ImageUsage,
)
from support.rows.images import DONE, HEAD, WAITING, frames, images

FIELDS: Any = {"prompt": "A red bicycle"}


class Read:
    """The chunks of a body, and the error that ends them, if any."""

    def __init__(self, pieces: Iterable[bytes], content_type: str, **fields: Any) -> None:
        call = Images.stream.build(**FIELDS, **fields)
        headers = Headers([("Content-Type", content_type), ("X-Request-Id", "req_1")])
        decoder = call.read(Response(200, headers))
        self.chunks: list[ImageGenerationChunk] = []
        self.error: Optional[MeshAPIError] = None
        for piece in [*filter(None, pieces), b""]:
            decoder.receive_data(piece)
            try:
                while not isinstance(chunk := decoder.next_event(), type(NEED_DATA)):
                    if chunk is END_OF_STREAM:
                        return
                    assert isinstance(chunk, ImageGenerationChunk)
                    self.chunks.append(chunk)
            except MeshAPIError as exc:
                self.error = exc
                return

    def urls(self) -> list[Optional[str]]:
        return [item.url for chunk in self.chunks for item in chunk.data]

    def partial(self) -> Optional[ImageGenerationResponse]:
        assert isinstance(self.error, StreamInterruptedError)
        partial: Optional[ImageGenerationResponse] = self.error.partial
        return partial


def read(*pieces: bytes, **fields: Any) -> Read:
    return Read(pieces, "text/event-stream", **fields)


# What is refused before anything is sent


@pytest.mark.parametrize("as_object", [True, False])
def test_generate_with_stream_is_refused_with_the_way_out(as_object):
    """So it never gets an event stream where it wants JSON."""
    fields: dict[str, Any] = {"prompt": "p", "stream": True}
    with pytest.raises(InvalidParamsError) as caught:
        if as_object:
            Images.generate.build(ImageGenerationParams(**fields))
        else:
            Images.generate.build(**fields)
    assert isinstance(caught.value, ValueError)
    assert str(caught.value) == "stream: expected False, got True; use stream()"


def test_stream_with_params_against_it_is_refused_with_the_way_out():
    with pytest.raises(InvalidParamsError) as caught:
        Images.stream.build(ImageGenerationParams(prompt="p", stream=False))
    assert str(caught.value) == "stream: expected True, got False; use generate()"


@pytest.mark.parametrize(
    ("given", "wire"),
    [(None, {}), (False, {"stream": False})],
)
def test_generate_says_nothing_of_streams_of_its_own(given, wire):
    """Some providers refuse the field, whatever its value."""
    call = Images.generate.build(ImageGenerationParams(prompt="p", stream=given))
    assert isinstance(call.body, bytes)
    assert json.loads(call.body) == {"prompt": "p", **wire}


def test_what_is_missing_is_named():
    for build in (Images.generate.build, Images.stream.build):
        with pytest.raises(
            InvalidParamsError, match=r"^prompt: expected str, got nothing; write prompt="
        ):
            build(model="m")
    with pytest.raises(InvalidParamsError, match=r"^image: expected .*, got nothing; write image="):
        Images.edit.build(model="m")
    with pytest.raises(
        InvalidParamsError, match=r"^model: expected str, got nothing; write model="
    ):
        Images.edit.build(image="data:,")


def test_streams_are_values():
    stream = Images.stream.build(prompt="p", n=2)
    assert stream == copy.copy(stream) == pickle.loads(pickle.dumps(stream))
    assert hash(stream) == hash(Images.stream.build(prompt="p", n=2))
    assert stream != Images.stream.build(prompt="p", n=3)


# When a stream is complete

WHOLE = frames(WAITING) + b": ping\n\n" + frames(WAITING, images("u1", "u2")) + DONE


@given(st.lists(st.integers(0, len(WHOLE)), max_size=6).map(sorted))
def test_a_stream_is_the_same_however_it_is_cut(cuts):
    ends = [0, *cuts, len(WHOLE)]
    got = read(*(WHOLE[start:end] for start, end in zip(ends, ends[1:])), n=2)
    assert got.error is None
    assert [chunk.status for chunk in got.chunks] == ["processing", "processing", "completed"]
    assert got.urls() == ["u1", "u2"]


@pytest.mark.parametrize("n", [None, 1, 2, 3])
@pytest.mark.parametrize("sent", [0, 1, 2, 3])
def test_without_the_marker_of_the_end_the_number_of_images_decides(n, sent):
    """A stream that broke off never counts as complete."""
    urls = [f"u{index}" for index in range(sent)]
    got = read(frames(WAITING, *map(images, urls)), n=n)
    assert got.urls() == urls
    if sent >= (n or 1):
        assert got.error is None
    else:
        assert got.partial() == ImageGenerationResponse(
            created=7, data=[ImageItem(url=url) for url in urls]
        )


@pytest.mark.parametrize("sent", [0, 1])
def test_with_the_marker_of_the_end_any_number_is_whole(sent):
    got = read(frames(WAITING, *[images("u")] * sent) + DONE, n=2)
    assert got.error is None
    assert got.urls() == ["u"] * sent


@pytest.mark.parametrize("fields", [{"partial_images": 1}, {"sequential_image_generation": "auto"}])
def test_where_nobody_knows_how_many_images_come_only_the_marker_ends_the_stream(fields):
    got = read(frames(images("u1"), images("u2")), **fields)
    assert got.partial() == ImageGenerationResponse(
        created=7, data=[ImageItem(url="u1"), ImageItem(url="u2")]
    )
    assert read(frames(images("u1")), DONE, **fields).error is None


@pytest.mark.parametrize(
    "fields", [{"partial_images": 0}, {"sequential_image_generation": "disabled"}, {"n": 1}]
)
def test_otherwise_the_first_image_is_all(fields):
    assert read(frames(images("u1")), **fields).error is None


def test_an_item_without_an_image_is_not_counted():
    empty = {**HEAD, "data": [{"revised_prompt": "A bicycle, red"}]}
    got = read(frames(empty))
    assert got.partial() == ImageGenerationResponse(
        created=7, data=[ImageItem(revised_prompt="A bicycle, red")]
    )


# What a broken stream leaves


def test_a_stream_without_anything_leaves_nothing():
    assert read(b": ping\n\n").partial() is None


def test_facts_of_the_chunks_are_in_what_is_left():
    last = {**images("u"), "size": "1x1", "usage": {"total_tokens": 3}, "quality": None}
    got = read(frames({**WAITING, "quality": "high"}, last), n=2)
    assert got.partial() == ImageGenerationResponse(
        created=7,
        data=[ImageItem(url="u")],
        size="1x1",
        quality="high",
        usage=ImageUsage(total_tokens=3),
    )


def test_an_error_within_the_stream_has_what_had_arrived():
    failure = {"error": {"code": "provider_job_failed", "message": "It failed."}}
    got = read(frames(WAITING, images("u"), failure), n=2)
    assert isinstance(got.error, APIStatusError)
    assert (got.error.error_code, got.error.request_id) == ("provider_job_failed", "req_1")
    assert got.error.partial == ImageGenerationResponse(created=7, data=[ImageItem(url="u")])


# Other responses


def test_a_whole_response_becomes_one_chunk():
    """Nothing of it is lost."""
    body = b'{"created":7,"data":[{"b64_json":"AAE="}],"output_format":"png","new":1}'
    got = Read([body], "application/json", n=3)
    assert got.error is None
    (chunk,) = got.chunks
    assert chunk.data[0].image_bytes() == b"\x00\x01"
    assert (chunk.created, chunk.output_format) == (7, "png")
    assert chunk.raw["new"] == 1
    assert chunk._request_id == "req_1"


@pytest.mark.parametrize("body", [b"", b"[]", b'{"created":7}', b"<html>"])
def test_a_whole_response_without_images_is_refused(body):
    got = Read([body], "application/json")
    assert isinstance(got.error, ResponseDecodeError)
    assert got.error.error_code == "parse_error"


def test_named_events_are_chunks_where_they_hold_images():
    named = b"event: image.chunk\n" + frames(images("u")) + b"event: ping\ndata: {}\n\n"
    got = read(named)
    assert got.error is None
    assert got.urls() == ["u"]


def test_a_chunk_keeps_what_it_does_not_name():
    (chunk,) = read(frames({**images("u"), "cost": "0.1"})).chunks
    assert chunk.raw["cost"] == "0.1"


@pytest.mark.filterwarnings("ignore::meshapi_core.ResponseWarning")
def test_odd_images_do_not_break_the_stream():
    odd = {**HEAD, "created": None, "data": [None, {"url": "u", "b64_json": 5}]}
    got = read(frames(odd))
    assert got.error is None
    assert got.urls() == ["u"]
