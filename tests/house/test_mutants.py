"""The list of mutants is up to date, and the program that tries them works."""

import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Optional

import pytest
from house.fresh import ROOT, SRC
from mutants import Mutant, mutated
from mutants.fixes import FIXES
from mutants.run import Fate, Workshop, chosen

NAMES = [f"{mutant.row}: {mutant.name}" for mutant in FIXES]


def test_each_mutant_has_a_name_of_its_own():
    assert len({*NAMES}) == len(NAMES)


@pytest.mark.parametrize("mutant", FIXES, ids=NAMES)
def test_a_mutant_is_a_change_of_the_source_as_it_is(mutant):
    source = (SRC / mutant.path).read_text("utf-8")
    wrong = mutated(source, mutant.original, mutant.wrong)
    assert wrong != source
    compile(wrong, mutant.path, "exec")


@pytest.mark.parametrize("test", sorted({each for m in FIXES for each in m.tests.split()}))
def test_what_is_to_find_a_mutant_exists(test):
    path, _, name = test.partition("::")
    source = (ROOT / path).read_text("utf-8")
    assert not name or f"def {name}(" in source


@pytest.mark.parametrize("source", ["", "a b", "ab ab"])
def test_a_text_that_does_not_stand_there_once_is_refused(source):
    with pytest.raises(ValueError, match="not once"):
        mutated(source, "ab", "c")


def test_mutants_are_chosen_by_words():
    assert chosen([]) == [*FIXES]
    assert {mutant.row for mutant in chosen(["newcomer", "keep-alive"])} == {
        "fairness",
        "keep-alive",
    }


@pytest.mark.exhaustive
def test_a_bug_is_killed_and_what_is_none_survives(tmp_path: Path) -> None:
    path, tests = "meshapi_core/machines/pace.py", "tests/core/machines/test_pace.py"
    earlier = "min(now + self._read, self._last)"
    bug = Mutant("a row", "a bug", path, earlier, "now + self._read", tests)
    none = Mutant("a row", "none", path, earlier, "min(self._last, now + self._read)", tests)
    workshop = Workshop(tmp_path)
    fate, by = workshop.judge(bug)
    assert (fate, by.partition("::")[0]) == (Fate.KILLED, tests)
    assert workshop.judge(none).fate is Fate.SURVIVED


class Stopwatch(Workshop):
    """A bench whose runs of tests end as told: with a failed test, without one, or not at all."""

    def __init__(self, folder: Path, *ends: Optional[str]) -> None:
        super().__init__(folder)
        self._ends = list(ends)

    def _first_failure(self, tests: Sequence[str]) -> Optional[str]:
        end = self._ends.pop(0)
        if end == "never":
            raise subprocess.TimeoutExpired("pytest", 1.0)
        return end


@pytest.mark.parametrize(
    ("ends", "fate"),
    [
        (["a test", None], Fate.KILLED),
        (["a test", "a test"], Fate.SURVIVED),
        (["a test", "never"], Fate.SURVIVED),
        ([None], Fate.SURVIVED),
        (["never", None], Fate.TIMED_OUT),
        # A machine that is too busy for the tests has found nothing.
        (["never", "never"], Fate.SURVIVED),
        (["never", "a test"], Fate.SURVIVED),
    ],
    ids=str,
)
def test_a_mutant_is_found_where_the_tests_do_better_without_it(tmp_path, ends, fate):
    assert Stopwatch(tmp_path, *ends).judge(FIXES[0]).fate is fate
