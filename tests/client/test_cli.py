"""The command `meshapi`, against local gateways."""

import io
import os
import re
import signal
import subprocess
import sys
from collections.abc import Iterator
from typing import Any, Union

import pytest

import meshapi
from meshapi import _demo
from meshapi._terminal import Terminal
from meshapi.cli import main
from meshapi.testing import LocalGateway
from support.interrupting import interrupted

TOKEN = "rsk_test_cli"
MESHAPI = [sys.executable, "-m", "meshapi"]


@pytest.fixture(scope="module")
def served() -> Iterator[LocalGateway]:
    with LocalGateway(token=TOKEN, words_per_second=0) as gateway:
        yield gateway


@pytest.fixture
def gateway(served: LocalGateway, monkeypatch: pytest.MonkeyPatch) -> LocalGateway:
    monkeypatch.setenv("MESHAPI_BASE_URL", served.url)
    monkeypatch.setenv("MESHAPI_TOKEN", TOKEN)
    served.reset()
    return served


def start(*arguments: str, **options: Any) -> "subprocess.Popen[str]":
    if sys.platform != "win32":
        # A shell that runs the tests in the background has them, and their children, ignore it.
        options["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    return subprocess.Popen(
        [*MESHAPI, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def environment(gateway: LocalGateway) -> dict[str, str]:
    return {**os.environ, "MESHAPI_BASE_URL": gateway.url, "MESHAPI_TOKEN": gateway.token}


class TestChat:
    def test_prints_the_answer_and_a_newline(
        self, gateway: LocalGateway, capfd: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["chat", "Count to 5."]) == 0
        assert capfd.readouterr() == ("1 2 3 4 5\n", "")

    def test_sends_what_the_command_line_says(self, gateway: LocalGateway) -> None:
        assert main(["chat", "Hi", "--model", "auto", "--system", "Be brief."]) == 0
        (request,) = gateway.requests
        assert request.json() == {
            "model": "auto",
            "messages": [
                {"role": "system", "content": "Be brief."},
                {"role": "user", "content": "Hi"},
            ],
            "stream": True,
        }

    def test_leaves_the_model_to_the_gateway(self, gateway: LocalGateway) -> None:
        assert main(["chat", "Hi"]) == 0
        assert "model" not in gateway.requests[0].json()

    def test_prefers_the_url_of_the_command_line(
        self, gateway: LocalGateway, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MESHAPI_BASE_URL", "http://127.0.0.1:1")
        assert main(["chat", "Hi", "--base-url", gateway.url]) == 0

    @pytest.mark.parametrize(
        ("model", "shown", "told"),
        [
            ("acme/none", "", r"Model 'acme/none' was not found\. \[model_not_found, request req_"),
            ("mesh/rate-limited", "", r"\[rate_limit_exceeded, request req_\w+\]"),
            ("mesh/broken-stream", "1 2 3\n", r"\[stream_interrupted, request req_\w+\]"),
            ("mesh/error-in-stream", "1 2 3\n", r"\[gateway_timeout, request req_\w+\]"),
        ],
    )
    def test_tells_an_error_in_one_line_with_code_and_request_id(
        self,
        gateway: LocalGateway,
        capfd: pytest.CaptureFixture[str],
        model: str,
        shown: str,
        told: str,
    ) -> None:
        assert main(["chat", "Count to 6", "--model", model]) == 1
        out, err = capfd.readouterr()
        assert out == shown
        assert re.search(told, err)
        assert re.fullmatch(r"meshapi: [^\n]+\n", err)

    @pytest.mark.parametrize(
        ("variable", "value", "told"),
        [
            ("MESHAPI_TOKEN", None, "MESHAPI_TOKEN is not set"),
            ("MESHAPI_TOKEN", "rsk test", "white space"),
            ("MESHAPI_TOKEN", "rsk_test_other", "unauthorized"),
            ("MESHAPI_BASE_URL", "ftp://127.0.0.1", "http"),
            pytest.param(
                *("MESHAPI_BASE_URL", "http://127.0.0.1:1", "connect_refused"),
                marks=pytest.mark.slow,
            ),
        ],
    )
    def test_tells_what_is_wrong_with_the_environment(
        self,
        gateway: LocalGateway,
        monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
        variable: str,
        value: Union[None, str],
        told: str,
    ) -> None:
        if value is None:
            monkeypatch.delenv(variable)
        else:
            monkeypatch.setenv(variable, value)
        assert main(["chat", "Hi"]) == 1
        out, err = capfd.readouterr()
        assert out == ""
        assert told in err
        assert "rsk" not in err

    def test_refuses_a_question_that_is_not_text(
        self, gateway: LocalGateway, capfd: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["chat", "\udcff"]) == 1
        assert capfd.readouterr().err.startswith("meshapi: messages[0].content")

    @pytest.mark.slow
    def test_prints_question_marks_for_what_the_terminal_lacks(self, gateway: LocalGateway) -> None:
        env = {**environment(gateway), "PYTHONIOENCODING": "ascii"}
        with start("chat", "Repeat: caf\xe9", env=env) as process:
            assert process.communicate(timeout=30) == ("caf?\n", "")

    @pytest.mark.slow
    @pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
    def test_ends_quietly_at_ctrl_c(self) -> None:
        with LocalGateway(token=TOKEN, words_per_second=20) as gateway:
            process = start("chat", "Count to 1000", env=environment(gateway))
            with process:
                assert process.stdout
                assert process.stderr
                assert process.stdout.read(1) == "1"
                assert interrupted(process) == 130
                out, err = process.stdout.read(), process.stderr.read()
        assert err == ""
        assert out.endswith("\n")

    @pytest.mark.slow
    @pytest.mark.skipif(sys.platform == "win32", reason="pipes of POSIX")
    def test_ends_quietly_when_nobody_reads(self) -> None:
        with LocalGateway(token=TOKEN, words_per_second=100) as gateway:
            process = start("chat", "Count to 1000", env=environment(gateway))
            with process:
                assert process.stdout
                assert process.stderr
                assert process.stdout.read(1) == "1"
                process.stdout.close()
                assert process.wait(60) == 141
                assert process.stderr.read() == ""


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="a shell of POSIX")
@pytest.mark.parametrize("closed", [">&-", "<&-", ">&- <&-", ">&- <&- 2>&-"])
@pytest.mark.parametrize("command", ["chat Hi", "realtime Hi", "realtime"])
def test_streams_that_the_shell_has_closed_are_as_good_as_empty(
    gateway: LocalGateway, closed: str, command: str
) -> None:
    shell = ["sh", "-c", f'exec "$@" {closed}', "sh", *MESHAPI, *command.split()]
    done = subprocess.run(
        shell, env=environment(gateway), capture_output=True, input=b"", timeout=30, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")
    assert bool(done.stdout) == (">" not in closed and "Hi" in command)


class TestGateway:
    @pytest.mark.slow
    @pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
    @pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
    def test_serves_until_a_signal(self, number: int) -> None:
        with start("gateway", "--port", "0", "--token", TOKEN, "--pace", "0") as process:
            assert process.stdout
            assert process.stderr
            line = process.stdout.readline()
            url = re.search(r"http://127\.0\.0\.1:\d+", line)
            assert url
            client = meshapi.MeshAPI(base_url=url[0], token=TOKEN)
            with client:
                messages = [{"role": "user", "content": "What is 6*7?"}]
                answer = client.chat.completions.create(messages=messages)
            assert answer.choices[0].message
            assert answer.choices[0].message.content == "6 * 7 = 42."
            assert interrupted(process, number) == 0
            out, err = process.stdout.read(), process.stderr.read()
        assert err == ""
        assert f"export MESHAPI_BASE_URL={url[0]} MESHAPI_TOKEN={TOKEN}" in out

    def test_says_all_of_it_before_it_can_be_stopped(self, monkeypatch: pytest.MonkeyPatch) -> None:
        class StoppedAtOnce(io.StringIO):
            def write(self, text: str) -> int:
                super().write(text)
                raise KeyboardInterrupt

        monkeypatch.setattr(signal, "signal", lambda *_: None)
        monkeypatch.setattr(sys, "stdout", StoppedAtOnce())
        assert main(["gateway", "--port", "0", "--token", TOKEN]) == 0
        assert isinstance(sys.stdout, StoppedAtOnce)
        said = sys.stdout.getvalue()
        assert re.search(rf"export MESHAPI_BASE_URL=http://\S+ MESHAPI_TOKEN={TOKEN}\n", said)
        assert "meshapi chat" in said

    @pytest.mark.parametrize(
        "arguments", [["--port", "99999"], ["--pace", "-1"], ["--pace", "nan"], ["--port", "{}"]]
    )
    @pytest.mark.skipif(sys.platform == "win32", reason="messages of POSIX")
    def test_tells_why_it_cannot_start(
        self,
        gateway: LocalGateway,
        capfd: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
        arguments: list[str],
    ) -> None:
        monkeypatch.setattr(signal, "signal", lambda *_: None)
        taken = gateway.url.rpartition(":")[2]
        assert main(["gateway", *(word.format(taken) for word in arguments)]) == 1
        out, err = capfd.readouterr()
        assert out == ""
        assert re.fullmatch(r"meshapi: the gateway can't start: [^\n]+\n", err)
        if "{}" in arguments:
            why = f"127.0.0.1:{taken} is in use; --port 0 takes any port that is free"
            assert err == f"meshapi: the gateway can't start: {why}\n"

    @pytest.mark.parametrize("token", ["", " ", "rsk test", "rsk_test_\n", "rsk_test_é"])
    def test_refuses_a_token_that_nobody_could_send(
        self, token: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(signal, "signal", lambda *_: None)
        assert main(["gateway", "--port", "0", "--token", token]) == 1
        out, err = capfd.readouterr()
        assert out == ""
        assert re.fullmatch(r"meshapi: the gateway can't start: token: [^\n]+\n", err)
        with pytest.raises(ValueError, match=r"^token: expected "):
            LocalGateway(token=token)


class TestDemo:
    @pytest.mark.slow
    def test_shows_everything_it_promises(self) -> None:
        with start("demo") as process:
            out, err = process.communicate(timeout=60)
        assert (process.returncode, err) == (0, "")
        titles = ("blocking call", "stream", "asyncio", "trio", "realtime", "503", "typed error")
        for title in titles:
            assert re.search(rf"\n\d\. .*{title}", out), title
        assert out.count("2 + 2 = 4.") == 5
        assert out.count("1 2 3 4 5") == 3
        assert "with 600 ms of sound" in out
        assert "three requests on the wire" in out
        assert "model_not_found" in out
        assert "MESHAPI_BASE_URL" in out
        assert "\x1b" not in out

    @pytest.mark.slow
    def test_fails_when_something_is_not_as_promised(
        self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(_demo, "_SUM", "What is 2+3?")
        monkeypatch.setattr(_demo, "_WORDS_PER_SECOND", 0)
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        assert main(["demo"]) == 1
        out = capfd.readouterr().out
        assert "expected '2 + 2 = 4.', got '2 + 3 = 5.'" in out
        assert "trio is not installed: pip install 'meshapi[trio]'" in out
        assert "4 of these did not go as they should." in out

    @pytest.mark.slow
    @pytest.mark.parametrize("command", ["demo", "gateway"])
    def test_says_what_to_install(self, command: str) -> None:
        program = (
            "import sys; sys.modules['uvicorn'] = None\n"
            f"from meshapi.cli import main; sys.exit(main([{command!r}]))"
        )
        done = subprocess.run(
            [sys.executable, "-c", program], capture_output=True, text=True, timeout=60
        )
        assert done.returncode == 1
        expected = "meshapi: the local gateway needs uvicorn: pip install 'meshapi[gateway]'\n"
        assert done.stderr == expected


class TestCommandLine:
    def test_tells_its_version(self, capfd: pytest.CaptureFixture[str]) -> None:
        with pytest.raises(SystemExit) as stopped:
            main(["--version"])
        assert stopped.value.code == 0
        assert capfd.readouterr().out == f"meshapi {meshapi.__version__}\n"

    @pytest.mark.parametrize("arguments", [[], ["dance"], ["chat"], ["gateway", "--port", "x"]])
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


class Screen(io.StringIO):
    def isatty(self) -> bool:
        return True


class TestTerminal:
    @pytest.mark.parametrize(
        ("stream", "variables", "coloured"),
        [
            (Screen(), {"WT_SESSION": "1"}, True),
            (Screen(), {"WT_SESSION": "1", "NO_COLOR": ""}, True),
            (Screen(), {"WT_SESSION": "1", "NO_COLOR": "1"}, False),
            (Screen(), {"WT_SESSION": "1", "TERM": "dumb"}, False),
            (io.StringIO(), {"WT_SESSION": "1"}, False),
        ],
    )
    def test_is_in_colour_only_where_that_is_seen_and_wanted(
        self, stream: io.StringIO, variables: dict[str, str], coloured: bool
    ) -> None:
        assert ("\x1b[" in Terminal(stream, variables).bold("x")) is coloured

    def test_is_not_steered_by_what_a_model_says(self) -> None:
        said = "a\x1b]0;title\x07b\tc\nd\x9b2J"
        screen, pipe = Screen(), io.StringIO()
        Terminal(screen, {}).relay(said)
        Terminal(pipe, {}).relay(said)
        assert screen.getvalue() == "a]0;titleb\tc\nd2J"
        assert pipe.getvalue() == said


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
    assert done.stderr == "meshapi: the output can't be written: No space left on device\n"
