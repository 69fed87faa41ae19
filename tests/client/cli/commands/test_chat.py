"""The command `meshapi chat`, against local gateways."""

import io
import re
import sys
from typing import Union

import pytest

from meshapi.cli import main
from meshapi.testing import LocalGateway
from support.commands import TOKEN, environment, start
from support.interrupting import interrupted


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

    @pytest.mark.parametrize(
        ("words", "piped", "question"),
        [
            (["what", "is", "2+2"], "", "what is 2+2"),
            (["what is 2+2"], "see\nbelow\n", "what is 2+2\n\nsee\nbelow"),
            (
                [
                    "what",
                    "--system",
                    "Be brief.",
                ],
                "",
                "what",
            ),
            ([], "what is\n2+2\n", "what is\n2+2"),
        ],
    )
    def test_takes_one_question_of_words_or_of_the_input(
        self,
        gateway: LocalGateway,
        monkeypatch: pytest.MonkeyPatch,
        words: list[str],
        piped: str,
        question: str,
    ) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO(piped))
        assert main(["chat", *words]) == 0
        assert gateway.requests[0].json()["messages"][-1]["content"] == question

    @pytest.mark.parametrize(("words", "piped"), [([], ""), ([], " \n"), ([""], "")])
    def test_says_where_a_question_comes_from(
        self,
        gateway: LocalGateway,
        monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
        words: list[str],
        piped: str,
    ) -> None:
        monkeypatch.setattr("sys.stdin", io.StringIO(piped))
        assert main(["chat", *words]) == 2
        assert capfd.readouterr().err.startswith("meshapi: no question: ")
        assert gateway.requests == []

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
            (
                "acme/none",
                "",
                r"Model 'acme/none' was not found\. \(404 model_not_found, request req_",
            ),
            ("mesh/rate-limited", "", r"\(429 rate_limit_exceeded, request req_\w+\)"),
            ("mesh/broken-stream", "1 2 3\n", r"\(stream_interrupted, request req_\w+\)"),
            ("mesh/error-in-stream", "1 2 3\n", r"\(gateway_timeout, request req_\w+\)"),
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
        assert main(["chat", "Count to 6", "--model", model]) == (4 if "broken" in model else 1)
        out, err = capfd.readouterr()
        assert out == shown
        assert re.search(told, err)
        assert re.fullmatch(r"meshapi: [^\n]+\n", err)

    def test_takes_the_other_name_of_the_token(
        self,
        gateway: LocalGateway,
        monkeypatch: pytest.MonkeyPatch,
        capfd: pytest.CaptureFixture[str],
    ) -> None:
        monkeypatch.setenv("MESHAPI_BASE_URL", gateway.url)
        monkeypatch.delenv("MESHAPI_TOKEN", raising=False)
        monkeypatch.setenv("MESHAPI_API_KEY", gateway.token)
        assert main(["chat", "What is 2+2?"]) == 0
        assert "4" in capfd.readouterr().out

    @pytest.mark.parametrize(
        ("variable", "value", "told", "exit_code"),
        [
            ("MESHAPI_TOKEN", None, "MESHAPI_TOKEN is not set", 3),
            ("MESHAPI_TOKEN", "rsk test", "whitespace", 2),
            ("MESHAPI_TOKEN", "rsk_test_other", "unauthorized", 3),
            ("MESHAPI_BASE_URL", "ftp://127.0.0.1", "http", 2),
            pytest.param(
                *("MESHAPI_BASE_URL", "http://127.0.0.1:1", "connect_refused", 4),
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
        exit_code: int,
    ) -> None:
        if value is None:
            monkeypatch.delenv(variable)
        else:
            monkeypatch.setenv(variable, value)
        assert main(["chat", "Hi"]) == exit_code
        out, err = capfd.readouterr()
        assert out == ""
        assert told in err
        assert "rsk" not in err

    def test_refuses_a_question_that_is_not_text(
        self, gateway: LocalGateway, capfd: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["chat", "\udcff"]) == 2
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
