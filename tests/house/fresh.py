"""A fresh interpreter, to see what an import loads."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src"


def run_python(*statements: str) -> str:
    """Return what the statements print, run by an interpreter that has imported nothing yet.

    `-I` and `-S` keep the environment, the working directory and `.pth` files out of the result;
    the packages of this interpreter are found all the same.
    """
    paths = [str(SRC), *(path for path in sys.path if path.endswith(("-packages", "lib-dynload")))]
    # The last ones, so that nothing here shadows the standard library.
    program = "\n".join(["import sys", f"sys.path.extend({paths!r})", *statements])
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def modules_after(*statements: str) -> set[str]:
    """Return the names in `sys.modules` after these statements."""
    return set(run_python(*statements, r"print(*sys.modules, sep='\n')").split())
