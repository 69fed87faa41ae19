"""The command `meshapi completion`."""

import shutil
import subprocess
import sys

import pytest

from meshapi.cli import main

pytest.importorskip("shtab")


@pytest.mark.parametrize("shell", ["bash", "zsh"])
def test_a_script_knows_commands_and_options(shell: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", shell]) == 0
    script = capfd.readouterr().out
    assert all(word in script for word in ("compare", "doctor", "--judge-model", "context_length"))


@pytest.mark.skipif(shutil.which("bash") is None, reason="needs bash")
@pytest.mark.parametrize(
    ("typed", "completed"),
    [("com", "compare completion"), ("models --ki", "--kind"), ("models --kind im", "image")],
)
def test_bash_completes(typed: str, completed: str, capfd: pytest.CaptureFixture[str]) -> None:
    assert main(["completion", "bash"]) == 0
    words = " ".join(f'"{word}"' for word in ["meshapi", *typed.split()])
    program = (
        f"{capfd.readouterr().out}\nCOMP_WORDS=({words}); COMP_CWORD={len(typed.split())};"
        ' _shtab_meshapi; echo "${COMPREPLY[@]}"'
    )
    done = subprocess.run(
        ["bash", "--norc", "-c", program], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.stdout.strip() == completed


def test_without_shtab_it_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setitem(sys.modules, "shtab", None)
    assert main(["completion", "bash"]) == 1
    expected = "meshapi: completion needs shtab: in a checkout, pip install '.[cli]'\n"
    assert capfd.readouterr().err == expected
