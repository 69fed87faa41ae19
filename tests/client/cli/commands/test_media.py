"""`meshapi embed`, `image`, `speak`, `transcribe` and `rag`."""

import base64
import io
import json
import sys
from contextlib import redirect_stdout
from pathlib import Path
from typing import Any

import pytest

from meshapi import MeshAPI
from meshapi.cli import main
from meshapi.testing import LocalGateway
from support.scripted_server import Peer, ScriptedServer


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_each_text_gets_a_vector(gateway: LocalGateway, capfd: Any) -> None:
    assert main(["embed", "one text", "another", "--json"]) == 0
    found = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [one["text"] for one in found] == ["one text", "another"]
    assert all(len(one["embedding"]) == 1536 for one in found)


def test_each_line_that_is_piped_in_is_a_text(
    gateway: LocalGateway, capfd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("one\n\ntwo\n"))
    assert main(["embed", "--dimensions", "8"]) == 0
    found = [line.split("\t") for line in capfd.readouterr().out.splitlines()]
    assert [(text, size) for text, size, _ in found] == [("one", "8"), ("two", "8")]


def test_a_picture_is_saved_once(gateway: LocalGateway, capfd: Any) -> None:
    assert main(["image", "a", "fox"]) == 0
    assert capfd.readouterr().out == "image.png\n"
    picture = Path("image.png").read_bytes()
    assert picture.startswith(b"\x89PNG")
    assert main(["image", "a", "fox"]) == 2
    expected = "meshapi: image.png exists; --force replaces it, -o names another file\n"
    assert capfd.readouterr().err == expected
    assert main(["image", "a", "fox", "--force"]) == 0


def test_several_pictures_are_numbered(gateway: LocalGateway, capfd: Any) -> None:
    assert main(["image", "a fox", "-n", "2", "-o", "fox.png", "--json"]) == 0
    found = [json.loads(line) for line in capfd.readouterr().out.splitlines()]
    assert [one["path"] for one in found] == ["fox-1.png", "fox-2.png"]
    assert [one["bytes"] for one in found] == [Path(one["path"]).stat().st_size for one in found]


def responding(value: dict[str, Any]) -> ScriptedServer:
    body = json.dumps(value).encode()
    head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n"

    def respond(peer: Peer) -> None:
        peer.receive()
        peer.send(head.encode() + b"\r\n" + body)

    return ScriptedServer(respond)


def test_pictures_that_do_not_come_are_told(gateway: LocalGateway, capfd: Any) -> None:
    picture = base64.b64encode(b"\x89PNG\r\n\x1a\n").decode()
    with responding({"created": 1, "data": [{"b64_json": picture}]}) as server:
        command = ["image", "a fox", "-n", "3", "-o", "fox.png", "--base-url", server.url]
        assert main(command) == 1
    out, error = capfd.readouterr()
    assert out == "fox-1.png\n"
    assert error.startswith("meshapi: the gateway returned 1 of 3 pictures; ")
    assert error.count("\n") == 1


def test_vectors_that_do_not_come_are_told(gateway: LocalGateway, capfd: Any) -> None:
    vector = {"object": "embedding", "index": 0, "embedding": [0.5]}
    with responding({"object": "list", "model": "x", "data": [vector]}) as server:
        assert main(["embed", "one", "two", "--base-url", server.url]) == 1
    expected = "meshapi: the gateway returned 1 vectors for 2 texts; ask again\n"
    assert capfd.readouterr() == ("", expected)


def test_only_line_breaks_separate_texts(
    gateway: LocalGateway, capfd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("one\u2028two\x0bthree\nfour"))
    assert main(["embed", "--dimensions", "8", "--json"]) == 0
    found = [json.loads(line)["text"] for line in capfd.readouterr().out.splitlines()]
    assert found == ["one\u2028two\x0bthree", "four"]


def test_the_language_of_a_recording_may_be_said(gateway: LocalGateway) -> None:
    Path("sound.wav").write_bytes(b"RIFF\0\0\0\0WAVE")
    assert main(["transcribe", "sound.wav", "--language", "de"]) == 0
    (request,) = gateway.requests
    assert b'name="language_code"\r\n\r\nde\r\n' in request.body


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


