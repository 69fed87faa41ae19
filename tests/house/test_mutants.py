"""The list of bugs that the tests must find does not rot, and neither does what tries them."""

from pathlib import Path

import pytest
from house.fresh import ROOT, SRC
from mutants import Mutant, mutated
from mutants.fixes import FIXES
from mutants.run import Workshop, chosen

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
    killed, by = workshop.judge(bug)
    assert (killed, by.partition("::")[0]) == (True, tests)
    assert not workshop.judge(none).killed
