import io
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.bodies import PIECE, FileSource, OpenBody, StreamedBody, file_source, joined
from meshapi_core.errors import InvalidParamsError, MeshAPIError


class Source:
    """An open source in memory, which may fail."""

    def __init__(self, *pieces: bytes, length: Any = None, error: Any = None) -> None:
        self._pieces = pieces
        self._error = error
        self.length = sum(map(len, pieces)) if length is None else length
        self.closed = 0

    def pieces(self):
        yield from self._pieces
        if self._error is not None:
            raise self._error

    def close(self) -> None:
        self.closed += 1


parts = st.lists(
    st.binary(max_size=30)
    | st.lists(st.binary(min_size=1, max_size=9), max_size=4).map(lambda p: Source(*p)),
    max_size=6,
)


def whole(part: Any) -> bytes:
    return part if isinstance(part, bytes) else b"".join(part.pieces())


class TestOpenBody:
    @given(parts)
    def test_the_pieces_are_the_parts_in_order_and_the_length_is_theirs(self, parts):
        body = OpenBody(parts)
        expected = b"".join(map(whole, parts))
        for _ in range(2):
            pieces = list(body.pieces())
            assert b"".join(pieces) == expected
            assert all(pieces)
        assert len(body) == body.length == len(expected)
        assert bool(body) is bool(expected)

    @pytest.mark.parametrize("size", [0, 1, PIECE - 1, PIECE, PIECE + 1, 3 * PIECE])
    def test_bytes_are_cut(self, size):
        pieces = list(OpenBody([b"x" * size]).pieces())
        assert b"".join(pieces) == b"x" * size
        assert all(0 < len(piece) <= PIECE for piece in pieces)

    @pytest.mark.parametrize(
        "source",
        [Source(b"ab", length=3), Source(b"ab", b"cd", length=3), Source(length=1)],
        ids=["shorter", "longer", "gone"],
    )
    def test_a_file_that_changes_while_it_is_sent_is_an_error(self, source):
        pieces = OpenBody([b"head", source]).pieces()
        assert next(pieces) == b"head"
        with pytest.raises(MeshAPIError) as caught:
            list(pieces)
        assert caught.value.error_code == "source_changed"
        assert str(source.length) in caught.value.message

    def test_never_more_than_the_length_is_given_out(self):
        sent = b""
        with pytest.raises(MeshAPIError):
            for piece in OpenBody([Source(b"ab", b"cd", length=3)]).pieces():
                sent += piece
        assert len(sent) <= 3

    def test_a_file_that_cannot_be_read_is_not_a_network_error(self):
        cause = OSError(5, "Input/output error")
        with pytest.raises(MeshAPIError) as caught:
            list(OpenBody([Source(b"a", length=9, error=cause)]).pieces())
        assert caught.value.error_code == "source_unreadable"
        assert caught.value.__cause__ is cause
        assert "Input/output error" in caught.value.message

    def test_it_closes_what_is_open(self):
        sources = Source(b"a"), Source(b"b")
        body = OpenBody([sources[0], b"-", sources[1]])
        body.close()
        assert [source.closed for source in sources] == [1, 1]

    def test_it_shows_no_content(self):
        assert repr(OpenBody([b"secret", Source(b"content")])) == "<OpenBody of 13 bytes>"


class TestStreamedBody:
    def test_files_are_opened_in_order(self):
        seen = []

        def open_source(source: FileSource) -> Source:
            seen.append(source.content)
            return Source(source.content.encode())

        body = StreamedBody((b"1", FileSource("a"), b"2", FileSource("b"))).open(open_source)
        assert seen == ["a", "b"]
        assert b"".join(body.pieces()) == b"1a2b"

    @pytest.mark.parametrize("error", [OSError(2, "no"), KeyboardInterrupt(), InvalidParamsError])
    def test_what_was_opened_is_closed_where_the_next_one_fails(self, error):
        opened = []

        def open_source(source: FileSource) -> Source:
            if source.content == "bad":
                raise error
            opened.append(Source(b"x"))
            return opened[-1]

        body = StreamedBody((FileSource("a"), FileSource("b"), FileSource("bad")))
        if error is InvalidParamsError:
            error = InvalidParamsError("file", "bytes", "str")
        with pytest.raises(type(error)) as caught:
            body.open(open_source)
        assert caught.value is error
        assert [source.closed for source in opened] == [1, 1]

    def test_it_is_a_value_that_shows_nothing(self):
        body = StreamedBody((b"secret", FileSource("/somewhere/secret")))
        assert body == StreamedBody((b"secret", FileSource("/somewhere/secret")))
        assert repr(body) == "<StreamedBody of 2 parts>"
        assert repr(body.parts[1]) == "<FileSource str>"


