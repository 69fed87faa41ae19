"""Images: `POST /v1/images/generations`, whole and streamed, and `POST /v1/images/edits`.

Source: https://developers.meshapi.ai/docs (images)
"""

from collections.abc import Mapping
from typing import Any, Optional

import msgspec
from typing_extensions import Unpack

from meshapi_core import endpoints
from meshapi_core._json_kinds import value_name
from meshapi_core.accumulators import AccumulatorFactory
from meshapi_core.accumulators.images import ImagesAccumulator
from meshapi_core.calls import Call, StreamCall
from meshapi_core.codec.decoding import decode
from meshapi_core.endpoints._descriptor import (
    R_co,
    Resource,
    endpoint,
    flow_endpoint,
    stream_endpoint_as,
)
from meshapi_core.errors import InvalidParamsError
from meshapi_core.flows.downloads import FilePath, SavedFile, Target, save_bytes, save_url
from meshapi_core.flows.steps import Flow
from meshapi_core.params.encoding import encode_params
from meshapi_core.progress import OnProgress
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


class Images(Resource[R_co]):
    """Images: generated from text, and edited."""

    @endpoint
    def generate(
        self,
        params: Optional[ImageGenerationParams] = None,
        **fields: Unpack[ImageGenerationFields],
    ) -> Call[ImageGenerationResponse]:
        """Return images for a prompt.

        For example, `images.generate(prompt="A red bicycle", size="1024x1024")`.

        Args:
            params: the parameters as one object, instead of keywords.
            fields: the parameters as keywords; see `ImageGenerationParams`.

        Returns:
            The response. If the first image was sent as base64, `.data[0].image_bytes()` returns
            it; if not, `.data[0].url` is a link to it, which expires.

        Raises:
            InvalidParamsError: a parameter is missing, unknown or invalid, or `stream` is True;
                nothing was sent.
            MeshAPIError: as for `chat.completions.create`.
        """
        body = encode_params(ImageGenerationParams, params, fields)
        if _given(params, fields).get("stream"):
            raise InvalidParamsError("stream", "False", "True", "use stream()")
        reader = JSONReader(ImageGenerationResponse, stream=_chunk_reader(_given(params, fields)))
        return Call(method="POST", path=_GENERATIONS, body=body, reader=reader)

    @stream_endpoint_as(lambda: endpoints.ImagesStream, lambda: endpoints.AsyncImagesStream)
    def stream(
        self,
        params: Optional[ImageGenerationParams] = None,
        **fields: Unpack[ImageGenerationFields],
    ) -> StreamCall[ImageGenerationChunk]:
        """Return images as a stream of chunks, which keeps the connection open while they are made.

        Args:
            params, fields: as for `generate`.

        Returns:
            An iterator of chunks that is also a context manager. The first chunks have a `.status`
            of "processing" and nothing in `.data`; later ones have images in `.data`. The request
            is sent when the stream is entered or first iterated. `.images` has those that have
            come; `.get_final_images()` reads what is left, and returns all.

        Raises:
            InvalidParamsError: as for `generate`; raised at once.
            MeshAPIError: as for `generate`; raised when the stream is entered or iterated, also for
                an error that the gateway sends within the stream.
            StreamInterruptedError: the stream broke off before all images had arrived; `.partial`
                is an `ImageGenerationResponse` with those that had.
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
        """Return edited copies of an image.

        For example, `images.edit(model="...", image="data:image/png;base64,...", prompt="...")`.

        Args:
            params: the parameters as one object, instead of keywords.
            fields: the parameters as keywords; see `ImageEditParams`.

        Returns:
            The response; the images are in `.data`, as for `generate`.

        Raises:
            InvalidParamsError: a parameter is missing, unknown or invalid; nothing was sent.
            BadRequestError, UnprocessableEntityError: the model cannot do this
                (`model_capability_not_supported`), or refuses to (`invalid_request`).
            MeshAPIError: as for `chat.completions.create`.
        """
        body = encode_params(ImageEditParams, params, fields)
        return Call(
            method="POST", path=_EDITS, body=body, reader=JSONReader(ImageGenerationResponse)
        )

    @flow_endpoint
    def save(
        self,
        image: ImageItem,
        path: FilePath,
        *,
        overwrite: bool = True,
        on_progress: Optional[OnProgress] = None,
        progress: bool = False,
    ) -> Flow[SavedFile]:
        """Save an image in a file, and return its path and size.

        For example, `images.save(response.data[0], "fox.png")`. An image that is in the response is
        only decoded; any other is downloaded from its URL, as by `client.download`.

        Args:
            image: an image of a response.
            path: where to save it. Only you can read the file.
            overwrite, on_progress, progress: as for `files.download`.

        Raises:
            InvalidParamsError: a parameter is not usable; nothing was sent.
            ValueError: there is no image: its `b64_json` and `url` are empty.
            Base64Error: the image is not valid base64.
            OSError: the file cannot be written; see `files.download`.
            MeshAPIError: as for `client.download`.
        """
        # For callers without a type checker.
        given: Any = image
        if not isinstance(given, ImageItem):
            hint = "pass response.data[0]"
            raise InvalidParamsError("image", "an ImageItem", value_name(given), hint)
        target = Target(path, overwrite, on_progress, progress)
        if image.b64_json or not image.url or image.url[:5].lower() == "data:":
            return (yield from save_bytes(image.image_bytes(), target))
        return (yield from save_url(image.url, target))


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
    """Return how many images the stream must contain; 0 if that is unknown."""
    if given.get("partial_images") or given.get("sequential_image_generation") == "auto":
        # Previews count as images, too; or the model decides how many to make.
        return 0
    return max(given.get("n") or 1, 1)


def _chunk_from_response(body: bytes) -> ImageGenerationChunk:
    return decode(body, _CHUNK)
