"""What calls are known by in a journal, and the index of that."""

import io
import tracemalloc
from array import array
from pathlib import Path
from typing import Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core import Call, FileSource, InvalidParamsError
from meshapi_core.bulk.journals.key_index import KeyIndex
from meshapi_core.bulk.journals.keys import (
    CallKeys,
    content_digest,
    files_to_measure,
    idempotency_key,
    record_key,
)
from meshapi_core.endpoints import Completions, Models
from meshapi_core.multipart import FilePart, Multipart
from meshapi_core.readers import BytesReader, EmptyReader

TEXTS = st.text(max_size=3) | st.sampled_from(["a", "ab", "b", ""])
PAIRS = st.lists(st.tuples(TEXTS, TEXTS), max_size=3).map(tuple)
FILES = st.builds(
    lambda name, content, filename: FilePart(name, FileSource(content), filename),
    TEXTS,
    st.binary(max_size=3),
    TEXTS,
)
BODIES = st.binary(max_size=4) | st.builds(Multipart, PAIRS, st.lists(FILES, max_size=2).map(tuple))
CALLS = st.builds(
    Call,
    method=st.sampled_from(["GET", "POST"]),
    path=st.sampled_from(["/v1/a", "/v1/b", "/v1/a?x=1"]),
    query=PAIRS,
    body=BODIES,
    reader=st.just(BytesReader()),
)
KEYS = st.integers(0, 2**128 - 1).map(lambda number: f"{number:032x}")


def form(content: Any, **facts: str) -> Call[bytes]:
    part = FilePart("file", FileSource(content), facts.get("filename", "a.pdf"))
    body = Multipart((("model", "m"),), (part,))
    return Call(method="POST", path="/v1/files", body=body, reader=BytesReader())


@given(CALLS, CALLS)
def test_two_calls_have_the_same_digest_only_if_they_send_the_same(
    one: Call[Any], other: Call[Any]
) -> None:
    assert len(content_digest(one)) == 32
    assert (content_digest(one) == content_digest(other)) == (one == other)


def test_texts_that_are_joined_elsewhere_have_other_digests() -> None:
    pairs = [(("ab", "c"),), (("a", "bc"),), (("a", "b"), ("c", "")), (("a", "b\n1 0 c="),)]
    calls = [Call(method="GET", path="/v1/a", query=pair, reader=BytesReader()) for pair in pairs]
    assert len({content_digest(call) for call in calls}) == len(pairs)


def test_the_digest_stays_the_same_in_later_releases() -> None:
    call = Call(
        method="POST", path="/v1/a", query=(("q", "é"),), body=b'{"x":1}', reader=EmptyReader()
    )
    digest = content_digest(call)
    assert digest.hex() == ("f7dec1bc5657fbc7bd60b9c278ac9d4effcea01b55b181c4a6bca9b884a45588")
    assert record_key(digest, None, 0, "run") == "906fefb301cd93f7806eec53a2a80f3c"
    assert record_key(digest, "row-1", 2, "run") == "492bdd09324530125f6c6437708bafe9"


def test_what_reads_the_response_is_not_part_of_the_content() -> None:
    body = b'{"x":1}'
    one = Call(method="POST", path="/v1/a", body=body, reader=BytesReader())
    other = Call(method="POST", path="/v1/a", body=body, reader=EmptyReader())
    assert content_digest(one) == content_digest(other)


def test_a_file_in_memory_stands_for_its_content_and_one_elsewhere_for_its_path_and_size(
    tmp_path: Path,
) -> None:
    contents = [b"abc", [b"a", b"bc"], io.BytesIO(b"abc")]
    assert [files_to_measure(form(content)) for content in contents] == [(), (), ()]
    assert len({content_digest(form(content)) for content in contents}) == 1
    assert content_digest(form(b"abd")) != content_digest(form(b"abc"))

    path = tmp_path / "a"
    path.write_bytes(b"abc")
    call = form(path)
    assert [source.content for source in files_to_measure(call)] == [path]
    with path.open("rb") as file:
        digests = [
            content_digest(form(content), (size,))
            for content in (str(path), path, file)
            for size in (3, 4, None)
        ]
    assert len(set(digests)) == 3
    assert digests[:3] == digests[3:6] == digests[6:]


