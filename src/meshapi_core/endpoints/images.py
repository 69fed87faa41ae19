"""Images: `POST /v1/images/generations`, whole and streamed, and `POST /v1/images/edits`.

Source: https://developers.meshapi.ai/docs (images)
"""

from collections.abc import Mapping
from typing import Any, Optional

import msgspec
from typing_extensions import Unpack

from meshapi_core.calls import Call, StreamCall
from meshapi_core.codec import decode
from meshapi_core.endpoints._descriptor import R_co, Resource, endpoint, stream_endpoint
from meshapi_core.errors import InvalidParamsError
from meshapi_core.params import encode_params
from meshapi_core.readers import ChunkReader, JSONReader
from meshapi_core.types.images import (
    ImageEditFields,
    ImageEditParams,
    ImageGenerationChunk,
    ImageGenerationFields,
    ImageGenerationParams,
    ImageGenerationResponse,
    ImageItem,
)

__all__ = ["Images"]

_GENERATIONS = "/v1/images/generations"
_EDITS = "/v1/images/edits"

_CHUNK = msgspec.json.Decoder(ImageGenerationChunk)

# What chunks say of all the images, under the names that an answer has for it.
_FACTS = ("created", "background", "output_format", "quality", "size", "usage")


class Images(Resource[R_co]):
    """Pictures from words, and changes to pictures."""

    @endpoint
    def generate(
        self,
        params: Optional[ImageGenerationParams] = None,
        **fields: Unpack[ImageGenerationFields],
    ) -> Call[ImageGenerationResponse]:
        """Return images that fit the prompt.

        Args:
            params: the parameters as one object, or
            fields: the same by keyword: `generate(prompt="A red bicycle", size="1024x1024")`.

        Returns:
            The answer; `.data[0].image_bytes()` is the first image where it was sent as base64,
            and `.data[0].url` links to it where not.

        Raises:
            InvalidParamsError: a parameter is missing, unknown or of the wrong kind, `stream=True`
                among them; nothing was sent.
            MeshAPIError: as for `chat.completions.create`.
        """
        body = encode_params(ImageGenerationParams, params, fields)
        if _given(params, fields).get("stream"):
            raise InvalidParamsError("stream", "False", "True", "use stream()")
        reader = JSONReader(ImageGenerationResponse, stream=_chunk_reader(_given(params, fields)))
        return Call(method="POST", path=_GENERATIONS, body=body, reader=reader)

    @stream_endpoint
    def stream(
        self,
        params: Optional[ImageGenerationParams] = None,
        **fields: Unpack[ImageGenerationFields],
    ) -> StreamCall[ImageGenerationChunk]:
        """Return images as a stream of chunks, which tells all the time that it goes on.

        Args:
            params, fields: as for `generate`.

        Returns:
            An iterator of chunks that is a context manager, too. Chunks without `.data` and with
            `.status == "processing"` come first, then those with images. The request is sent when
            it is entered or first iterated.

        Raises:
            InvalidParamsError: at once, as for `generate`.
            MeshAPIError: when it is entered or iterated; also later, for an error that the gateway
                sends within the stream.
            StreamInterruptedError: the stream broke off before it brought as many images as were
                asked for; `.partial` is an `ImageGenerationResponse` with those that had arrived.
        """
        body = encode_params(
            ImageGenerationParams, params, fields, {"stream": True}, "use generate()"
        )
        reader = _chunk_reader(_given(params, fields))
        return StreamCall(method="POST", path=_GENERATIONS, body=body, reader=reader)

    @endpoint
    def edit(
        self, params: Optional[ImageEditParams] = None, **fields: Unpack[ImageEditFields]
    ) -> Call[ImageGenerationResponse]:
        """Return changed copies of an image.

        Args:
            params: the parameters as one object, or
            fields: the same by keyword: `edit(model="...", image="data:image/png;base64,...",
                prompt="Paint it green", operation="edit")`.

        Raises:
            InvalidParamsError: a parameter is missing, unknown or of the wrong kind; nothing was
                sent.
            BadRequestError, UnprocessableEntityError: the model cannot do this
                (`model_capability_not_supported`), or will not (`invalid_request`).
        """
        body = encode_params(ImageEditParams, params, fields)
        return Call(
            method="POST", path=_EDITS, body=body, reader=JSONReader(ImageGenerationResponse)
        )


class _AccumulatorOf(msgspec.Struct, frozen=True):
    """Makes accumulators; a value, so that the calls which hold it are values."""

    images: int

    def __call__(self) -> "ImagesAccumulator":
        return ImagesAccumulator(self.images)


def _chunk_reader(given: Mapping[str, Any]) -> ChunkReader[ImageGenerationChunk]:
    return ChunkReader(
        ImageGenerationChunk,
        accumulator=_AccumulatorOf(_expected(given)),
        from_answer=_chunk_from_answer,
        answer=ImageGenerationResponse,
        marker=b'"data"',
    )


def _given(params: Optional[ImageGenerationParams], fields: Mapping[str, Any]) -> Mapping[str, Any]:
    return fields if params is None else msgspec.structs.asdict(params)


def _expected(given: Mapping[str, Any]) -> int:
    """Return how many images the stream must bring; 0 where nobody knows."""
    if given.get("partial_images") or given.get("sequential_image_generation") == "auto":
        # Previews come as images, too; or the model decides how many there are.
        return 0
    return max(given.get("n") or 1, 1)


def _chunk_from_answer(body: bytes) -> ImageGenerationChunk:
    return decode(body, _CHUNK)


class ImagesAccumulator:
    """Gathers the images of a stream.

    Complete when as many have come as are expected; where nobody knows how many that is, only
    `[DONE]` ends the stream.
    """

    __slots__ = ("_began", "_expected", "_facts", "_items", "_ready")

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self._began = False
        self._ready = 0
        self._items: list[ImageItem] = []
        self._facts: dict[str, Any] = {}

    def add(self, chunk: ImageGenerationChunk) -> None:
        """Take note of the next chunk."""
        self._began = True
        self._items += chunk.data
        self._ready += sum(1 for item in chunk.data if item.url or item.b64_json)
        for name in _FACTS:
            value = getattr(chunk, name)
            if value:
                self._facts[name] = value

    @property
    def complete(self) -> bool:
        """Whether all the images have come."""
        return 0 < self._expected <= self._ready

    def partial(self) -> Optional[ImageGenerationResponse]:
        """The images so far, in the shape of a whole answer; None before the first chunk."""
        if not self._began:
            return None
        return ImageGenerationResponse(data=self._items[:], **self._facts)
