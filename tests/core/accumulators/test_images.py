"""accumulators.images: collects the images of a stream."""

from meshapi_core.accumulators.images import ImagesAccumulator
from meshapi_core.types.images import ImageGenerationChunk, ImageGenerationResponse, ImageItem


def test_it_is_complete_with_as_many_images_as_are_expected():
    accumulator = ImagesAccumulator(2)
    for url in ("u1", "u2"):
        assert not accumulator.complete
        accumulator.add(ImageGenerationChunk(data=[ImageItem(url=url)]))
    assert accumulator.complete


def test_it_is_never_complete_where_nobody_knows_how_many_come():
    accumulator = ImagesAccumulator(0)
    accumulator.add(ImageGenerationChunk(data=[ImageItem(url="u1")]))
    assert not accumulator.complete


def test_what_has_arrived_is_not_changed_by_what_comes_later():
    accumulator = ImagesAccumulator(3)
    assert accumulator.partial() is None
    accumulator.add(ImageGenerationChunk(data=[ImageItem(url="u1")]))
    before = accumulator.partial()
    accumulator.add(ImageGenerationChunk(data=[ImageItem(url="u2")]))
    assert before == ImageGenerationResponse(data=[ImageItem(url="u1")])
