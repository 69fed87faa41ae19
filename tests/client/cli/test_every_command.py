"""What holds for every command: JSON lines, wrong tokens, no network, no reader."""

import io
import json
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, redirect_stderr, redirect_stdout, suppress
from pathlib import Path
from typing import Any

import pytest

from meshapi import MeshAPI
from meshapi.cli import main
from meshapi.cli.commands import COMMANDS
from meshapi.testing import LocalGateway
from support.commands import TOKEN

MODEL = "openai/gpt-4o-mini"
ROWS = f"in.jsonl --prompt {{n}} --model {MODEL}"

# Each command with arguments that work; {batch} is the ID of a batch that is completed.
LINES = (
    "chat Hi",
    f"compare Hi --models {MODEL},openai/gpt-4o",
    f"map {ROWS}",
    f"map {ROWS} --output out.jsonl",
    f"batch submit {ROWS}",
    "batch wait {batch}",
    "batch results {batch}",
    "batch results {batch} --output results.jsonl",
    "batch cancel {open_batch}",
    "batch list",
    "embed fox --dimensions 4",
    "image fox",
    "speak Hi",
    "transcribe sound.wav",
    "rag upload fox.txt --no-wait",
    "rag search fox",
    "rag list",
    "models",
    "realtime Hi",
    "usage --days 1",
    "doctor",
)

# They call no gateway but one that they start themselves, or none.
ALONE = {"gateway", "demo", "completion"}

# Those that have a model.
ASKING = (
    "chat Hi",
    "compare Hi --models {model},acme/no",
    "map in.jsonl --prompt {{n}}",
    "embed fox",
    "image fox",
    "speak Hi",
    "transcribe sound.wav",
    "realtime Hi",
)


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    Path("in.jsonl").write_text('{"n": "one"}\n', "utf-8")
    Path("sound.wav").write_bytes(b"RIFF\0\0\0\0WAVE")
    Path("fox.txt").write_text("The fox is red.", "utf-8")
    return tmp_path


def words(line: str, gateway: LocalGateway) -> list[str]:
    """Return the words of a line, with a batch or a document if it needs one."""
    found: dict[str, str] = {}
    if "batch}" in line:
        body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]}
        with MeshAPI(base_url=gateway.url, token=TOKEN) as client:
            for name in ("batch", "open_batch"):
                requests = [{"custom_id": "x", "body": body}]
                found[name] = client.batches.create(requests=requests).id
            client.batches.wait(found["batch"], poll_interval=0.01)
    if line == "rag search fox":
        with MeshAPI(base_url=gateway.url, token=TOKEN) as client:
            client.rag.upload_and_embed(Path("fox.txt"), poll_interval=0.01)
    return [word.format(n="{n}", **found) if "batch}" in word else word for word in line.split()]


def test_every_command_is_here() -> None:
    known = {
        f"{command.name} {below.name}" for command in COMMANDS for below in command.commands
    } | {command.name for command in COMMANDS if not command.commands}
    named = {line if line in known else " ".join(line.split()[:2]) for line in LINES}
    here = {name if name in known else name.split()[0] for name in named}
    assert here == known - ALONE


@pytest.mark.parametrize("line", LINES)
def test_with_json_each_line_is_one_object(gateway: LocalGateway, capfd: Any, line: str) -> None:
    command = words(line, gateway)
    assert main([*command, "--json"]) == 0
    out, error = capfd.readouterr()
    found = [json.loads(row) for row in out.splitlines()]
    assert all(isinstance(row, dict) for row in found)
    assert found or line in ("rag list", "batch list")
    assert error == ""


@pytest.mark.parametrize("line", LINES)
def test_in_a_pipe_nothing_is_written_but_the_result(
    gateway: LocalGateway, capfd: Any, line: str
) -> None:
    assert main(words(line, gateway)) == 0
    out, error = capfd.readouterr()
    assert error == ""
    assert "\x1b" not in out
    assert out or "--output" in line or line in ("rag list", "batch list")


