"""The command line as a whole: mistakes, closed streams, full disks."""

import os
import subprocess
import sys

import pytest

import meshapi
from meshapi.cli import main
from meshapi.testing import LocalGateway
from support.commands import MESHAPI, environment

COMMANDS = ("chat Hi", "realtime Hi", "rag list")
CLOSED = (">&-", "<&-", ">&- <&-", ">&- <&- 2>&-")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="a shell of POSIX")
@pytest.mark.parametrize(
    ("command", "closed"),
    [
        # By default, each way of closing with one command, and each command at least once.
        pytest.param(
            command, closed, marks=() if (row + number) % 3 == 0 else pytest.mark.exhaustive
        )
        for number, command in enumerate(COMMANDS)
        for row, closed in enumerate(CLOSED)
    ],
)
def test_streams_that_the_shell_has_closed_are_taken_as_empty(
    gateway: LocalGateway, closed: str, command: str
) -> None:
    shell = ["sh", "-c", f'exec "$@" {closed}', "sh", *MESHAPI, *command.split()]
    done = subprocess.run(
        shell, env=environment(gateway), capture_output=True, input=b"", timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert bool(done.stdout) == (">" not in closed and "Hi" in command)


class TestCommandLine:
    def test_prints_its_version(self, capfd: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as stopped:
            main(["--version"])
        assert stopped.value.code == 0
        assert capfd.readouterr().out == f"meshapi {meshapi.__version__}\n"

    @pytest.mark.parametrize(
        ("arguments", "told"),
        [
            ([], "no command: expected one of "),
            (["dance"], "unknown command 'dance'; see `meshapi --help`"),
            (["caht"], "unknown command 'caht' (did you mean chat?); see `meshapi --help`"),
            (
                ["--jsn", "chat"],
                "unknown option --jsn before the command; options follow it: `meshapi COMMAND",
            ),
            (
                ["chat", "Hi", "--modle", "x"],
                "unknown option --modle (did you mean --model?); see `meshapi chat --help`",
            ),
            (["chat", "--mod", "x"], "unknown option --mod"),
            (["compare", "--modles", "a,b", "Hi"], "unknown option --modles (did you mean --mod"),
            (["chat", "--model"], "-m/--model: expected one argument; see `meshapi chat --help`"),
            (
                ["chat", "--timeout", "0", "Hi"],
                "--timeout: expected a number of seconds above 0, at most 2,000,000, got '0'",
            ),
            (["chat", "-mauto", "--timeout", "0"], "--timeout: expected a number of seconds above"),
            (["demo", "now"], "unexpected argument 'now'; see `meshapi demo --help`"),
            (
                ["gateway", "--port", "x"],
                "--port: expected a whole number from 0 to 65,535, got 'x'; see `meshapi",
            ),
            (
                ["completion", "bsh"],
                "shell: expected one of bash, zsh, got 'bsh' (did you mean bash?)",
            ),
        ],
    )
    def test_refuses_what_it_does_not_know_in_one_line(
        self, arguments: list[str], told: str, capfd: pytest.CaptureFixture[str]
    ) -> None:
        assert main(arguments) == 2
        out, err = capfd.readouterr()
        assert out == ""
        assert err.startswith(f"meshapi: {told}")
        assert err.count("\n") == 1

    @pytest.mark.parametrize(
        ("words", "question"),
        [
            (["what", "--model", "auto", "is", "2+2"], "what is 2+2"),
            (["--model", "auto", "what", "is"], "what is"),
            (["what", "--model", "auto", "--", "--is"], "what --is"),
            (["--model", "auto", "--", "-x", "y"], "-x y"),
            (["- item", "--model", "auto", "-3"], "- item -3"),
        ],
    )
    def test_words_and_options_stand_in_any_order(
        self, gateway: LocalGateway, words: list[str], question: str
    ) -> None:
        assert main(["chat", *words]) == 0
        body = gateway.requests[0].json()
        assert (body["model"], body["messages"][0]["content"]) == ("auto", question)

    @pytest.mark.slow
    def test_loads_an_event_loop_only_for_the_commands_that_need_one(self) -> None:
        program = (
            "import sys, meshapi.cli\n"
            "try: meshapi.cli.main(['--version'])\n"
            "except SystemExit: pass\n"
            "print(*{'asyncio', 'trio', 'anyio', 'uvicorn', 'starlette'} & set(sys.modules))"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], check=True, capture_output=True, text=True, timeout=60
        )
        assert done.stdout.splitlines()[1:] == [""]


@pytest.mark.slow
@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="needs /dev/full")
def test_a_full_disk_is_an_error_in_one_line(gateway: LocalGateway) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*MESHAPI, "chat", "hi"],
            stdin=subprocess.DEVNULL,
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment(gateway),
            text=True,
            timeout=30,
        )
    assert done.returncode == 1
    assert done.stderr == "meshapi: cannot write the output: No space left on device\n"
