"""The command `meshapi gateway`."""

import http.client
import io
import json
import re
import signal
import sys
from pathlib import Path
from typing import Optional

import pytest

import meshapi
from meshapi.cli import main
from meshapi.testing import LocalGateway
from support.commands import TOKEN, start
from support.interrupting import interrupted

HEADERS = {"Authorization": f"Bearer {TOKEN}", "Content-Type": "application/json"}


def connected(line: str) -> http.client.HTTPConnection:
    """Return a connection to the gateway that has written a line with its URL."""
    url = re.search(r"127\.0\.0\.1:\d+", line)
    assert url
    return http.client.HTTPConnection(url[0], timeout=10)


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
        assert re.search(r"^POST /v1/chat/completions 200 \d+ ms$", out, re.MULTILINE)

    @pytest.mark.slow
    @pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
    def test_no_request_writes_further_lines(self) -> None:
        with start("gateway", "--port", "0", "--token", TOKEN) as process:
            assert process.stdout
            connection = connected(process.stdout.readline())
            forged = b'{"model": "a\nGET /forged 200 1 ms\x1b[2J"}'
            connection.request("POST", "/v1/chat/completions", forged, HEADERS)
            assert connection.getresponse().status == 422
            connection.close()
            # The client has its response a moment before the gateway has noted it.
            told = next(line for line in process.stdout if "POST" in line)
            assert interrupted(process, signal.SIGINT) == 0
            out = told + process.stdout.read()
        assert "POST /v1/chat/completions a\\nGET /forged 200 1 ms\\x1b[2J 422" in out
        assert "\nGET /forged" not in out

    @pytest.mark.slow
    @pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
    def test_tells_of_what_it_breaks_off_when_it_is_stopped(self) -> None:
        with start("gateway", "--port", "0", "--token", TOKEN) as process:
            assert process.stdout
            connection = connected(process.stdout.readline())
            message = {"role": "user", "content": "Hi"}
            body = json.dumps({"model": "mesh/stall", "stream": True, "messages": [message]})
            connection.request("POST", "/v1/chat/completions", body, HEADERS)
            assert connection.getresponse().status == 200
            assert interrupted(process, signal.SIGINT) == 0
            out = process.stdout.read()
            connection.close()
        assert re.search(r"^POST /v1/chat/completions mesh/stall broken off \d+ ms$", out, re.M)

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

    @pytest.mark.skipif(sys.platform == "win32", reason="messages of POSIX")
    def test_tells_why_it_cannot_start(
        self,
        gateway: LocalGateway,
        capfd: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        monkeypatch.setattr(signal, "signal", lambda *_: None)
        taken = gateway.url.rpartition(":")[2]
        assert main(["gateway", "--port", taken]) == 1
        expected = f"127.0.0.1:{taken} is in use; --port 0 takes any port that is free"
        assert capfd.readouterr() == ("", f"meshapi: the gateway cannot start: {expected}\n")

    @pytest.mark.parametrize("token", ["", " ", "rsk test", "rsk_test_\n", "rsk_test_é"])
    def test_refuses_a_token_that_nobody_could_send(
        self, token: str, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(signal, "signal", lambda *_: None)
        assert main(["gateway", "--port", "0", "--token", token]) == 2
        out, err = capfd.readouterr()
        assert out == ""
        assert re.fullmatch(r"meshapi: the gateway cannot start: token: [^\n]+\n", err)
        with pytest.raises(ValueError, match=r"^token: expected "):
            LocalGateway(token=token)

    @pytest.mark.slow
    def test_its_scripts_come_from_files(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        file = tmp_path / "rain.json"
        file.write_text('{"text": "rain", "respond": "No."}', "utf-8")
        answers: list[str] = []

        def ask(output: object, url: str, token: str) -> None:
            with meshapi.MeshAPI(base_url=url, token=token) as client:
                messages = [{"role": "user", "content": "Will it rain?"}]
                answers.append(client.chat.completions.create(messages=messages).text)
                with pytest.raises(meshapi.InternalServerError):
                    client.models.list()
            raise KeyboardInterrupt

        monkeypatch.setattr(signal, "signal", lambda *_: None)
        monkeypatch.setattr("meshapi.cli.commands.gateway._introduce", ask)
        options = ["--token", TOKEN, "--pace", "0", "--strict", "--script", str(file)]
        assert main(["gateway", "--port", "0", *options]) == 0
        assert answers == ["No."]

    @pytest.mark.parametrize(
        ("text", "why"),
        [
            (None, "--script: cannot read {}: No such file or directory"),
            ('{"text": "rain"\n', "--script: rain.json:2:1: Expecting ',' delimiter"),
            (
                '{"respond": {"stall": 3}}',
                "--script: rain.json: [0].respond.stall: expected an object, got 3",
            ),
        ],
    )
    @pytest.mark.skipif(sys.platform == "win32", reason="messages of POSIX")
    def test_a_wrong_script_ends_it_in_one_line(
        self,
        text: Optional[str],
        why: str,
        tmp_path: Path,
        capfd: pytest.CaptureFixture[str],
        monkeypatch: pytest.MonkeyPatch,
    ) -> None:
        file = tmp_path / "rain.json"
        if text is not None:
            file.write_text(text, "utf-8")
        monkeypatch.setattr(signal, "signal", lambda *_: None)
        assert main(["gateway", "--port", "0", "--token", TOKEN, "--script", str(file)]) == 2
        assert capfd.readouterr() == ("", f"meshapi: {why.format(file)}\n")
