# Generated from _async/streams_images.py by `python tools/mirror.py --write`: edit that file.
"""Streams of images: those that are ready."""

from meshapi_core._sync.streams import AccumulatingStream
from meshapi_core.types.images import ImageGenerationChunk, ImageGenerationResponse, ImageItem

__all__ = ["ImagesStream"]


class ImagesStream(AccumulatingStream[ImageGenerationChunk, ImageGenerationResponse]):
    """The chunks of a streamed generation, and the images that they bring."""

    __slots__ = ()

    @property
    def images(self) -> list[ImageItem]:
        """The images so far, previews included; [] before the first."""
        partial = self.partial
        return [] if partial is None else partial.data

    def get_final_images(self) -> list[ImageItem]:
        """Read what is left of the stream, and return its images, previews included.

        Raises:
            StreamUsageError, MeshAPIError: as for `get_final_response`.
        """
        return self.get_final_response().data