def test_a_file_that_can_be_read_only_once_is_refused() -> None:
    call = form(iter([b"a"]))
    with pytest.raises(InvalidParamsError, match="file: expected bytes, a path or an open file"):
        content_digest(call)


def test_calls_without_a_body_have_a_digest() -> None:
    assert content_digest(Models.list.build()) != content_digest(
        Completions.create.build(model="m", messages=[{"role": "user", "content": "hi"}])
    )


@given(
    st.lists(st.tuples(st.sampled_from([b"x" * 32, b"y" * 32]), st.sampled_from([None, "", "a"])))
)
def test_every_call_of_a_run_has_its_own_key_and_the_next_run_has_the_same(
    calls: list[tuple[bytes, Optional[str]]],
) -> None:
    first, again, elsewhere = CallKeys("run"), CallKeys("run"), CallKeys("other")
    keys = [first.key_of(*call) for call in calls]
    assert len(set(keys)) == len(calls)
    assert all(len(key) == 32 and int(key, 16) >= 0 for key in keys)
    # Calls may be moved: those of the same content and ID are the same calls.
    assert {again.key_of(*call) for call in calls[::-1]} == set(keys)
    assert not {elsewhere.key_of(*call) for call in calls} & set(keys)


def test_the_idempotency_key_is_another_one_after_each_recorded_failure() -> None:
    key = "0" * 32
    assert [idempotency_key(key, failures) for failures in range(3)] == [
        key,
        f"{key}-1",
        f"{key}-2",
    ]


@given(st.lists(st.tuples(KEYS, st.integers(0, 2**64 - 1))), st.lists(KEYS, max_size=3))
def test_an_index_has_the_number_that_was_added_last(
    added: list[tuple[str, int]], others: list[str]
) -> None:
    index, expected = KeyIndex(), dict(added)
    for key, number in added:
        index.add(key, number)
    assert len(index) == len(expected)
    for key in [*expected, *others]:
        assert index.get(key) == expected.get(key)


@given(st.lists(st.sampled_from([f"{number:032x}" for number in range(5)])))
def test_an_index_counts(keys: list[str]) -> None:
    index = KeyIndex()
    for position, key in enumerate(keys):
        assert index.count(key) == keys[:position].count(key)
        assert index.get(key) == keys[: position + 1].count(key)


def test_an_index_finds_its_keys_however_they_collide_and_however_far_it_grows() -> None:
    # They all belong in the same slot, and differ in other bits.
    keys = [f"{high:08x}{0:08x}{low:08x}{0:08x}" for high in range(20) for low in range(20)]
    index = KeyIndex()
    for number, key in enumerate(keys):
        index.add(key, number)
    assert [index.get(key) for key in keys] == [*range(len(keys))]
    assert index.get("f" * 32) is None


def test_a_number_that_does_not_fit_changes_nothing() -> None:
    index = KeyIndex()
    with pytest.raises(OverflowError):
        index.add("0" * 32, 2**64)
    assert index.get("0" * 32) is None
    assert len(index) == 0


@pytest.mark.parametrize(
    "count", [5_000, pytest.param(1_000_000, marks=pytest.mark.exhaustive, id="a million")]
)
def test_an_index_takes_about_35_bytes_for_each_key(count: int) -> None:
    keys = array("Q", range(count))
    tracemalloc.start()
    try:
        index = KeyIndex()
        for number in keys:
            # As of a hash function.
            index.add(f"{number:016x}{number * 0x9E3779B97F4A7C15 % 2**64:016x}", number)
        size, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert len(index) == count
    # Key and number take 24 bytes, slots from 6 to 12; arrays have a sixteenth in reserve.
    assert size < 39 * count
