"""What a command reads: words, files by `@name`, and standard input."""

import io
import os
from pathlib import Path

import pytest

from meshapi.cli import inputs, main
from meshapi.cli.inputs import json_in, question_in, text_of
from meshapi.cli.problems import UsageError
from meshapi.testing import LocalGateway


class Piped(io.TextIOWrapper):
    """Bytes in a pipe."""

    def __init__(self, content: bytes) -> None:
        super().__init__(io.BytesIO(content), encoding="utf-8")


@pytest.mark.parametrize(
    ("word", "text"),
    [("word", "word"), ("@@word", "@word"), ("@", "@"), ("a@b", "a@b"), ("", "")],
)
def test_other_words_are_themselves(word: str, text: str) -> None:
    assert text_of(word) == text


def test_a_word_with_an_at_is_the_text_of_a_file(tmp_path: Path) -> None:
    (tmp_path / "notes").write_bytes(b"\xef\xbb\xbfcaf\xc3\xa9\n")
    assert text_of(f"@{tmp_path / 'notes'}") == "café\n"


@pytest.mark.parametrize(
    ("words", "piped", "question"),
    [
        (["what", "is"], b"", "what is"),
        ([], b"what\nis\n", "what\nis"),
        (["what"], b"see below\n", "what\n\nsee below"),
        (["what", "-", "is"], b"between\n", "what is\n\nbetween"),
        (["@@home", "is"], b" \n", "@home is"),
    ],
)
def test_a_question_is_the_words_and_then_what_is_piped_in(
    words: list[str], piped: bytes, question: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("sys.stdin", Piped(piped))
    assert question_in(words) == question


def test_files_are_paragraphs_of_a_question(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("1\n2\n")
    (tmp_path / "b").write_text("3")
    asked = ["Add", f"@{tmp_path / 'a'}", "up", f"@{tmp_path / 'b'}"]
    assert question_in(asked) == "Add up\n\n1\n2\n\n3"


@pytest.mark.parametrize("words", [[], [""], [" ", "\n"]])
def test_an_empty_question_is_refused(words: list[str]) -> None:
    with pytest.raises(UsageError, match=r"^no question: write it after the command"):
        question_in(words)


@pytest.mark.parametrize(
    ("content", "told"),
    [
        (b"\x89PNG\r\n", "is not text: expected UTF-8, got byte 0x89 at 0"),
        (b"caf\xe9", "is not text: expected UTF-8, got byte 0xe9 at 3"),
        (b"x" * 101, "is too large: expected at most"),
    ],
)
def test_what_is_no_text_is_refused_in_files_and_in_pipes(
    content: bytes, told: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(inputs, "MOST_TEXT", 100)
    (tmp_path / "file").write_bytes(content)
    with pytest.raises(UsageError) as refused:
        text_of(f"@{tmp_path / 'file'}")
    assert str(refused.value).startswith(f"{tmp_path / 'file'} {told}")
    monkeypatch.setattr("sys.stdin", Piped(content))
    with pytest.raises(UsageError) as refused:
        question_in([])
    assert str(refused.value).startswith(f"standard input {told}")


@pytest.mark.parametrize("name", ["none", ".", "a\0b"])
def test_a_file_that_cannot_be_read_is_named(name: str, tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"^cannot read .*: "):
        text_of(f"@{tmp_path}{os.sep}{name}")


def test_a_word_that_only_looks_like_a_file_says_how_to_write_it() -> None:
    with pytest.raises(UsageError, match=r"; @@ begins a word with @$"):
        text_of("@property")


def test_json_is_read_from_a_file_or_refused(tmp_path: Path) -> None:
    (tmp_path / "good").write_text('{"a": 1}')
    (tmp_path / "bad").write_text("{a: 1}")
    assert json_in(str(tmp_path / "good")) == json_in(f"@{tmp_path / 'good'}") == {"a": 1}
    with pytest.raises(UsageError, match="bad is not JSON: "):
        json_in(str(tmp_path / "bad"))
    (tmp_path / "deep").write_text("[" * 100_000)
    with pytest.raises(UsageError, match=r"deep is not JSON that can be read: it is nested too"):
        json_in(str(tmp_path / "deep"))


@pytest.mark.parametrize("command", [["realtime"], ["map", "-", "-p", "{n}"]])
def test_piped_lines_that_are_not_text_are_refused(
    command: list[str],
    gateway: LocalGateway,
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
) -> None:
    # As Python reads them in the locale C.
    lines = io.TextIOWrapper(io.BytesIO(b"\xff\n"), encoding="ascii", errors="surrogateescape")
    monkeypatch.setattr("sys.stdin", lines)
    assert main(command) == 2
    error = capfd.readouterr().err
    assert error == "meshapi: standard input is not text: expected UTF-8, got byte 0xff\n"
