"""When somebody stops `.ci/run`, it leaves nothing running."""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from house.fresh import ROOT

pytestmark = pytest.mark.skipif(
    sys.platform == "win32" or not all(map(shutil.which, ("bash", "git", "tar"))),
    reason="needs bash, git and tar",
)

# In place of `python3 -m venv`: an environment whose nox says where it is and stays.
PYTHON = """#!/bin/bash
mkdir -p "$3/bin"
ln -s /bin/true "$3/bin/pip"
cat >"$3/bin/nox" <<'END'
#!/bin/bash
sleep 60 &
echo "$$ $!" >"$STARTED/$$"
wait
END
chmod +x "$3/bin/nox"
"""

PATIENCE = 20.0


def wait_for(condition) -> None:
    end = time.monotonic() + PATIENCE
    while not condition():
        assert time.monotonic() < end, "waited in vain"
        time.sleep(0.01)


def is_alive(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    # One that has ended and that nobody has asked about yet is there, too.
    stat = Path(f"/proc/{process}/stat")
    return not stat.exists() or stat.read_text().rpartition(")")[2].split()[0] != "Z"


@pytest.fixture
def house(tmp_path: Path) -> Iterator[Path]:
    """A checkout with only `.ci/run`, and short programs in place of the long ones."""
    (tmp_path / "checkout" / ".ci").mkdir(parents=True)
    shutil.copy(ROOT / ".ci" / "run", tmp_path / "checkout" / ".ci")
    (tmp_path / "checkout" / "pyproject.toml").write_text('"nox>=1",\n')
    subprocess.run(["git", "init", "-q"], cwd=tmp_path / "checkout", check=True)
    (tmp_path / "bin").mkdir()
    (tmp_path / "bin" / "python3").write_text(PYTHON)
    (tmp_path / "bin" / "python3").chmod(0o755)
    (tmp_path / "started").mkdir()
    yield tmp_path
    for process in processes(tmp_path):
        if is_alive(process):
            os.kill(process, signal.SIGKILL)


def processes(house: Path) -> list[int]:
    """The processes that the sessions have reported."""
    return [int(one) for path in (house / "started").iterdir() for one in path.read_text().split()]


@pytest.mark.slow
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM], ids=lambda one: one.name)
def test_all_rows_end_when_it_is_told_to(house: Path, number: signal.Signals) -> None:
    environment = {
        **os.environ,
        "PATH": f"{house / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "STARTED": str(house / "started"),
    }
    run = subprocess.Popen(
        ["bash", ".ci/run", "lint", "types", "wheel"],
        cwd=house / "checkout",
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        # In the background of a shell it would inherit that SIGINT is ignored, which bash keeps.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    try:
        wait_for(lambda: len(processes(house)) == 6)
        run.send_signal(number)
        told = run.communicate(timeout=PATIENCE)[0]
    finally:
        run.kill()
    assert run.returncode == 130
    assert "FAILED" in told
    wait_for(lambda: not any(map(is_alive, processes(house))))
