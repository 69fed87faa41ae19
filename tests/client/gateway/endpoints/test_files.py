"""RAG files and search of the local gateway."""

import hashlib
import sys
import time
from collections.abc import Iterator
from typing import Any, Optional

import pytest

from meshapi.testing import LocalGateway
from support.gateway_calls import Response, call, get, post
from support.gateway_files import open_url

FILES = "/v1/files"


def begin(gateway: LocalGateway, name: str = "a.txt", **members: Any) -> Any:
    response = post(gateway, FILES, {"file_name": name, "mime_type": "text/plain", **members})
    assert response.status == 200
    return response.json()


def put(url: str, data: Any, content_type: Optional[str] = "text/plain") -> Response:
    return open_url(url, "PUT", data, Content_Type=content_type)


def upload(gateway: LocalGateway, data: bytes, name: str = "a.txt", **members: Any) -> str:
    begun = begin(gateway, name, **members)
    assert put(begun["signed_url"], data, members.get("mime_type", "text/plain")).status == 200
    file_id: str = begun["file_id"]
    return file_id


def look(gateway: LocalGateway, file_id: str) -> Any:
    return get(gateway, f"{FILES}/{file_id}").json()


def ready(gateway: LocalGateway, text: str, name: str = "a.txt", **members: Any) -> str:
    file_id = upload(gateway, text.encode(), name, **members)
    post(gateway, f"{FILES}/embed", {"file_ids": [file_id], "wait": True})
    return file_id


def search(gateway: LocalGateway, query: str, **members: Any) -> Any:
    response = post(gateway, f"{FILES}/search", {"query": query, **members})
    assert response.status == 200
    return response.json()["results"]


