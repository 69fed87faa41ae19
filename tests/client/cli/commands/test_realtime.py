"""The command `meshapi realtime`, against local gateways."""

import io
import os
import re
import signal
import subprocess
import sys
import wave
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Union

import pytest

from meshapi.cli import main
from meshapi.testing import LocalGateway
from support.commands import TOKEN
from support.interrupting import interrupted
from support.realtime_server import PONG, RealtimePeer, error_frame, upgraded
from support.scripted_server import ScriptedServer
from support.wav_files import RATE, wav_file


@pytest.fixture
def says(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that puts text into standard input."""
    return lambda text: monkeypatch.setattr("sys.stdin", io.StringIO(text))


def seconds_of(path: Path) -> float:
    with wave.open(str(path), "rb") as file:
        kind = (file.getnchannels(), file.getsampwidth(), file.getframerate())
        assert kind == (1, 2, RATE)
        return file.getnframes() / RATE


class TestText:
    def test_one_question_has_one_answer(
        self, gateway: LocalGateway, capfd: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["realtime", "What is 2+2?"]) == 0
        assert capfd.readouterr() == ("2 + 2 = 4.\n", "")
        (request,) = gateway.requests
        assert request.path == "/v1/realtime"
        assert "model=openai%2Fgpt-realtime-mini&" in request.query

    def test_each_line_of_the_input_is_a_turn_of_one_session(
        self, gateway: LocalGateway, says: Any, capfd: pytest.CaptureFixture[str]
    ) -> None:
        says("What is 2+2?\n\n  \nCount to 3.\nRepeat: bye")
        assert main(["realtime"]) == 0
        assert capfd.readouterr() == ("2 + 2 = 4.\n1 2 3\nbye\n", "")
        assert len(gateway.requests) == 1

    def test_a_person_who_types_gets_a_prompt_for_each_line(
        self, gateway: LocalGateway, monkeypatch: Any
    ) -> None:
        typed = io.StringIO("Hello\n")
        monkeypatch.setattr(typed, "isatty", lambda: True)
        monkeypatch.setattr("sys.stdin", typed)
        screen = io.StringIO()
        monkeypatch.setattr(screen, "isatty", lambda: True)
        with monkeypatch.context() as patched:
            patched.setattr("sys.stdout", screen)
            assert main(["realtime", "--model", "mesh/refusal"]) == 0
        assert screen.getvalue() == "> I can't help with that.\n> \n"

    def test_no_prompt_gets_into_a_pipe(
        self, gateway: LocalGateway, monkeypatch: Any, capfd: pytest.CaptureFixture[str]
    ) -> None:
        typed = io.StringIO("Hello\n")
        monkeypatch.setattr(typed, "isatty", lambda: True)
        monkeypatch.setattr("sys.stdin", typed)
        assert main(["realtime", "--model", "mesh/refusal"]) == 0
        assert capfd.readouterr() == ("I can't help with that.\n", "")

    def test_what_could_steer_the_terminal_is_left_out(
        self, gateway: LocalGateway, monkeypatch: Any
    ) -> None:
        screen = io.StringIO()
        monkeypatch.setattr(screen, "isatty", lambda: True)
        monkeypatch.setattr("sys.stdout", screen)
        assert main(["realtime", "Repeat: a\x1b]0;title\x07b"]) == 0
        assert screen.getvalue() == "a]0;titleb\n"

    def test_the_url_of_the_command_line_is_preferred(
        self, gateway: LocalGateway, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("MESHAPI_BASE_URL", "http://127.0.0.1:1")
        assert main(["realtime", "Hi", "--base-url", gateway.url]) == 0


class TestAudio:
    def test_audio_is_answered_by_audio_and_its_transcript(
        self, gateway: LocalGateway, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        spoken, answer = wav_file(tmp_path / "in.wav"), tmp_path / "out.wav"
        arguments = ["--audio-in", spoken, "--audio-out", str(answer), "--voice", "verse"]
        assert main(["realtime", *arguments, "--instructions", "Be brief."]) == 0
        out, err = capfd.readouterr()
        assert '"0.50 seconds of audio"' in out
        assert out.count("\n") == 1
        assert err == ""
        assert seconds_of(answer) == 0.5
        assert sorted(os.listdir(tmp_path)) == ["in.wav", "out.wav"]

    def test_a_question_about_audio_comes_with_it(
        self, gateway: LocalGateway, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["realtime", "Count to 3.", "--audio-in", wav_file(tmp_path / "in.wav")]) == 0
        assert capfd.readouterr() == ("1 2 3\n", "")

    def test_pauses_do_not_end_the_turn(
        self, gateway: LocalGateway, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        assert main(["realtime", "--audio-in", wav_file(tmp_path / "in.wav", 2.5)]) == 0
        assert '"2.50 seconds of audio"' in capfd.readouterr().out

    def test_all_answers_of_a_conversation_are_in_one_file(
        self, gateway: LocalGateway, tmp_path: Path, says: Any
    ) -> None:
        says("Repeat: ab\nRepeat: abcd\n")
        assert main(["realtime", "--audio-out", str(tmp_path / "out.wav")]) == 0
        assert seconds_of(tmp_path / "out.wav") == pytest.approx((2 + 4) * 0.06)

    @pytest.mark.parametrize("model", ["mesh/error-in-stream", "mesh/broken-stream", "acme/none"])
    def test_what_is_not_complete_leaves_no_file(
        self, gateway: LocalGateway, tmp_path: Path, model: str
    ) -> None:
        file = tmp_path / "out.wav"
        file.write_bytes(b"before")
        question = ["Count to 6", "--model", model]
        assert main(["realtime", *question, "--audio-out", str(file), "--force"]) in (1, 4)
        assert file.read_bytes() == b"before"
        assert os.listdir(tmp_path) == ["out.wav"]

    @pytest.mark.parametrize(
        ("content", "told"),
        [
            ({"width": 1}, "expected a WAV file of 16 bit, 1 channel and 24000 Hz, got 8 bit, 1 "),
            ({"channels": 2}, "got 16 bit, 2 channels and 24000 Hz"),
            (b"", "cannot be read as a WAV file: it ends too early"),
            (b"ID3 is not RIFF", "cannot be read as a WAV file: file does not start with RIFF id"),
            (None, "cannot be read as a WAV file: No such file or directory"),
        ],
        ids=["8 bit", "stereo", "empty", "other", "none"],
    )
    def test_a_file_of_another_kind_is_refused_before_anything_is_sent(
        self,
        gateway: LocalGateway,
        tmp_path: Path,
        capfd: pytest.CaptureFixture[str],
        content: Union[None, bytes, dict[str, int]],
        told: str,
    ) -> None:
        file = tmp_path / "in.wav"
        if isinstance(content, bytes):
            file.write_bytes(content)
        elif content is not None:
            wav_file(file, **content)
        assert main(["realtime", "--audio-in", str(file)]) == 2
        err = capfd.readouterr().err
        assert told in err
        assert re.fullmatch(r"meshapi: [^\n]+\n", err)
        assert gateway.requests == []

    def test_a_place_that_takes_no_file_is_refused_before_anything_is_sent(
        self, gateway: LocalGateway, tmp_path: Path, capfd: pytest.CaptureFixture[str]
    ) -> None:
        for place in (tmp_path, tmp_path / "none" / "out.wav"):
            assert main(["realtime", "Hi", "--audio-out", str(place)]) == 2
            out, err = capfd.readouterr()
            assert out == ""
            assert re.fullmatch(r"meshapi: [^\n]+ cannot be written: [^\n]+\n", err)
        assert gateway.requests == []
        assert os.listdir(tmp_path) == []


class TestErrors:
    @pytest.mark.parametrize(
        ("model", "shown", "told"),
        [
            (
                "acme/none",
                "",
                r"Model 'acme/none' was not found\. \(404 model_not_found, request req_",
            ),
            ("mesh/error-in-stream", "1 2 3\n", r": Upstream [^:]+ \(gateway_timeout, request req"),
            (
                "mesh/broken-stream",
                "1 2 3\n",
                r"session is over, code 1006: the connection was lost \(disconnected",
            ),
            ("mesh/close-1011", "", r": The provider failed\. \(upstream_error, request req_"),
            ("mesh/close-4402", "", r": The balance is used up\. \(insufficient_quota, request"),
            ("openai/gpt-4o-mini", "", r"\(\d+ \w+, request req_"),
        ],
    )
    @pytest.mark.parametrize("lines", [False, True], ids=["question", "lines"])
    def test_is_told_in_one_line_with_code_and_request_id(
        self,
        gateway: LocalGateway,
        says: Any,
        capfd: pytest.CaptureFixture[str],
        lines: bool,
        model: str,
        shown: str,
        told: str,
    ) -> None:
        says("Count to 6\nCount to 3\n")
        question = [] if lines else ["Count to 6"]
        assert main(["realtime", *question, "--model", model]) == (4 if "broken" in model else 1)
        out, err = capfd.readouterr()
        assert out == shown
        assert re.search(told, err)
        assert re.fullmatch(r"meshapi: [^\n]+\n", err)

    def test_a_session_that_the_gateway_has_closed_is_told_with_its_reason(
        self, gateway: LocalGateway, says: Any, capfd: pytest.CaptureFixture[str]
    ) -> None:
        says("Count to 6\nCount to 3\n")
        assert main(["realtime", "--model", "mesh/close-1000"]) == 4
        out, err = capfd.readouterr()
        assert out == "1 2 3 4 5 6\n"
        assert err.startswith("meshapi: the realtime session is over, code 1000: that was all (")

    def test_what_cannot_be_sent_is_refused(
        self, gateway: LocalGateway, capfd: pytest.CaptureFixture[str]
    ) -> None:
        for arguments in (["\udcff"], ["Hi", "--model", ""]):
            assert main(["realtime", *arguments]) == 2
            assert re.fullmatch(r"meshapi: [^\n]+\n", capfd.readouterr().err)

    @pytest.mark.slow
    @pytest.mark.skipif(sys.platform == "win32", reason="signals of POSIX")
    @pytest.mark.parametrize("arguments", [["Count to 1000"], []], ids=["question", "lines"])
    def test_it_ends_quietly_at_ctrl_c(self, arguments: list[str], tmp_path: Path) -> None:
        with LocalGateway(token=TOKEN, words_per_second=20) as gateway:
            variables = {"MESHAPI_BASE_URL": gateway.url, "MESHAPI_TOKEN": TOKEN}
            command = [sys.executable, "-m", "meshapi", "realtime", *arguments]
            process = subprocess.Popen(
                [*command, "--audio-out", str(tmp_path / "out.wav")],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                text=True,
                env={**os.environ, **variables},
                # As for the other commands: a shell may have made it ignored.
                preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
            )
            with process:
                assert process.stdin
                assert process.stdout
                assert process.stderr
                process.stdin.write("Repeat: 1\n")
                process.stdin.flush()
                assert process.stdout.read(1) == "1"
                assert interrupted(process) == 130
                out, err = process.stdout.read(), process.stderr.read()
        assert err == ""
        assert out.endswith("\n")
        assert os.listdir(tmp_path) == []


class TestConversation:
    """Conversations with a server that does what the local gateway never does."""

    @pytest.fixture
    def typed(self, monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
        """The other end of standard input."""
        reading, writing = os.pipe()
        with open(reading) as stdin, open(writing, "w") as typed:
            monkeypatch.setattr("sys.stdin", stdin)
            yield typed

    def talk(self, monkeypatch: pytest.MonkeyPatch, script: Any) -> int:
        monkeypatch.setenv("MESHAPI_TOKEN", TOKEN)
        with ScriptedServer(upgraded(script)) as server:
            return main(["realtime", "--base-url", server.url])

    def test_pings_are_answered_while_somebody_thinks(
        self, typed: Any, monkeypatch: Any, capfd: pytest.CaptureFixture[str]
    ) -> None:
        def script(peer: RealtimePeer) -> None:
            peer.event("session.created")
            assert peer.receive_event()["type"] == "session.update"
            peer.ping(b"there?")
            pong = peer.receive_until(PONG)
            assert pong is not None
            assert pong.payload == b"there?"
            typed.write("Hi\n")
            typed.close()
            assert peer.receive_event()["item"]["content"][0]["text"] == "Hi"
            assert peer.receive_event() == {"type": "response.create"}
            peer.event("response.text.delta", delta="of an earlier version")
            peer.event("response.done", response={"status": "completed"})
            assert peer.receive_event() is None

        assert self.talk(monkeypatch, script) == 0
        assert capfd.readouterr() == ("of an earlier version\n", "")

    def test_the_reason_why_a_session_ended_in_the_meantime_is_told(
        self, typed: Any, monkeypatch: Any, capfd: pytest.CaptureFixture[str]
    ) -> None:
        def script(peer: RealtimePeer) -> None:
            peer.receive_event()
            peer.peer.send(error_frame("idle_timeout", "Are you asleep?"))
            peer.close(1008)
            typed.write("Hi\n")
            typed.flush()

        assert self.talk(monkeypatch, script) == 1
        out, err = capfd.readouterr()
        assert out == ""
        assert err.startswith("meshapi: Are you asleep? (idle_timeout, request req_")

    @pytest.mark.parametrize(
        ("response", "told"),
        [
            (
                {"status": "incomplete", "status_details": {"reason": "max_output_tokens"}},
                "incomplete: max_output_tokens",
            ),
            (
                {"status": "failed", "status_details": {"error": {"message": "No\x1b[2J luck"}}},
                "failed: No",
            ),
            ({"status": "failed", "status_details": {"error": {"code": "x"}}}, "failed: x"),
            ({"status": "cancelled", "status_details": None}, "cancelled"),
        ],
    )
    def test_a_response_that_is_not_complete_is_an_error(
        self,
        typed: Any,
        monkeypatch: Any,
        capfd: pytest.CaptureFixture[str],
        response: dict[str, Any],
        told: str,
    ) -> None:
        def script(peer: RealtimePeer) -> None:
            peer.event("response.output_text.delta", delta="So")
            peer.event("response.done", response=response)
            typed.write("Hi\n")
            typed.flush()
            while peer.receive_event() is not None:
                pass

        assert self.talk(monkeypatch, script) == 1
        out, err = capfd.readouterr()
        assert out == "So\n"
        assert err.startswith(f"meshapi: the answer is {told}")
        assert re.fullmatch(r"meshapi: [^\n\x1b]+\n", err)


def test_the_question_cannot_be_the_answer_too(gateway, tmp_path, capsys):
    path = wav_file(tmp_path / "one.wav")
    before = (tmp_path / "one.wav").read_bytes()
    assert main(["realtime", "--audio-in", path, "--audio-out", path]) == 2
    assert capsys.readouterr().err == (
        f"meshapi: {path} is the question, and cannot be the answer, too; name another file for"
        " --audio-out\n"
    )
    assert (tmp_path / "one.wav").read_bytes() == before
    assert gateway.requests == []


@pytest.mark.parametrize("question", [[], [""], [" "]])
def test_no_question_is_an_error(
    question: list[str], gateway: LocalGateway, capfd: pytest.CaptureFixture[str]
) -> None:
    assert main(["realtime", *question]) == 2
    out, err = capfd.readouterr()
    assert out == ""
    assert err.startswith("meshapi: no question: ")


def test_a_file_of_answers_is_not_replaced(
    gateway: LocalGateway, tmp_path: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "out.wav"
    file.write_bytes(b"before")
    assert main(["realtime", "Hi", "--audio-out", str(file)]) == 2
    expected = f"meshapi: {file} exists; --force replaces it, --audio-out names another file\n"
    assert capfd.readouterr().err == expected
    assert file.read_bytes() == b"before"
    assert gateway.requests == []
