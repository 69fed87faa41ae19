"""Streams of images: those that are ready."""

from meshapi_core._async.streams import AsyncAccumulatingStream
from meshapi_core.types.images import ImageGenerationChunk, ImageGenerationResponse, ImageItem

__all__ = ["AsyncImagesStream"]


class AsyncImagesStream(AsyncAccumulatingStream[ImageGenerationChunk, ImageGenerationResponse]):
    """The chunks of a streamed generation, and the images that they bring."""

    __slots__ = ()

    @property
    def images(self) -> list[ImageItem]:
        """The images so far, previews included; [] before the first."""
        partial = self.partial
        return [] if partial is None else partial.data

    async def get_final_images(self) -> list[ImageItem]:
        """Read what is left of the stream, and return its images, previews included.

        Raises:
            StreamUsageError, MeshAPIError: as for `get_final_response`.
        """
        return (await self.get_final_response()).data
