"""The command line as a whole: what is told of mistakes, of closed streams and full disks."""

import os
import subprocess
import sys

import pytest

import meshapi
from meshapi.cli import main
from meshapi.testing import LocalGateway
from support.commands import MESHAPI, environment

COMMANDS = ("chat Hi", "realtime Hi", "realtime")
CLOSED = (">&-", "<&-", ">&- <&-", ">&- <&- 2>&-")


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="a shell of POSIX")
@pytest.mark.parametrize(
    ("command", "closed"),
    [
        # By default each way of closing with one command, and each command.
        pytest.param(
            command, closed, marks=() if (row + number) % 3 == 0 else pytest.mark.exhaustive
        )
        for number, command in enumerate(COMMANDS)
        for row, closed in enumerate(CLOSED)
    ],
)
def test_streams_that_the_shell_has_closed_are_as_good_as_empty(
    gateway: LocalGateway, closed: str, command: str
) -> None:
    shell = ["sh", "-c", f'exec "$@" {closed}', "sh", *MESHAPI, *command.split()]
    done = subprocess.run(
        shell, env=environment(gateway), capture_output=True, input=b"", timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert bool(done.stdout) == (">" not in closed and "Hi" in command)


class TestCommandLine:
    def test_tells_its_version(self, capfd: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as stopped:
            main(["--version"])
        assert stopped.value.code == 0
        assert capfd.readouterr().out == f"meshapi {meshapi.__version__}\n"

    @pytest.mark.parametrize("arguments", [[], ["dance"], ["gateway", "--port", "x"]])
    def test_refuses_what_it_does_not_know(
        self, arguments: list[str], capfd: pytest.CaptureFixture[str]
    ) -> None:
        with pytest.raises(SystemExit) as stopped:
            main(arguments)
        assert stopped.value.code == 2
        assert "usage: meshapi" in capfd.readouterr().err

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
def test_a_full_disk_is_told_in_one_line(gateway: LocalGateway) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [*MESHAPI, "chat", "hi"],
            stdout=full,
            stderr=subprocess.PIPE,
            env=environment(gateway),
            text=True,
            timeout=30,
        )
    assert done.returncode == 1
    assert done.stderr == "meshapi: cannot write the output: No space left on device\n"