@pytest.mark.parametrize("line", [line for line in LINES if line != "doctor"])
def test_a_wrong_token_is_told_in_one_line(
    gateway: LocalGateway, capfd: Any, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    command = words(line, gateway)
    monkeypatch.setenv("MESHAPI_TOKEN", "rsk_test_other")
    assert main(command) == 3
    error = capfd.readouterr().err
    assert error.startswith("meshapi: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize("line", [line for line in LINES if line != "doctor"])
def test_no_token_is_told_before_anything_is_sent(
    gateway: LocalGateway, capfd: Any, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.delenv("MESHAPI_TOKEN")
    assert main(line.split()) == 3
    assert capfd.readouterr().err.startswith("meshapi: no token: MESHAPI_TOKEN is not set; set it")
    assert gateway.requests == []


@pytest.mark.parametrize("line", [line for line in LINES if line != "doctor"])
def test_no_network_is_told_in_one_line(
    capfd: Any, monkeypatch: pytest.MonkeyPatch, line: str
) -> None:
    monkeypatch.setenv("MESHAPI_BASE_URL", "http://127.0.0.1:1")
    monkeypatch.setenv("MESHAPI_TOKEN", TOKEN)
    monkeypatch.setenv("MESHAPI_MAX_RETRIES", "0")
    # A run goes on after a failed call, which its results tell.
    assert main(line.split()) == (1 if line.startswith("map") else 4)
    error = capfd.readouterr().err
    assert error.startswith("meshapi: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize("line", ASKING)
def test_an_unknown_model_is_told_in_one_line(gateway: LocalGateway, capfd: Any, line: str) -> None:
    command = line.format(model="acme/none").split()
    if "{model}" not in line:
        command += ["--model", "acme/none"]
    assert main(command) == 1
    error = capfd.readouterr().err
    assert error.startswith("meshapi: ")
    assert error.count("\n") == 1


@pytest.mark.parametrize("line", ["chat Hi", "realtime Hi", "embed Hi", "speak Hi", "image Hi"])
def test_a_time_limit_ends_a_command(gateway: LocalGateway, capfd: Any, line: str) -> None:
    # A stream of this model goes on with pings.
    command = [*line.split(), "--model", "mesh/stall", "--timeout", "0.1"]
    assert main(command) == 4
    error = capfd.readouterr().err
    assert error.startswith("meshapi: ")
    assert "longer than 0.1 s" in error
    assert error.endswith(", and --timeout SECONDS allows more time\n")
    assert "Timeout(" not in error
    assert sum(request.path.startswith("/v1/") for request in gateway.requests) <= 2


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
def test_an_error_that_nobody_reads_keeps_its_exit_status(gateway: LocalGateway) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    errors = os.fdopen(writer, "w", encoding="utf-8")
    with redirect_stderr(errors):
        assert main(["chat", "Hi", "--model", "acme/none"]) == 1
    with suppress(OSError):
        errors.close()


@contextmanager
def unread() -> Generator[None, None, None]:
    """Let standard output be a pipe whose reader has gone, as in `| true`."""
    reader, writer = os.pipe()
    os.close(reader)
    with open(writer, "w", encoding="utf-8") as stdout, redirect_stdout(stdout):
        yield


@pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
@pytest.mark.parametrize("line", [line for line in LINES if "--output" not in line])
@pytest.mark.parametrize("as_json", [False, True])
def test_a_reader_that_has_gone_ends_a_command_quietly(
    gateway: LocalGateway, capfd: Any, line: str, as_json: bool
) -> None:
    prepared = words(line, gateway)
    if line in ("rag list", "batch list"):
        with MeshAPI(base_url=gateway.url, token=TOKEN) as client:
            client.rag.upload_and_embed(Path("fox.txt"), poll_interval=0.01)
            body = {"model": MODEL, "messages": [{"role": "user", "content": "Hi"}]}
            client.batches.create(requests=[{"custom_id": "x", "body": body}])
    with unread():
        assert main([*prepared, *(["--json"] if as_json else [])]) == 141
    assert capfd.readouterr().err == ""


def test_words_that_are_piped_in_are_a_question(
    gateway: LocalGateway, capfd: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("What is 2+2?\r\n"))
    assert main(["compare", "--models", f"{MODEL},openai/gpt-4o"]) == 0
    assert capfd.readouterr().out.count("2 + 2 = 4.") == 2
