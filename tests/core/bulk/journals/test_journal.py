"""A journal, fed as bytes that are cut anywhere: what it has recorded, and what it refuses."""

import json
import tracemalloc
from typing import Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core import APITimeoutError, Headers, JournalError, MeshAPIConfig
from meshapi_core.bulk.journals.journal import Journal, Place, gateway_of
from meshapi_core.bulk.journals.records import Record
from meshapi_core.messages import Response

GATEWAY = "https://api.example/eu"
FIRST, SECOND, THIRD = ("1" * 32, "2" * 32, "3" * 32)


def new() -> Journal:
    return Journal("run.jsonl", "a-run")


HEADER = new().header(GATEWAY, FIRST)


def ok(key: str, text: str = "4") -> bytes:
    response = Response(200, Headers(), json.dumps({"text": text}).encode())
    return new().line_of(Record.of_response(key, f"item {key[0]}", response))


def failed(key: str) -> bytes:
    error = APITimeoutError("slow", phase="read")
    return new().line_of(Record.of_error(key, f"item {key[0]}", error))


def fed(*pieces: bytes) -> Journal:
    journal = new()
    for piece in pieces:
        journal.feed(piece)
    journal.end()
    return journal


def found(journal: Journal, content: bytes) -> dict[str, Any]:
    """What the journal has of each call, with the ID that is in its line."""
    told = {}
    for key in (FIRST, SECOND, THIRD):
        place = journal.find(key)
        if place is not None:
            line = content[place.offset :].partition(b"\n")[0]
            record = journal.read(line)
            assert record.key == key
            assert (record.error is None) == place.ok
            told[key] = (place.failures, place.ok)
    return told


def refusal(*pieces: bytes) -> JournalError:
    with pytest.raises(JournalError) as caught:
        fed(*pieces)
    assert "the journal run.jsonl: " in str(caught.value)
    return caught.value


def test_a_new_journal_has_nothing_and_gets_a_header() -> None:
    journal = fed()
    assert (journal.is_new, journal.size, journal.find(FIRST)) == (True, 0, None)
    journal.check(GATEWAY, FIRST, resume=False)
    header = journal.header(GATEWAY, FIRST)
    assert json.loads(header) == {
        "journal": "meshapi",
        "version": 1,
        "gateway": GATEWAY,
        "run": "a-run",
        "first": FIRST,
    }
    journal.appended(header)
    again = Journal("run.jsonl", "another")
    again.feed(header)
    assert again.end() == len(header)
    assert (again.run, again.gateway, again.first, again.is_new) == ("a-run", GATEWAY, FIRST, False)


def test_a_journal_knows_what_was_recorded_and_where() -> None:
    content = HEADER + failed(FIRST) + ok(SECOND) + failed(THIRD) + failed(FIRST) + ok(THIRD)
    journal = fed(content)
    assert found(journal, content) == {FIRST: (2, False), SECOND: (0, True), THIRD: (1, True)}
    assert (journal.succeeded, journal.failed) == (2, 1)
    assert journal.size == len(content)


def test_a_call_that_has_succeeded_stays_so() -> None:
    content = HEADER + ok(FIRST, "one") + failed(FIRST) + ok(FIRST, "two")
    journal = fed(content)
    place = journal.find(FIRST)
    assert place == Place(len(HEADER), 0, True)
    assert (journal.succeeded, journal.failed) == (1, 0)


LINES = st.sampled_from([*map(ok, (FIRST, SECOND)), *map(failed, (FIRST, THIRD)), b"\n"])


@given(st.lists(LINES, max_size=6), st.lists(st.integers(0, 2000)))
def test_it_makes_no_difference_where_the_bytes_are_cut(
    lines: list[bytes], cuts: list[int]
) -> None:
    content = HEADER + b"".join(lines)
    places = sorted({0, len(content), *(cut for cut in cuts if cut < len(content))})
    pieces = [content[one:other] for one, other in zip(places, places[1:])]
    whole, cut = fed(content), fed(*pieces)
    assert found(whole, content) == found(cut, content)
    assert whole.size == cut.size == len(content)