@pytest.mark.skipif(sys.platform == "win32", reason="such names are none on Windows")
def test_names_of_documents_steer_no_terminal_and_write_no_lines(
    gateway: LocalGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    # It would set the clipboard of a terminal.
    path = Path("fox\x1b]52;c;eA==\x07\nfake\tname.txt")
    path.write_text("The fox is red.", "utf-8")
    with MeshAPI(base_url=gateway.url, token=gateway.token) as client:
        client.rag.upload_and_embed(path, poll_interval=0.01)
    monkeypatch.setenv("NO_COLOR", "1")
    lines = (["upload", "--no-wait", str(path)], ["search", "fox"], ["list"])
    for line, screen in ((line, stream()) for line in lines for stream in (io.StringIO, Screen)):
        with redirect_stdout(screen):
            assert main(["rag", *line]) == 0
        shown = screen.getvalue()
        assert "fox\\x1b]52;c;eA==\\x07" in shown
        assert not {"\x1b", "\x07"} & set(shown)
        assert not any(row.startswith("fake") for row in shown.splitlines())


def test_speech_is_saved_and_written_down(gateway: LocalGateway, capfd: Any) -> None:
    assert main(["speak", "Hello!", "-o", "hello.wav"]) == 0
    assert capfd.readouterr().out == "hello.wav\n"
    assert Path("hello.wav").read_bytes().startswith(b"RIFF")
    assert main(["transcribe", "hello.wav"]) == 0
    assert "bytes of WAV audio" in capfd.readouterr().out


@pytest.mark.slow
def test_documents_are_uploaded_and_found(gateway: LocalGateway, capfd: Any) -> None:
    Path("fox.txt").write_text("The fox is red.\n", "utf-8")
    assert main(["rag", "upload", "fox.txt"]) == 0
    name, path, status = capfd.readouterr().out.rstrip().split("\t")
    assert (path, status) == ("fox.txt", "ready")
    assert main(["rag", "search", "red", "fox"]) == 0
    assert capfd.readouterr().out.endswith("fox.txt\n  The fox is red.\n")
    assert main(["rag", "list"]) == 0
    assert capfd.readouterr().out == f"{name}\tfox.txt\t16\tready\n"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["embed"], "no text: write one after the command, or pipe in a text a line"),
        (["embed", " "], "no text: write one after the command, or pipe in a text a line"),
        (["image", "x", "-o", "no/x.png"], "--output: there is no folder no"),
        (["image", "x", "-n", "0"], "-n: expected a whole number from 1 to 10, got '0'"),
        (["speak", "x", "-o", "."], "--output: expected a file, got the folder ."),
        (["speak", "x", "--format", "mp4"], "--format: expected one of mp3, wav, pcm"),
        (["transcribe", "no.wav"], "cannot read no.wav: No such file or directory"),
        (["rag", "upload", "no.txt"], "cannot read no.txt: No such file or directory"),
        (["rag", "search"], "no question: write it after the command"),
        (["image"], 'no prompt: write it after the command ("A fox'),
        (["speak"], 'no text: write it after the command ("Good morning"), or pipe it in'),
        (["rag"], "no command: expected one of upload, search, list"),
    ],
)
def test_wrong_arguments_get_one_line(
    gateway: LocalGateway, capfd: Any, arguments: list[str], message: str
) -> None:
    assert main(arguments) == 2
    error = capfd.readouterr().err
    assert error.startswith(f"meshapi: {message}")
    assert error.count("\n") == 1
    assert gateway.requests == []


@pytest.mark.parametrize(
    ("command", "begins"),
    [
        (["image", "a fox"], b"\x89PNG"),
        (["speak", "Good morning.", "--format", "wav"], b"RIFF"),
    ],
)
def test_a_dash_is_standard_output(
    command: list[str], begins: bytes, gateway: LocalGateway, capfdbinary: Any, folder: Path
) -> None:
    assert main([*command, "-o", "-"]) == 0
    out, err = capfdbinary.readouterr()
    assert out.startswith(begins)
    assert err == b""
    assert list(folder.iterdir()) == []


@pytest.mark.parametrize(
    "command",
    [
        ["image", "a fox", "-n", "2"],
        ["image", "a fox", "--json"],
        ["speak", "Good morning.", "--json"],
    ],
)
def test_a_dash_is_refused_where_it_cannot_be(
    command: list[str], gateway: LocalGateway, capfd: Any, folder: Path
) -> None:
    assert main([*command, "-o", "-"]) == 2
    assert capfd.readouterr().err.startswith("meshapi: --output: - is standard output, ")
    assert gateway.requests == []


def test_nothing_found_is_an_error(gateway: LocalGateway, capfd: Any) -> None:
    assert main(["rag", "search", "red", "fox"]) == 1
    out, err = capfd.readouterr()
    assert out == ""
    assert err == "meshapi: nothing was found; `meshapi rag list` lists the documents\n"