class TestUploads:
    def test_go_to_a_signed_url_of_the_gateway_itself(self, gateway: LocalGateway) -> None:
        begun = begin(gateway, "Hand book.TXT", metadata={"team": "a"})
        assert begun["signed_url"].startswith(f"{gateway.url}/storage/")
        pending = look(gateway, begun["file_id"])
        assert (pending["upload_status"], pending["embedding_status"]) == ("pending", "pending")
        assert pending["signed_url"] == begun["signed_url"]
        assert pending["signed_url_expires_at"] == begun["expires_at"]
        data = b"\x00\xff some bytes"
        done = put(begun["signed_url"], data)
        assert (done.status, done.body) == (200, b"")
        assert gateway.requests[-1].body == data
        stored = look(gateway, begun["file_id"])
        assert (stored["upload_status"], stored["size_bytes"]) == ("ready", len(data))
        assert (stored["file_type"], stored["signed_url"]) == ("txt", None)
        assert stored["sha256"] == hashlib.sha256(data).hexdigest()

    @pytest.mark.parametrize("cut", [-1, -64])
    def test_need_the_right_signature(self, gateway: LocalGateway, cut: int) -> None:
        begun = begin(gateway)
        response = put(begun["signed_url"][:cut], b"x")
        assert (response.status, response.headers["content-type"]) == (403, "application/xml")
        assert b"<Code>SignatureDoesNotMatch</Code>" in response.body
        assert begun["signed_url"].encode() not in response.body
        other = begun["signed_url"].replace(begun["file_id"], begin(gateway)["file_id"])
        assert put(other, b"x").status == 403
        assert put(f"{gateway.url}/storage/nothing", b"x").status == 403
        assert look(gateway, begun["file_id"])["upload_status"] == "pending"

    def test_end_when_their_url_expires(
        self, gateway: LocalGateway, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        begun = begin(gateway)
        later = time.time() + 3600
        monkeypatch.setattr(time, "time", lambda: later)
        response = put(begun["signed_url"], b"x")
        assert response.status == 403
        assert b"<Code>AccessDenied</Code>" in response.body

    @pytest.mark.parametrize("content_type", [None, "text/html", "text/plain; charset=utf-8"])
    def test_need_the_content_type_that_was_signed(
        self, gateway: LocalGateway, content_type: Optional[str]
    ) -> None:
        response = put(begin(gateway)["signed_url"], b"x", content_type)
        assert response.status == 400
        assert b"<Code>InvalidArgument</Code>" in response.body

    @pytest.mark.slow
    def test_may_be_large_and_are_not_kept(self, gateway: LocalGateway) -> None:
        size, piece = 64 * 1024 * 1024, bytes(1024 * 1024)
        begun = begin(gateway, "large.bin", mime_type="application/octet-stream")

        def pieces() -> Iterator[bytes]:
            for _ in range(size // len(piece)):
                yield piece

        before = _memory()
        done = put(begun["signed_url"], pieces(), "application/octet-stream")
        grown = _memory() - before
        assert done.status == 200
        assert look(gateway, begun["file_id"])["size_bytes"] == size
        assert gateway.requests[-2].size == size
        assert gateway.requests[-2].truncated
        # The 8 MiB of the log, and the copies that exist while they arrive.
        assert grown < 48 * 1024 * 1024

    def test_with_faults_are_refused(self, gateway: LocalGateway) -> None:
        assert post(gateway, FILES, {"mime_type": "a/b"}).faults == [
            ("missing", ["body", "file_name"])
        ]
        assert post(gateway, FILES, b"[1").faults == [("json_invalid", ["body"])]
        assert call(gateway, "DELETE", f"{FILES}/{begin(gateway)['file_id']}").status == 404
        assert get(gateway, f"{FILES}/nothing").code == (404, "not_found")


class TestEmbedding:
    def test_goes_on_with_each_look(self, gateway: LocalGateway) -> None:
        file_id = upload(gateway, b"some words", embed=True)
        states = [look(gateway, file_id)["embedding_status"] for _ in range(4)]
        assert states == ["queued", "processing", "ready", "ready"]
        assert look(gateway, file_id)["total_tokens"] == 2

    def test_begins_when_it_is_asked_for(self, gateway: LocalGateway) -> None:
        file_id = upload(gateway, b"some words")
        assert [look(gateway, file_id)["embedding_status"] for _ in range(3)] == ["pending"] * 3
        asked = post(gateway, f"{FILES}/embed", {"file_ids": [file_id]}).json()
        assert asked["results"] == [
            {"file_id": file_id, "embedding_status": "queued", "chunk_count": None, "error": None}
        ]
        states = [look(gateway, file_id)["embedding_status"] for _ in range(3)]
        assert states == ["queued", "processing", "ready"]

    def test_is_done_at_once_if_waited_for(self, gateway: LocalGateway) -> None:
        there, empty = upload(gateway, b"words " * 100), upload(gateway, b"")
        pending = begin(gateway)["file_id"]
        ids = [there, empty, pending, "nothing"]
        results = post(gateway, f"{FILES}/embed", {"file_ids": ids, "wait": True}).json()["results"]
        assert [(row["embedding_status"], row["chunk_count"], row["error"]) for row in results] == [
            ("ready", 2, None),
            ("failed", None, "empty_file"),
            ("pending", None, "upload_pending"),
            ("failed", None, "not_found"),
        ]
        assert look(gateway, empty)["last_error_code"] == "empty_file"

    def test_takes_one_to_a_hundred_files(self, gateway: LocalGateway) -> None:
        at = ["body", "file_ids"]
        for ids, kind in (([], "too_short"), (["x"] * 101, "too_long")):
            assert post(gateway, f"{FILES}/embed", {"file_ids": ids}).faults == [(kind, at)]


class TestSearch:
    def test_ranks_by_shared_words(self, gateway: LocalGateway) -> None:
        cats = ready(gateway, "Cats sleep all day.", "cats.txt", metadata={"topic": "pets"})
        ready(gateway, "Dogs bark, and cats do not.", "dogs.txt")
        first, second = search(gateway, "do cats sleep all day")
        assert (first["file_id"], first["file_name"], first["chunk_index"]) == (cats, "cats.txt", 0)
        assert (first["text"], first["parent_text"]) == ("Cats sleep all day.",) * 2
        assert first["metadata"] == {"topic": "pets"}
        assert first["score"] == 0.8
        assert second["score"] == 0.4
        assert search(gateway, "unrelated") == []
        assert search(gateway, "?!") == []

    def test_finds_only_what_is_ready(self, gateway: LocalGateway) -> None:
        file_id = upload(gateway, b"cats", embed=True)
        assert search(gateway, "cats") == []
        for _ in range(3):
            look(gateway, file_id)
        assert len(search(gateway, "cats")) == 1

    def test_is_narrowed_by_files_metadata_and_dates(self, gateway: LocalGateway) -> None:
        one = ready(gateway, "cats one", metadata={"team": "a", "year": 1})
        two = ready(gateway, "cats two", metadata={"team": "b"})

        def found(**members: Any) -> list[Any]:
            return [hit["file_id"] for hit in search(gateway, "cats", **members)]

        now = int(time.time())
        assert found() == [one, two]
        assert found(file_ids=[two]) == [two]
        assert found(file_ids=[]) == []
        assert found(filter={"team": "a", "year": 1}) == [one]
        assert found(filter={"team": "a", "year": 2}) == []
        assert found(filter={"none": None}) == []
        assert found(date_from=now - 60, date_to=now + 60) == [one, two]
        assert found(date_from=now + 60) == found(date_to=now - 60) == []

    def test_gives_five_at_most_unless_told_otherwise(self, gateway: LocalGateway) -> None:
        ready(gateway, "cats " * 80 * 9)
        assert len(search(gateway, "cats")) == 5
        assert len(search(gateway, "cats", top_k=2)) == 2
        assert len(search(gateway, "cats", top_k=50)) == 9
        for top_k in (0, 51):
            body = {"query": "cats", "top_k": top_k}
            ((_, where),) = post(gateway, f"{FILES}/search", body).faults
            assert where == ["body", "top_k"]

    def test_says_of_what_is_no_text_that_it_cannot_read_it(self, gateway: LocalGateway) -> None:
        members = {"mime_type": "application/pdf"}
        file_id = upload(gateway, b"%PDF-1.7 \xff\xfe", "book.pdf", **members)
        post(gateway, f"{FILES}/embed", {"file_ids": [file_id], "wait": True})
        (hit,) = search(gateway, "book")
        assert "can't read" in hit["text"]


def test_files_are_listed_in_pages_the_newest_first(gateway: LocalGateway) -> None:
    ids = [begin(gateway)["file_id"] for _ in range(4)][::-1]
    page = get(gateway, f"{FILES}?limit=2&offset=1").json()
    assert [row["file_id"] for row in page["files"]] == ids[1:3]
    assert (page["total"], page["limit"], page["offset"]) == (4, 2, 1)
    assert get(gateway, f"{FILES}?offset=0").json()["limit"] == 20
    for query in ("limit=0", "limit=x", "offset=-1"):
        ((_, where),) = get(gateway, f"{FILES}?{query}").faults
        assert where == ["query", query.partition("=")[0]]


def _memory() -> int:
    """The most bytes of memory that this process has used."""
    resource = pytest.importorskip("resource")
    peak: int = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else peak * 1024