def test_whatever_a_crash_leaves_of_the_last_line_the_others_are_kept() -> None:
    lines = [HEADER, failed(FIRST), ok(SECOND), ok(FIRST, "größer")]
    content = b"".join(lines)
    for size in range(len(content) + 1):
        journal = new()
        journal.feed(content[:size])
        valid = journal.end()
        whole = [line for line in lines if content.find(line) + len(line) <= size]
        # A line may also be whole without its line feed.
        expected = b"".join(whole)
        if journal.needs_line_feed:
            assert content[size : size + 1] == b"\n"
            assert valid == size
        else:
            assert valid == len(expected)
        # After it was made ready, it goes on as if nothing had happened.
        ready = content[:valid] + (b"\n" if journal.needs_line_feed else b"")
        if journal.is_new:
            assert ready == b""
            ready = HEADER
        again = fed(ready, ok(THIRD))
        assert again.find(THIRD) == Place(len(ready), 0, True)
        assert again.succeeded + again.failed == 1 + (ready != HEADER) + ready.count(b"item 2")


def test_lines_of_other_kinds_are_passed_over_and_can_be_found() -> None:
    note = new().note_of({"batch": "b-1", "keys": [FIRST, SECOND], "endpoint": "/v1/embeddings"})
    later = b'{"from a later version":{"key":"x"},"n":[1]}\n'
    content = HEADER + ok(FIRST) + note + later + ok(SECOND)
    journal = fed(content)
    assert journal.notes == [content.index(note), content.index(later)]
    assert found(journal, content) == {FIRST: (0, True), SECOND: (0, True)}


def test_what_was_appended_can_be_found() -> None:
    journal = fed(HEADER + ok(FIRST)[:-1])
    assert journal.needs_line_feed
    content = HEADER + ok(FIRST)
    journal.appended(b"\n")
    for line in (failed(SECOND), journal.note_of({"batch": "b"}), ok(SECOND)):
        journal.appended(line)
        content += line
    assert not journal.needs_line_feed
    assert journal.size == len(content)
    assert found(journal, content) == {FIRST: (0, True), SECOND: (1, True)}


@pytest.mark.parametrize(
    "content",
    [
        b"hello",
        b"id,text\n1,a\n",
        b'{"id":"row-1"}',
        b'{"id":"row-1"}\n{"id":"row-2"}\n',
        b'{"journal":"of another program"}\n',
        b'{"journal":"meshapi"}\n',
        b"\n",
        b"\x00" * 4096,
        b'[{"journal":"meshapi",',
        ok(FIRST),
        ok(FIRST)[:-5],
    ],
)
def test_a_file_that_is_no_journal_is_refused(content: bytes) -> None:
    error = refusal(content)
    assert error.error_code == "journal_mismatch"
    assert "it is not a journal" in str(error)


def test_a_journal_of_a_later_version_is_refused() -> None:
    error = refusal(HEADER.replace(b'"version":1', b'"version":2'))
    assert error.error_code == "journal_mismatch"
    assert "version 2" in str(error)


@pytest.mark.parametrize(
    "line",
    [
        b"\x00\x00\x00\n",
        ok(SECOND)[:40] + b"\n",
        ok(SECOND)[:40] + ok(SECOND),
        b"[1]\n",
        b'{"key":5}\n',
        b'{"key":"not hexadecimal, but 32 letters."}\n',
        b'{"key":"-0000000000000000000000000000001"}\n',
        b'{"key":"12"}\n',
        b'{"key":"' + FIRST.encode() + b'","error":"x"}\n',
        b"\xff\n",
        b"[" * 5000 + b"]" * 5000 + b"\n",
    ],
)
def test_a_bad_line_in_the_middle_is_named(line: bytes) -> None:
    for rest in (b"", ok(THIRD)):
        error = refusal(HEADER + ok(FIRST) + line + rest)
        assert error.error_code == "journal_damaged"
        assert "line 3 is not as it was written" in str(error)


