"""Images: collects the images of a stream, and the fields that they share."""

from typing import Any, Optional

from meshapi_core.types.images import ImageGenerationChunk, ImageGenerationResponse, ImageItem

__all__ = ["ImagesAccumulator"]

# The fields about all the images, which chunks and the response have in common.
_SHARED = ("created", "background", "output_format", "quality", "size", "usage")


class ImagesAccumulator:
    """Collects the images of a stream.

    Complete when as many images as expected have come. If the number is unknown, which is 0, only
    `[DONE]` completes the stream.
    """

    __slots__ = ("_began", "_expected", "_shared", "_items", "_ready")

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self._began = False
        self._ready = 0
        self._items: list[ImageItem] = []
        self._shared: dict[str, Any] = {}

    def add(self, chunk: ImageGenerationChunk) -> None:
        """Add the next chunk."""
        self._began = True
        self._items += chunk.data
        self._ready += sum(1 for item in chunk.data if item.url or item.b64_json)
        for name in _SHARED:
            value = getattr(chunk, name)
            if value:
                self._shared[name] = value

    @property
    def complete(self) -> bool:
        """Whether all expected images have come."""
        return 0 < self._expected <= self._ready

    def partial(self) -> Optional[ImageGenerationResponse]:
        """Return the images so far, as a whole response; None before the first chunk."""
        if not self._began:
            return None
        return ImageGenerationResponse(data=self._items[:], **self._shared)
