"""/v1/images of the local gateway."""

import base64
import struct
import zlib
from typing import Any

import pytest

from meshapi.testing import LocalGateway
from support.gateway_calls import Response, post
from support.gateway_files import open_url, post_form

GENERATIONS, EDITS = "/v1/images/generations", "/v1/images/edits"
MODEL = "openai/gpt-image-1"


def generate(gateway: LocalGateway, prompt: str = "a fox", **members: Any) -> Response:
    return post(gateway, GENERATIONS, {"prompt": prompt, **members})


def edit(gateway: LocalGateway, image: Any = "aGk=", **members: Any) -> Response:
    return post(gateway, EDITS, {"model": MODEL, "image": image, **members})


def picture(gateway: LocalGateway, prompt: str = "a fox", **members: Any) -> bytes:
    (item,) = generate(gateway, prompt, response_format="b64_json", **members).json()["data"]
    return base64.b64decode(item["b64_json"])


def read_png(png: bytes) -> tuple[int, int, bytes]:
    """Check every part of a PNG file; return its width, height and only colour."""
    assert png.startswith(b"\x89PNG\r\n\x1a\n")
    at = 8
    parts: dict[bytes, bytes] = {}
    while at < len(png):
        (length,) = struct.unpack(">I", png[at : at + 4])
        kind, data = png[at + 4 : at + 8], png[at + 8 : at + 8 + length]
        (check,) = struct.unpack(">I", png[at + 8 + length : at + 12 + length])
        assert check == zlib.crc32(kind + data)
        parts[kind] = data
        at += 12 + length
    kinds = list(parts)
    assert (kinds[0], kinds[-1]) == (b"IHDR", b"IEND")
    width, height, depth, colours = struct.unpack(">IIBB", parts[b"IHDR"][:10])
    assert (depth, colours) == (1, 3)
    assert zlib.decompress(parts[b"IDAT"]) == bytes(1 + (width + 7) // 8) * height
    return width, height, parts[b"PLTE"]


class TestGenerations:
    def test_are_pictures_at_addresses_that_anyone_can_open(self, gateway: LocalGateway) -> None:
        body = generate(gateway, "a red fox", size="60x40", quality="high").json()
        assert (body["size"], body["quality"], body["output_format"]) == ("60x40", "high", "png")
        assert body["usage"]["prompt_tokens"] == 3
        assert body["usage"]["total_tokens"] == 3 + body["usage"]["completion_tokens"]
        (item,) = body["data"]
        assert item["url"].startswith(gateway.url)
        shown = open_url(item["url"])
        assert (shown.status, shown.headers["content-type"]) == (200, "image/png")
        assert read_png(shown.body)[:2] == (60, 40)
        assert open_url(item["url"].replace(".png", "x.png")).code == (404, "not_found")

    def test_are_the_same_for_the_same_prompt_only(self, gateway: LocalGateway) -> None:
        assert picture(gateway) == picture(gateway)
        colours = {read_png(picture(gateway, prompt))[2] for prompt in ("a", "b", "c")}
        assert len(colours) == 3
        assert picture(gateway, seed=1) != picture(gateway, seed=2)

    @pytest.mark.parametrize(
        ("size", "sides"),
        [(None, (1024, 1024)), ("auto", (1024, 1024)), ("2K", (2048, 2048)), ("9x1", (9, 1))],
    )
    def test_have_the_size_that_is_asked_for(
        self, gateway: LocalGateway, size: Any, sides: tuple[int, int]
    ) -> None:
        assert read_png(picture(gateway, size=size))[:2] == sides

    def test_have_a_largest_size_and_say_so(self, gateway: LocalGateway) -> None:
        body = generate(gateway, size="99999x8", response_format="b64_json").json()
        assert body["size"] == "4096x8"
        assert read_png(base64.b64decode(body["data"][0]["b64_json"]))[:2] == (4096, 8)

    def test_come_n_at_a_time_and_differ(self, gateway: LocalGateway) -> None:
        items = generate(gateway, n=10, size="8x8", response_format="b64_json").json()["data"]
        assert len({item["b64_json"] for item in items}) == 10

    def test_streams_show_signs_of_life_first(self, gateway: LocalGateway) -> None:
        response = generate(gateway, stream=True, size="8x8", response_format="b64_json")
        assert b"\n\n: ping\n\n" in response.body
        *events, done = response.events()
        assert done.data == "[DONE]"
        chunks = [event.json() for event in events]
        assert [chunk["status"] for chunk in chunks] == ["processing"] * 3 + ["completed"]
        assert {chunk["object"] for chunk in chunks} == {"image.chunk"}
        assert [len(chunk["data"]) for chunk in chunks] == [0, 0, 0, 1]
        assert base64.b64decode(chunks[-1]["data"][0]["b64_json"]) == picture(gateway, size="8x8")

    @pytest.mark.parametrize(
        ("members", "where"),
        [
            ({"n": 0}, ["body", "n"]),
            ({"n": 11}, ["body", "n"]),
            ({"size": "big"}, ["body", "size"]),
            ({"size": "0x1"}, ["body", "size"]),
            ({"seed": -2}, ["body", "seed"]),
            ({"response_format": "png"}, ["body", "response_format"]),
            ({"prompt": ""}, ["body", "prompt"]),
        ],
    )
    def test_with_faults_are_refused(
        self, gateway: LocalGateway, members: dict[str, Any], where: list[Any]
    ) -> None:
        assert [place for _, place in generate(gateway, **members).faults] == [where]

    def test_fail_as_their_model_does(self, gateway: LocalGateway) -> None:
        assert generate(gateway, model="acme/none").code == (404, "model_not_found")
        unfit = generate(gateway, model="openai/gpt-4o")
        assert unfit.code == (400, "model_capability_not_supported")
        assert generate(gateway, model="mesh/refusal").code == (400, "content_policy_violation")
        assert generate(gateway, model="mesh/rate-limited").status == 429
        assert generate(gateway, model="mesh/broken-stream").broken
        broken = generate(gateway, model="mesh/broken-stream", stream=True)
        assert broken.broken
        failed = generate(gateway, model="mesh/error-in-stream", stream=True).events()
        assert failed[-2].json()["error"]["code"] == "gateway_timeout"


class TestEdits:
    def test_keep_the_size_of_a_png(self, gateway: LocalGateway) -> None:
        original = (
            "data:image/png;base64," + base64.b64encode(picture(gateway, size="10x20")).decode()
        )
        for image in (original, {"url": original}):
            body = edit(gateway, image, prompt="brighter").json()
            assert body["size"] == "10x20"
            assert read_png(open_url(body["data"][0]["url"]).body)[:2] == (10, 20)
        larger = edit(gateway, original, operation="upscale", upscale_factor="x4").json()
        assert larger["size"] == "40x80"

    @pytest.mark.parametrize(
        "image",
        ["https://example.com/a.png", "HTTP://example.com/a", "data:,hi", "not base64!", ""],
    )
    def test_take_no_links(self, gateway: LocalGateway, image: str) -> None:
        assert edit(gateway, image).faults == [("value_error", ["body", "image"])]
        assert edit(gateway, {"url": image}).faults == [("value_error", ["body", "image", "url"])]

    @pytest.mark.parametrize(
        ("operation", "members", "missing"),
        [
            ("inpaint", {"mask": "aGk="}, "mask"),
            ("upscale", {"upscale_factor": "x2"}, "upscale_factor"),
            ("mix", {"reference_images": ["aGk=", {"url": "aGk="}]}, "reference_images"),
            ("reframe", {"aspect_ratio": "16:9"}, "aspect_ratio"),
        ],
    )
    def test_need_what_their_operation_needs(
        self, gateway: LocalGateway, operation: str, members: dict[str, Any], missing: str
    ) -> None:
        assert edit(gateway, operation=operation, **members).status == 200
        response = edit(gateway, operation=operation)
        assert response.faults == [("value_error", ["body", missing])]

    def test_come_as_forms_too(self, gateway: LocalGateway) -> None:
        png = picture(gateway, size="12x6")
        fields = [("model", MODEL), ("operation", "mix"), ("n", "2")]
        references = [("reference_images", "b.png", png), ("reference_images", "c.png", png)]
        response = post_form(gateway, EDITS, fields, [("image", "a.png", png), *references])
        assert response.status == 200
        assert (response.json()["size"], len(response.json()["data"])) == ("12x6", 2)
        missing = post_form(gateway, EDITS, [("model", MODEL), ("n", "x")])
        assert missing.faults == [("int_parsing", ["body", "n"])]
        missing = post_form(gateway, EDITS, [("model", MODEL)])
        assert missing.faults == [("missing", ["body", "image"])]

    def test_are_not_for_models_that_read_no_pictures(self, gateway: LocalGateway) -> None:
        response = edit(gateway, model="openai/dall-e-3")
        assert response.code == (400, "model_capability_not_supported")
