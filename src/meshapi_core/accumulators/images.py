"""Images: those that a stream has brought, and what was said of all of them."""

from typing import Any, Optional

from meshapi_core.types.images import ImageGenerationChunk, ImageGenerationResponse, ImageItem

__all__ = ["ImagesAccumulator"]

# What chunks say of all the images, under the names that a response has for it.
_SHARED = ("created", "background", "output_format", "quality", "size", "usage")


class ImagesAccumulator:
    """Gathers the images of a stream.

    Complete when as many have come as are expected; where nobody knows how many that is, only
    `[DONE]` ends the stream.
    """

    __slots__ = ("_began", "_expected", "_shared", "_items", "_ready")

    def __init__(self, expected: int) -> None:
        self._expected = expected
        self._began = False
        self._ready = 0
        self._items: list[ImageItem] = []
        self._shared: dict[str, Any] = {}

    def add(self, chunk: ImageGenerationChunk) -> None:
        """Take note of the next chunk."""
        self._began = True
        self._items += chunk.data
        self._ready += sum(1 for item in chunk.data if item.url or item.b64_json)
        for name in _SHARED:
            value = getattr(chunk, name)
            if value:
                self._shared[name] = value

    @property
    def complete(self) -> bool:
        """Whether all the images have come."""
        return 0 < self._expected <= self._ready

    def partial(self) -> Optional[ImageGenerationResponse]:
        """The images so far, in the shape of a whole response; None before the first chunk."""
        if not self._began:
            return None
        return ImageGenerationResponse(data=self._items[:], **self._shared)