PARTS = st.sampled_from([ok(FIRST), failed(SECOND)]).flatmap(
    lambda line: st.builds(
        lambda start, size, with_: line[:start] + with_ + line[start + size :],
        st.integers(0, len(line)),
        st.integers(0, 9),
        st.binary(max_size=3) | st.sampled_from([b"\n", b"0", b'"', b"null", b"{}"]),
    )
)


@given(st.sampled_from([b"", HEADER]), st.lists(PARTS, max_size=3))
def test_whatever_is_in_a_file_it_is_a_journal_or_refused(start: bytes, parts: list[bytes]) -> None:
    content = start + b"".join(parts)
    try:
        journal = fed(content)
    except JournalError as exc:
        assert exc.error_code in ("journal_damaged", "journal_mismatch")
        return
    for key in (FIRST, SECOND):
        place = journal.find(key)
        if place is not None:
            try:
                record = journal.read(content[place.offset :].partition(b"\n")[0])
            except JournalError as exc:
                assert exc.error_code == "journal_damaged"
            else:
                assert record.key == key


def test_a_record_that_cannot_be_read_is_named() -> None:
    journal = fed(HEADER)
    for line in (b"{}", b'{"key":"x","output":"%","output_encoding":"base64"}', b"{", b""):
        with pytest.raises(JournalError, match="a record cannot be read") as caught:
            journal.read(line)
        assert caught.value.error_code == "journal_damaged"


def refused(journal: Journal, first: Optional[str], gateway: str = GATEWAY, **how: Any) -> str:
    with pytest.raises(JournalError) as caught:
        journal.check(gateway, first, **how)
    return caught.value.error_code


def test_the_journal_of_another_run_is_refused() -> None:
    journal = fed(HEADER + ok(FIRST) + failed(SECOND))
    assert refused(journal, THIRD) == "journal_mismatch"
    assert refused(journal, FIRST, "https://api.example") == "journal_mismatch"
    for first in (FIRST, SECOND, None):
        journal.check(GATEWAY, first)
        assert refused(journal, first, resume=False) == "journal_exists"


def test_a_run_may_begin_with_a_call_that_was_only_recorded() -> None:
    # The first one of before was removed, or the order has changed.
    journal = fed(HEADER + ok(SECOND))
    journal.check(GATEWAY, SECOND)
    journal.check(GATEWAY, FIRST)
    assert refused(journal, THIRD) == "journal_mismatch"


def test_a_journal_in_which_nothing_is_recorded_belongs_to_any_run() -> None:
    journal = fed(HEADER)
    for how in (True, False):
        journal.check(GATEWAY, THIRD, resume=how)
    assert refused(journal, THIRD, "http://other.example") == "journal_mismatch"


def test_the_gateway_is_named_without_what_is_secret() -> None:
    config = MeshAPIConfig(base_url="https://api.example:8443/eu/", token="rsk_test_1234567890")
    assert gateway_of(config) == "https://api.example:8443/eu"
    journal = new()
    assert b"rsk_test" not in journal.header(gateway_of(config), FIRST)
    assert repr(journal) == "<Journal 'run.jsonl': 0 succeeded, 0 failed>"


@pytest.mark.slow
@pytest.mark.parametrize(
    "count", [5_000, pytest.param(1_000_000, marks=pytest.mark.exhaustive, id="a million")]
)
def test_many_records_are_indexed_in_little_memory(count: int) -> None:
    line = ok("*" * 32, "text " * 20)
    journal = new()
    journal.feed(HEADER)
    tracemalloc.start()
    try:
        for start in range(0, count, 1000):
            keys = (
                f"{n * 0x9E3779B97F4A7C15 % 2**64:016x}" * 2 for n in range(start, start + 1000)
            )
            journal.feed(b"".join(line.replace(b"*" * 32, key.encode()) for key in keys))
        journal.end()
        size, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert journal.succeeded == count
    assert size < 40 * count
    # While it grows, the index has its old slots beside the new ones.
    assert most < 40 * count + 1024 * 1024
