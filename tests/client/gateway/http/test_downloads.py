"""Downloads from the local gateway: whole, in ranges, and broken off on purpose."""

from typing import Any

import pytest

from meshapi.testing import LocalGateway
from support.gateway_calls import Response, call, get, post


def picture(gateway: LocalGateway, model: str = "openai/gpt-image-1") -> str:
    made = post(gateway, "/v1/images/generations", {"prompt": "A cat", "model": model})
    return path_of(gateway, made.json()["data"][0]["url"])


def path_of(gateway: LocalGateway, url: str) -> str:
    assert url.startswith(gateway.url)
    return url[len(gateway.url) :]


def part(gateway: LocalGateway, path: str, ranges: str, **headers: Any) -> Response:
    return call(gateway, "GET", path, Range=ranges, **headers)


class TestRanges:
    @pytest.mark.parametrize(
        ("ranges", "start", "end"),
        [
            ("bytes=0-0", 0, 1),
            ("bytes=10-19", 10, 20),
            ("bytes=10-", 10, None),
            ("bytes=10-999999999999", 10, None),
            ("bytes=-7", -7, None),
            ("bytes=-999999", 0, None),
            ("Bytes= 3-5 ", 3, 6),
        ],
    )
    def test_are_parts_of_the_file(
        self, gateway: LocalGateway, ranges: str, start: int, end: Any
    ) -> None:
        path = picture(gateway)
        whole = get(gateway, path)
        assert (whole.status, whole.headers["accept-ranges"]) == (200, "bytes")
        found = part(gateway, path, ranges)
        assert (found.status, found.body) == (206, whole.body[start:end])
        size = len(whole.body)
        first = range(size)[start]
        expected = f"bytes {first}-{first + len(found.body) - 1}/{size}"
        assert found.headers["content-range"] == expected
        assert found.headers["etag"] == whole.headers["etag"]
        assert found.headers["content-type"] == "image/png"

    @pytest.mark.parametrize(
        "ranges", ["bytes=5-4", "bytes=0-1,3-4", "lines=0-1", "bytes=", "bytes=-", "bytes=a-b"]
    )
    def test_that_are_no_single_range_are_ignored(self, gateway: LocalGateway, ranges: str) -> None:
        path = picture(gateway)
        assert part(gateway, path, ranges).body == get(gateway, path).body

    @pytest.mark.parametrize("ranges", ["bytes=99999-", "bytes=99999-99999", "bytes=-0"])
    def test_after_the_end_are_refused(self, gateway: LocalGateway, ranges: str) -> None:
        path = picture(gateway)
        size = len(get(gateway, path).body)
        refused = part(gateway, path, ranges)
        assert refused.code == (416, "range_not_satisfiable")
        assert refused.headers["content-range"] == f"bytes */{size}"

    def test_count_only_if_the_file_is_the_same(self, gateway: LocalGateway) -> None:
        path = picture(gateway)
        whole = get(gateway, path)
        etag = whole.headers["etag"]
        assert part(gateway, path, "bytes=1-2", If_Range=etag).status == 206
        for other in ('"other"', f"W/{etag}", "Tue, 01 Dec 2026 00:00:00 GMT"):
            assert part(gateway, path, "bytes=1-2", If_Range=other).body == whole.body

    def test_are_for_get_only(self, gateway: LocalGateway) -> None:
        path = picture(gateway)
        size = str(len(get(gateway, path).body))
        head = call(gateway, "HEAD", path, Range="bytes=1-2")
        assert (head.status, head.headers["content-length"], head.body) == (200, size, b"")

    def test_are_served_of_every_file(self, gateway: LocalGateway) -> None:
        upload = {"requests": [{"custom_id": "a", "body": {"messages": []}}]}
        file_id = post(gateway, "/v1/files", upload).json()["id"]
        content = [{"type": "text", "text": "A cat"}]
        asked = {"model": "bytedance/seedance-1-0-lite", "content": content}
        task = f"/v1/video/generations/{post(gateway, '/v1/video/generations', asked).json()['id']}"
        movie = [get(gateway, task).json() for _ in range(3)][-1]["content"]["video_url"]
        written = post(gateway, "/v1/documents/generate", {"format": "csv", "prompt": "x"}).json()
        document = get(gateway, f"/v1/documents/{written['document_id']}").json()["download_url"]
        voice = get(gateway, "/v1/audio/voices/voice_aria").json()["preview_url"]
        urls = [path_of(gateway, url) for url in (movie, document, voice)]
        for path in (f"/v1/files/{file_id}/content", *urls):
            whole = get(gateway, path)
            found = part(gateway, path, "bytes=2-")
            assert (whole.status, found.status) == (200, 206)
            assert found.body == whole.body[2:]


class TestBreaks:
    def test_come_half_way_every_other_time(self, gateway: LocalGateway) -> None:
        path = picture(gateway, "mesh/broken-download")
        broken = get(gateway, path)
        size = int(broken.headers["content-length"])
        assert broken.broken
        assert len(broken.body) == size // 2
        etag = broken.headers["etag"]
        rest = part(gateway, path, f"bytes={size // 2}-", If_Range=etag)
        assert (rest.status, rest.broken) == (206, False)
        assert part(gateway, path, "bytes=10-29").body == rest.body[:0] + broken.body[10:20]
        assert get(gateway, path).body == broken.body + rest.body

    def test_can_come_without_ranges(self, gateway: LocalGateway) -> None:
        path = picture(gateway, "mesh/no-ranges")
        broken = get(gateway, path)
        assert (broken.broken, broken.headers["accept-ranges"]) == (True, "none")
        whole = part(gateway, path, "bytes=5-")
        assert (whole.status, whole.broken) == (200, False)
        assert whole.body.startswith(broken.body)

    def test_can_come_before_the_file_changes(self, gateway: LocalGateway) -> None:
        path = picture(gateway, "mesh/changed-download")
        broken = get(gateway, path)
        etag = broken.headers["etag"]
        whole = part(gateway, path, "bytes=5-", If_Range=etag)
        assert (broken.broken, whole.status, whole.broken) == (True, 200, False)
        assert whole.headers["etag"] != etag
        assert len(whole.body) == int(broken.headers["content-length"]) + 1
