"""The command `meshapi demo`."""

import re
import subprocess
import sys

import pytest

from meshapi.cli import demonstration, main
from support.commands import start


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
        assert "with 600 ms of audio" in out
        assert "three requests on the wire" in out
        assert "model_not_found" in out
        assert "MESHAPI_BASE_URL" in out
        assert "\x1b" not in out

    @pytest.mark.slow
    def test_fails_when_something_is_not_as_promised(
        self, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
    ) -> None:
        monkeypatch.setattr(demonstration, "_SUM", "What is 2+3?")
        monkeypatch.setattr(demonstration, "_WORDS_PER_SECOND", 0)
        monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
        assert main(["demo"]) == 1
        out = capfd.readouterr().out
        assert "expected '2 + 2 = 4.', got '2 + 3 = 5.'" in out
        assert "trio is not installed: pip install trio" in out
        assert "4 of these did not go as expected." in out

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
        expected = (
            "meshapi: the local gateway needs uvicorn: in a checkout, pip install '.[gateway]'\n"
        )
        assert done.stderr == expected
