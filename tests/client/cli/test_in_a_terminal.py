"""Commands on a real terminal: what is typed, Ctrl-C, narrow and plain terminals."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from meshapi import MeshAPI
from meshapi.testing import LocalGateway

if sys.platform == "win32":
    pytest.skip("terminals of POSIX", allow_module_level=True)

from support.commands import MESHAPI, TOKEN, environment
from support.pseudo_terminal import seen_in_terminal

pytestmark = pytest.mark.slow

CTRL_C, CTRL_D = "\x03", "\x04"


def test_ctrl_c_ends_an_answer_and_the_conversation_goes_on() -> None:
    with LocalGateway(token=TOKEN, words_per_second=20) as gateway:
        seen = seen_in_terminal(
            [*MESHAPI, "chat"],
            {**environment(gateway), "TERM": "dumb"},
            [
                ("> ", "Repeat: one\n"),
                ("> ", "Count to 1000\n"),
                ("1 2 3", CTRL_C),
                ("turn is forgotten", ""),
                ("> ", f"half a line{CTRL_C}"),
                ("> ", "/new\n"),
                ("> ", "\n"),
                ("> ", "Repeat: two\n"),
                ("> ", CTRL_D),
            ],
        )
        messages = [request.json()["messages"] for request in gateway.requests]
    assert seen.exit_code == 0
    assert "\none\n> Count to 1000\n1 2 3" in seen.text
    assert seen.text.endswith("> Repeat: two\ntwo\n> \n")
    assert "meshapi:" not in seen.text
    # The first turn was sent again with the second; after /new, none was.
    assert [len(sent) for sent in messages] == [1, 3, 1]


def test_an_error_ends_a_turn_and_the_conversation_goes_on(gateway: LocalGateway) -> None:
    seen = seen_in_terminal(
        [*MESHAPI, "chat", "--model", "mesh/error-in-stream"],
        {**environment(gateway), "TERM": "dumb"},
        [("> ", "Count to 6\n"), ("> ", "/exit\n")],
    )
    assert seen.exit_code == 0
    assert seen.text.count("meshapi: Upstream") == 1


def test_ctrl_c_ends_a_single_answer() -> None:
    with LocalGateway(token=TOKEN, words_per_second=20) as gateway:
        seen = seen_in_terminal(
            [*MESHAPI, "chat", "Count to 1000"], environment(gateway), [("1 2 3", CTRL_C)]
        )
    assert seen.exit_code == 130
    assert seen.text.endswith("\n")
    assert "Traceback" not in seen.text


@pytest.mark.parametrize(
    ("variables", "coloured"),
    [({"TERM": "xterm"}, True), ({"TERM": "dumb"}, False), ({"NO_COLOR": "1"}, False)],
)
def test_colours_are_for_terminals_that_want_them(
    variables: dict[str, str], coloured: bool, gateway: LocalGateway
) -> None:
    own = {name: value for name, value in environment(gateway).items() if name != "NO_COLOR"}
    seen = seen_in_terminal(
        [*MESHAPI, "models", "claude"], {"TERM": "xterm", **own, **variables}, columns=20
    )
    assert seen.exit_code == 0
    assert ("\x1b" in seen.raw) is coloured
    assert seen.text.startswith("anthropic/claude-haiku-4.5\n  kind text\n")


def test_a_reader_that_leaves_ends_help_quietly() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        done = subprocess.run(
            [*MESHAPI, "chat", "--help"],
            stdin=subprocess.DEVNULL,
            stdout=writer,
            stderr=subprocess.PIPE,
            timeout=60,
            check=False,
        )
    finally:
        os.close(writer)
    assert (done.returncode, done.stderr) == (141, b"")


def test_words_that_are_not_utf_8_are_refused_in_one_line(gateway: LocalGateway) -> None:
    done = subprocess.run(
        [*map(os.fsencode, MESHAPI), b"chat", b"caf\xe9"],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        env=environment(gateway),
        timeout=60,
        check=False,
    )
    assert done.returncode == 2
    assert done.stderr.startswith(b"meshapi: messages[0].content")
    assert done.stderr.count(b"\n") == 1


def test_a_conversation_in_a_pipe_has_no_prompts(gateway: LocalGateway, tmp_path: Path) -> None:
    shell = 'exec "$@" > answers'
    seen = seen_in_terminal(
        ["sh", "-c", shell, "sh", *MESHAPI, "chat"],
        environment(gateway),
        [("", f"Repeat: one\n{CTRL_D}")],
        cwd=str(tmp_path),
    )
    assert seen.exit_code == 0
    assert (tmp_path / "answers").read_text("utf-8") == "one\n"


SLOW = ["--model", "mesh/stall"]


@pytest.mark.parametrize(
    "command",
    [
        ["chat", "Hi", *SLOW],
        ["compare", "Hi", "--models", "mesh/stall,mesh/slow"],
        ["map", "in.jsonl", "--prompt", "{n}", *SLOW],
        ["map", "in.jsonl", "--prompt", "{n}", "-o", "out.jsonl", *SLOW],
        ["embed", "Hi", *SLOW],
        ["image", "Hi", *SLOW],
        ["speak", "Hi", *SLOW],
        ["transcribe", "in.jsonl", *SLOW],
        ["realtime", "Hi", *SLOW],
        ["batch", "wait", "{batch}"],
    ],
    ids=" ".join,
)
def test_ctrl_c_ends_what_takes_long(
    gateway: LocalGateway, tmp_path: Path, command: list[str]
) -> None:
    (tmp_path / "in.jsonl").write_text('{"n": "one"}\n', "utf-8")
    with MeshAPI(base_url=gateway.url, token=TOKEN) as client:
        body = {"model": "mesh/stall", "messages": [{"role": "user", "content": "Hi"}]}
        batch = client.batches.create(requests=[{"custom_id": "x", "body": body}])
    before = len(gateway.requests)
    words = [batch.id if word == "{batch}" else word for word in command]
    seen = seen_in_terminal(
        [*MESHAPI, *words],
        environment(gateway),
        [(lambda: len(gateway.requests) > before, CTRL_C)],
        cwd=str(tmp_path),
    )
    assert seen.exit_code == 130
    assert "Traceback" not in seen.text
    # A cursor that was hidden is shown again.
    assert seen.raw.rfind("\x1b[?25l") <= seen.raw.rfind("\x1b[?25h")
    # What was not complete leaves no file.
    assert {path.name for path in tmp_path.iterdir()} <= {"in.jsonl", "out.jsonl.journal"}
    if command[0] == "map":
        assert "meshapi: interrupted after 0 calls; " in seen.text
        assert "the same command " in seen.text


def test_a_conversation_says_what_it_does_not_send(gateway: LocalGateway) -> None:
    seen = seen_in_terminal(
        [*MESHAPI, "chat"],
        {**environment(gateway), "TERM": "dumb"},
        [
            ("> ", "/nonsense now\n"),
            ("> ", "//help\n"),
            ("> ", "/new\n"),
            ("> ", "/exit\n"),
        ],
    )
    assert seen.exit_code == 0
    assert "\nmeshapi: unknown command /nonsense: expected /new, /help or /exit; " in seen.text
    assert "\nWhat was said is forgotten.\n" in seen.text
    asked = [request.json()["messages"][-1]["content"] for request in gateway.requests]
    assert asked == ["/help"]


@pytest.mark.parametrize(
    ("model", "shown"),
    [
        ("length", "\nmeshapi: the answer is cut off: it has reached its limit of model tokens\n"),
        ("refusal", "\nI can't help with that.\nmeshapi: the model refused to answer\n"),
    ],
)
def test_a_conversation_says_that_an_answer_is_not_whole(
    model: str, shown: str, gateway: LocalGateway
) -> None:
    seen = seen_in_terminal(
        [*MESHAPI, "chat", "--model", f"mesh/{model}"],
        {**environment(gateway), "TERM": "dumb"},
        [("> ", "Count to 100\n"), ("> ", "/exit\n")],
    )
    assert seen.exit_code == 0
    assert shown in seen.text


def test_passages_are_in_colour(gateway: LocalGateway) -> None:
    with MeshAPI(base_url=gateway.url, token=TOKEN) as client:
        client.rag.upload_and_embed(("fox.txt", b"The fox is red."))
    own = {name: value for name, value in environment(gateway).items() if name != "NO_COLOR"}
    seen = seen_in_terminal([*MESHAPI, "rag", "search", "a red fox"], {**own, "TERM": "xterm"})
    assert seen.raw.startswith("\x1b[1m0.667\x1b[0m  fox.txt\r\n")


@pytest.mark.parametrize("command", ["image", "speak"])
def test_bytes_are_not_for_a_terminal(command: str, gateway: LocalGateway) -> None:
    seen = seen_in_terminal([*MESHAPI, command, "Hi", "-o", "-"], environment(gateway))
    assert seen.exit_code == 2
    assert "a terminal cannot show it" in seen.text
    assert gateway.requests == []
