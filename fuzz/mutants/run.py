"""Puts one bug after another into a copy of the source, and looks whether the tests find it.

    python fuzz/mutants/run.py                       all of `fixes.py`
    python fuzz/mutants/run.py pool "a newcomer"     those with such words in them

Prints a table, and exits with 1 where a bug survives. The tests of a mutant are few, and stop at
the first that fails; that one must pass without the bug, or it proves nothing. Some bugs are only
noticed by that nothing happens any more: they are counted apart, and only where the same tests come
to their end without the bug, as a busy machine is slow, too.
"""

import argparse
import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from enum import Enum
from importlib.util import cache_from_source
from pathlib import Path
from typing import NamedTuple, Optional

ROOT = Path(__file__).resolve().parents[2]

if __name__ == "__main__":
    sys.path.insert(0, str(ROOT / "fuzz"))

from mutants import Mutant, mutated  # noqa: E402 - found by the line above
from mutants.fixes import FIXES  # noqa: E402

# Seconds for the tests of one mutant: several times what the slowest take.
LIMIT = 120.0

# The test, without its parameters.
_FAILED = re.compile(r"^(?:FAILED|ERROR) ([^\s\[]+)", re.MULTILINE)


class Fate(Enum):
    """What became of a mutant."""

    KILLED = "killed"
    TIMED_OUT = "timed out"
    SURVIVED = "SURVIVED"


class Verdict(NamedTuple):
    """What became of a mutant, and how.

    Fields:
        fate: whether its tests found it.
        by: the test that did; else what happened.
    """

    fate: Fate
    by: str


class Workshop:
    """A copy of the source, in which there is at most one bug at a time.

    Args:
        folder: for the copy.
        limit: seconds for one run of tests.
    """

    def __init__(self, folder: Path, limit: float = LIMIT) -> None:
        self._src = folder / "src"
        self._limit = limit
        shutil.copytree(ROOT / "src", self._src, ignore=shutil.ignore_patterns("__pycache__"))

    def judge(self, mutant: Mutant) -> Verdict:
        """Run the tests of a mutant with it in the source, and what has found it without."""
        tests = mutant.tests.split()
        try:
            with self._in_the_source(mutant):
                failed = self._first_failure(tests)
        except subprocess.TimeoutExpired:
            silence = f"nothing more happened within {self._limit:.0f} s"
            return self._confirm(Verdict(Fate.TIMED_OUT, silence), tests)
        if failed is None:
            return Verdict(Fate.SURVIVED, f"by {mutant.tests}")
        return self._confirm(Verdict(Fate.KILLED, failed), [failed])

    @contextmanager
    def _in_the_source(self, mutant: Mutant) -> Generator[None, None, None]:
        path = self._src / mutant.path
        source = path.read_text("utf-8")
        wrong = mutated(source, mutant.original, mutant.wrong)
        compile(wrong, mutant.path, "exec")
        path.write_text(wrong, "utf-8")
        try:
            yield
        finally:
            path.write_text(source, "utf-8")
            # It goes by the time in seconds and the size of the file, which may be the same.
            Path(cache_from_source(str(path))).unlink(missing_ok=True)

    def _confirm(self, verdict: Verdict, tests: Sequence[str]) -> Verdict:
        """Return this verdict where the tests pass without the bug."""
        try:
            failed = self._first_failure(tests)
        except subprocess.TimeoutExpired:
            return Verdict(Fate.SURVIVED, f"{' '.join(tests)} take as long without it")
        if failed is not None:
            return Verdict(Fate.SURVIVED, f"{failed} fails without it, too")
        return verdict

    def _first_failure(self, tests: Sequence[str]) -> Optional[str]:
        command = [sys.executable, "-m", "pytest", "-x", "-q", "--no-header", "--tb=no"]
        command += ["-m", "not exhaustive", "-p", "no:cacheprovider", *tests]
        environment = {
            **os.environ,
            "PYTHONPATH": str(self._src),
            "HYPOTHESIS_PROFILE": "mutants",
        }
        done = subprocess.run(
            command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=self._limit
        )
        if not done.returncode:
            return None
        failed = _FAILED.search(done.stdout)
        if failed is None:
            raise SystemExit(f"no test ran: {' '.join(tests)}\n{done.stdout}{done.stderr}")
        return failed[1]


def chosen(words: Sequence[str]) -> list[Mutant]:
    """Return the mutants that have one of these words, all of them where there are none."""
    return [
        mutant
        for mutant in FIXES
        if not words or any(word in f"{mutant.row}\n{mutant.name}\n{mutant.path}" for word in words)
    ]


def main(arguments: Optional[Sequence[str]] = None) -> int:
    """Try mutants, and return the exit status."""
    parser = argparse.ArgumentParser(description="Tries whether the tests find bugs.")
    parser.add_argument("words", nargs="*", help="of the mutants to try")
    parser.add_argument("--limit", type=float, default=LIMIT, help="seconds for each")
    options = parser.parse_args(arguments)
    mutants = chosen(options.words)
    if not mutants:
        parser.error(f"no mutant has {' or '.join(map(repr, options.words))}")
    fates: Counter[Fate] = Counter()
    with tempfile.TemporaryDirectory() as folder:
        workshop = Workshop(Path(folder), options.limit)
        for mutant in mutants:
            began = time.monotonic()
            fate, by = workshop.judge(mutant)
            fates[fate] += 1
            print(f"{fate.value:10}{time.monotonic() - began:5.1f} s  {mutant.row}: {mutant.name}")
            print(f"{'':19}{by}", flush=True)
    print(", ".join(f"{fates[fate]} {fate.value.lower()}" for fate in Fate))
    return 1 if fates[Fate.SURVIVED] else 0


if __name__ == "__main__":
    sys.exit(main())
