"""Images: `POST /v1/images/generations`, whole and streamed, and `POST /v1/images/edits`.

Source: https://developers.meshapi.ai/docs (images)
"""

from collections.abc import Mapping
from typing import Any, Optional

import msgspec
from typing_extensions import Unpack

from meshapi_core.accumulators import AccumulatorFactory
from meshapi_core.accumulators.images import ImagesAccumulator
from meshapi_core.calls import Call, StreamCall
from meshapi_core.codec.decoding import decode
from meshapi_core.endpoints._descriptor import R_co, Resource, endpoint, stream_endpoint
from meshapi_core.errors import InvalidParamsError
from meshapi_core.params.encoding import encode_params
from meshapi_core.readers import ChunkReader, JSONReader
from meshapi_core.types.images import (
    ImageEditFields,
    ImageEditParams,
    ImageGenerationChunk,
    ImageGenerationFields,
    ImageGenerationParams,
    ImageGenerationResponse,
)

__all__ = ["Images"]

_GENERATIONS = "/v1/images/generations"
_EDITS = "/v1/images/edits"

_CHUNK = msgspec.json.Decoder(ImageGenerationChunk)


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
            The response; `.data[0].image_bytes()` is the first image where it was sent as base64,
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


def _chunk_reader(given: Mapping[str, Any]) -> ChunkReader[ImageGenerationChunk]:
    return ChunkReader(
        ImageGenerationChunk,
        accumulator=AccumulatorFactory(ImagesAccumulator, _expected(given)),
        from_response=_chunk_from_response,
        response=ImageGenerationResponse,
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


def _chunk_from_response(body: bytes) -> ImageGenerationChunk:
    return decode(body, _CHUNK)