class TestJoined:
    def test_what_is_in_memory_and_small_is_put_together(self):
        assert joined((b"a", FileSource(b"b"), b"c")) == b"abc"
        assert joined(()) == b""

    def test_what_is_large_or_on_disk_is_not_put_together(self):
        large = b"x" * (1024 * 1024)
        assert joined((large,)) == large
        assert joined((large, FileSource(b"b"))) == StreamedBody((large, b"b"))
        assert joined((b"a", FileSource("path"))) == StreamedBody((b"a", FileSource("path")))


class TestFileSource:
    @pytest.mark.parametrize(
        "value",
        [
            b"",
            b"content",
            bytearray(b"content"),
            memoryview(b"content"),
            "a/path",
            Path("a/path"),
            io.BytesIO(b"content"),
            [b"con", bytearray(b"tent")],
            (b"content",),
            [],
            iter([b"content"]),
            (piece for piece in [b"content"]),
            {b"content"},
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_what_can_be_the_content_of_a_file(self, value):
        assert file_source("file", value).content == value

    def test_what_could_change_meanwhile_is_copied(self):
        data = bytearray(b"content")
        source = file_source("file", data)
        data[:] = b"changed"
        assert source.content == b"content"

    @pytest.mark.parametrize(
        ("value", "where"),
        [
            (None, "file"),
            (7, "file"),
            (1.5, "file"),
            (True, "file"),
            ({"a": b"b"}, "file"),
            (object(), "file"),
            (io.StringIO("text"), "file"),
            (["text"], "file[0]"),
            ([b"a", 7], "file[1]"),
            (range(3), "file[0]"),
        ],
        ids=lambda value: type(value).__name__,
    )
    def test_what_cannot_be_the_content_of_a_file(self, value, where):
        with pytest.raises(InvalidParamsError) as caught:
            file_source("file", value)
        assert caught.value.field == where

    def test_a_file_open_as_text_is_refused_with_the_way_out(self, tmp_path):
        path = tmp_path / "a.txt"
        path.write_text("text")
        with path.open() as file, pytest.raises(InvalidParamsError, match='"rb"'):
            file_source("file", file)
        with path.open("rb") as file:
            assert file_source("file", file).content is file

    def test_temporary_files_of_all_kinds_will_do(self):
        for make in (
            tempfile.TemporaryFile,
            tempfile.NamedTemporaryFile,
            tempfile.SpooledTemporaryFile,
        ):
            with make() as file:
                assert file_source("file", file).content is file

    def test_a_tuple_says_what_a_file_is_called_and_of_which_type_it_is(self, tmp_path):
        with (tmp_path / "a.bin").open("w+b") as file:
            source = file_source("file", ("b.png", file, "image/png"))
            assert (source.content, source.name, source.content_type) == (
                file,
                "b.png",
                "image/png",
            )
            source = file_source("file", (None, file))
            assert (source.content, source.name, source.content_type) == (file, "a.bin", "")
        assert file_source("file", (b"a", b"b")).content == (b"a", b"b")
        assert file_source("file", ()).content == ()

    @pytest.mark.parametrize(
        ("value", "message"),
        [
            (("a.png",), "file: expected (name, content) or (name, content, media type), got a tu"),
            (("a", b"", "b", {}), "file: expected (name, content) or (name, content, media type)"),
            (("a.png", 5), "file[1]: expected bytes, a path, an open file, or an iterable of byte"),
            (("a.png", ("b", b"")), "file[1][0]: expected bytes, got str"),
            (("a.png", b"", 5), "file[2]: expected str, got int"),
            (
                ("a.png", b"", "a\nb"),
                "file[2]: expected a media type, such as image/png, got text that no header can",
            ),
        ],
    )
    def test_a_tuple_that_is_built_wrong_is_refused_by_its_place(self, value, message):
        with pytest.raises(InvalidParamsError) as caught:
            file_source("file", value)
        assert str(caught.value).startswith(message)

    def test_names_are_without_their_folder(self, tmp_path):
        path = tmp_path / "a b.mp3"
        path.write_bytes(b"")
        with path.open("rb") as file, tempfile.TemporaryFile() as nameless:
            names = [
                FileSource(content).name
                for content in (path, str(path), file, "C:\\x\\y.wav", "y.wav", nameless)
            ]
        assert names == ["a b.mp3", "a b.mp3", "a b.mp3", "y.wav", "y.wav", ""]
        for content in (b"bytes", io.BytesIO(), [b"a"], b"".join):
            assert FileSource(content).name == ""
