"""What notebooks show: escaped, bounded, and nothing is fetched, whatever a server sends."""

import base64
import pickle
from html.parser import HTMLParser
from typing import Any, Optional

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshapi_core import Headers, Response
from meshapi_core.endpoints import Audio
from meshapi_core.types import (
    BatchListResponse,
    BatchObject,
    ChatCompletionResponse,
    ImageGenerationResponse,
    ImageItem,
    ModelInfo,
    ModelPricing,
    ModelsPage,
    ResponseList,
)
from meshapi_core.usage import TotalUsage, usage_html

PNG = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(20)).decode()
MP3 = base64.b64encode(b"ID3" + bytes(20)).decode()

TAGS = frozenset("table thead tbody tr th td p code img audio".split())
ATTRIBUTES = frozenset({"src", "alt", "style", "controls"})


class Page(HTMLParser):
    """What a browser would make of it."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.sources: list[Optional[str]] = []
        self.texts: list[str] = []
        self.open: list[str] = []
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag: str, attrs: "list[tuple[str, Optional[str]]]") -> None:
        assert tag in TAGS
        assert {name for name, _ in attrs} <= ATTRIBUTES
        self.tags.append(tag)
        self.sources += [value for name, value in attrs if name == "src"]
        assert dict(attrs).get("style") in {None, "max-width:100%"}
        if tag != "img":
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        self.texts.append(data)

    def handle_comment(self, data: str) -> None:
        raise AssertionError(data)

    handle_decl = handle_pi = unknown_decl = handle_comment


def page_of(value: Any) -> Page:
    page = Page(value._repr_html_())
    for source in page.sources:
        assert source is not None
        assert source.startswith(("data:image/", "data:audio/"))
    return page


HOSTILE = st.text(max_size=300) | st.sampled_from(
    [
        "<script>alert(1)</script>",
        '"><img src=x onerror=alert(1)>',
        "'><svg/onload=alert(1)>",
        "javascript:alert(1)",
        "data:image/svg+xml;base64,PHN2Zz4=",
        "data:image/png;base64,%22%3E",
        "&lt;b&gt;",
        "\x1b[2J\u202e\x00",
    ]
)
IMAGES = st.builds(
    ImageItem,
    url=st.none() | HOSTILE,
    b64_json=st.none() | HOSTILE | st.just(PNG),
    revised_prompt=st.none() | HOSTILE,
)
MODELS = st.builds(
    ModelInfo,
    id=HOSTILE,
    name=HOSTILE,
    pricing=st.none() | st.builds(ModelPricing, prompt_usd_per_1m=st.none() | HOSTILE),
)
BATCHES = st.builds(BatchObject, id=HOSTILE, status=HOSTILE, model=HOSTILE)


@given(st.lists(IMAGES, min_size=1, max_size=20))
@example([ImageItem(b64_json="0")])  # no length of base64
def test_images_run_nothing_and_fetch_nothing(items: "list[ImageItem]") -> None:
    page_of(ImageGenerationResponse(data=items))


@given(st.lists(MODELS, min_size=1, max_size=5))
def test_models_are_escaped_rows(models: "list[ModelInfo]") -> None:
    page = page_of(ResponseList(models))
    assert page.tags.count("tr") == len(models) + 1
    assert page_of(ModelsPage(items=models, total=3)).tags.count("tr") == len(models) + 1


@given(st.lists(BATCHES, max_size=5))
def test_batches_are_escaped_rows(batches: "list[BatchObject]") -> None:
    assert page_of(BatchListResponse(data=batches)).tags.count("tr") == len(batches) + 1
    for batch in batches:
        page_of(batch)


@given(HOSTILE)
@example("<b>")
def test_usage_is_escaped(model: str) -> None:
    page = Page(usage_html({model: TotalUsage(requests=1)}, TotalUsage(requests=1)))
    assert page.tags.count("tr") == 2


def test_text_comes_through() -> None:
    batch = BatchObject(id="b<1>", status="completed", request_counts={"total": 3, "completed": 2})
    assert page_of(batch).texts[6:] == ["b<1>", "completed", "2", "0", "3"]
    model = ModelInfo(id="m", pricing=ModelPricing(prompt_usd_per_1m="0.15"), context_length=8000)
    texts = page_of(ResponseList([model])).texts
    assert {"m", "8000", "0.15"} <= {*texts}
    assert "free" in page_of(ResponseList([ModelInfo(id="m", is_free=True)])).texts


def test_an_image_is_shown_and_a_link_is_named_without_its_query() -> None:
    item = ImageItem(b64_json=PNG, revised_prompt="a <cat>")
    inline = ImageItem(url=f"data:image/png;base64,{PNG}")
    for shown in (item, inline, ImageGenerationResponse(data=[item])):
        assert page_of(shown).sources == [f"data:image/png;base64,{PNG}"]
    link = page_of(ImageItem(url="https://cdn.test/a.png?signature=secret"))
    assert (link.tags, link.texts) == (["p", "code"], ["https://cdn.test/a.png"])
    # A script may be in it.
    svg = base64.b64encode(b"<svg onload='alert(1)'>").decode()
    assert "img" not in page_of(ImageItem(b64_json=svg)).tags


def test_outputs_are_bounded() -> None:
    huge = ImageItem(b64_json=PNG.rstrip("=") + "A" * 12 * 2**20)
    one = page_of(ImageGenerationResponse(data=[huge, huge]))
    assert len(one.sources) == 1
    assert any("not shown" in text for text in one.texts)
    many = page_of(ImageGenerationResponse(data=[ImageItem(b64_json=PNG)] * 50))
    assert (len(many.sources), many.texts) == (12, ["38 more"])
    models = ResponseList([ModelInfo(id="x" * 1000)] * 1000)
    html = models._repr_html_()
    assert html is not None
    assert len(html) < 100_000
    assert "900 more" in page_of(models).texts


def spoken(audio: Any) -> ChatCompletionResponse:
    choice = {"index": 0, "message": {"role": "assistant", "audio": audio}}
    return ChatCompletionResponse.model_validate({"id": "c", "choices": [choice]})


def test_audio_is_a_player() -> None:
    page = page_of(spoken({"data": MP3, "transcript": "<hi>"}))
    assert page.sources == [f"data:audio/mpeg;base64,{MP3}"]
    assert page.texts == ["<hi>"]


@pytest.mark.parametrize("audio", [None, {}, {"data": 5}, {"data": "<b>"}, {"data": PNG}])
def test_what_is_no_audio_has_its_repr(audio: Any) -> None:
    assert spoken(audio)._repr_html_() is None
    assert ChatCompletionResponse(id="c")._repr_html_() is None


def test_speech_is_a_player_and_still_bytes() -> None:
    call = Audio.synthesize.build(input="hi")
    body = base64.b64decode(MP3)
    speech = call.reader.read(Response(200, Headers([("Content-Type", "audio/mpeg")]), body))
    assert speech == body
    assert pickle.loads(pickle.dumps(speech)) == body
    assert page_of(speech).sources == [f"data:audio/mpeg;base64,{MP3}"]
    for odd in (b"\x00\x01" * 50, b"", body + bytes(13 * 2**20)):
        silent: Any = call.reader.read(Response(200, Headers([]), odd))
        assert silent._repr_html_() is None


def test_other_lists_have_their_repr() -> None:
    assert ResponseList([1, 2])._repr_html_() is None
    assert ResponseList([])._repr_html_() is None
