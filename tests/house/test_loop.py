"""What makes `pytest` quick and fair: how many processes it uses, and the rule of 0.25 s."""

import os
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

import pytest

from support import slow_rule, workers

ROOT = Path(__file__).parents[2]


def run_pytest(folder: Path, *options: str) -> str:
    """Return what a separate pytest prints about the tests in a folder."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *options, "."]
    done = subprocess.run(
        command,
        capture_output=True,
        text=True,
        check=False,
        cwd=folder,
        timeout=120,
        stdin=subprocess.DEVNULL,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT / "tests"),
            "PYTEST_ADDOPTS": "",
            # Of the plugins that are installed it needs none but what is asked for; each costs
            # every process half a second.
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
        },
    )
    return done.stdout + done.stderr


# Of a pytest of its own, with a limit of 0.02 s: what is long takes twenty times as long, which is
# more than any machine is slower than the one that the limit is from.
RULED = """
import subprocess, sys, time
import pytest
from support import slow_rule

slow_rule.LIMIT = 0.01
LONG = 0.4
WORK = f"import time\\nwhile time.process_time() < {LONG}: pass"

def work():
    end = time.process_time() + LONG
    while time.process_time() < end:
        pass

def test_computes():
    work()

@pytest.mark.slow
def test_is_marked():
    work()

def test_starts_one_that_computes():
    subprocess.run([sys.executable, "-c", WORK], check=True)

def test_waits():
    time.sleep(LONG)

seen = []

def test_is_slow_the_first_time(tmp_path):
    seen.append(tmp_path)
    if len(seen) == 1:
        work()

def test_that_it_ran_twice_with_fixtures_of_its_own():
    assert len(set(seen)) == 2

def test_fails():
    work()
    assert "this" == "that"
"""


class TestRule:
    @pytest.mark.slow
    def test_what_computes_for_long_fails_unless_it_is_marked(self, tmp_path):
        (tmp_path / "test_it.py").write_text(RULED)
        (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers = slow\n")
        done = run_pytest(tmp_path, "-rA", "-p", "support.slow_rule")
        assert set(re.findall(r"^([A-Z]+) test_it.py::test_(\w+)", done, re.M)) == {
            ("FAILED", "computes"),
            ("PASSED", "is_marked"),
            ("FAILED", "starts_one_that_computes"),
            ("PASSED", "waits"),
            ("PASSED", "is_slow_the_first_time"),
            ("PASSED", "that_it_ran_twice_with_fixtures_of_its_own"),
            ("FAILED", "fails"),
        }
        told = re.findall(
            r"^test_it.py::test_(\w+) took .* mark it with @pytest.mark.slow", done, re.M
        )
        # What fails by itself says why, and no more.
        assert told == ["computes", "starts_one_that_computes"]
        assert "'this' == 'that'" in done

    def test_the_limit_grows_with_a_slow_machine_and_never_shrinks(self):
        least = slow_rule.LIMIT * slow_rule.GENEROUS
        assert slow_rule.limit(lambda: 3.0) == 3 * least
        ticks = iter(range(100))
        assert slow_rule.slowness(lambda: next(ticks)) > 10
        assert slow_rule.slowness(lambda: 0.0) == 1.0


TABLES = """
from support.turns import passed_over

def pytest_addoption(parser):
    parser.addoption("--turn", type=int)

def pytest_collection_modifyitems(config, items):
    others = passed_over(items, config.option.turn)
    items[:] = [item for item in items if item not in others]
"""

IN_TURN = """
import pytest
from support.turns import by_turns

on_every_flavour = pytest.mark.parametrize("world", ["sync", "asyncio", "trio"])

@by_turns
@pytest.mark.parametrize("row", range(4))
@on_every_flavour
def test_one_table(world, row): pass

@by_turns
@pytest.mark.parametrize("over", ["own", "httpx"])
@pytest.mark.parametrize(("row", "what", "more"), [(n, "a", "b") for n in range(9)])
@on_every_flavour
def test_two_tables(world, row, what, more, over): pass

@pytest.mark.parametrize("row", range(2))
@on_every_flavour
def test_whole(world, row): pass

@pytest.mark.parametrize("row", range(4))
@on_every_flavour
def test_unmarked(world, row): pass

@pytest.mark.exhaustive
@on_every_flavour
def test_exhaustive(world): pass

@pytest.mark.parametrize(
    ("sender", "world"),
    [(s, w) for s in "abc" for w in ["sync", "asyncio", "trio"] if s != "b" or w == "sync"],
)
def test_with_gaps(sender, world): pass
"""


class TestTurns:
    @pytest.mark.slow
    def test_each_row_is_tried_on_one_flavour_and_each_flavour_has_its_share(self, tmp_path):
        (tmp_path / "conftest.py").write_text(TABLES)
        (tmp_path / "test_it.py").write_text(IN_TURN)
        (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n  by_turns\n  exhaustive\n")
        done = run_pytest(tmp_path, "-vv")
        ran = re.findall(r"test_(\w+)\[([\w-]+)\] PASSED", done)
        of_one = [name for table, name in ran if table == "one_table"]
        assert sorted(of_one) == ["asyncio-2", "sync-0", "trio-1", "trio-3"]
        of_two = [name.split("-") for table, name in ran if table == "two_tables"]
        assert len({(row, over) for _, row, _, _, over in of_two}) == len(of_two) == 18
        assert len({(world, over) for world, _, _, _, over in of_two}) == 6
        assert sum(table == "whole" for table, _ in ran) == 6
        assert sum(table == "unmarked" for table, _ in ran) == 12

    @pytest.mark.slow
    def test_when_all_tables_take_turns_each_row_gets_to_every_flavour(self, tmp_path):
        (tmp_path / "conftest.py").write_text(TABLES)
        (tmp_path / "test_it.py").write_text(IN_TURN)
        (tmp_path / "pytest.ini").write_text("[pytest]\nmarkers =\n  by_turns\n  exhaustive\n")
        turns = []
        for turn in range(3):
            done = run_pytest(tmp_path, "-vv", "--turn", str(turn))
            turns.append(re.findall(r"test_(\w+)\[([\w-]+)\] PASSED", done))
        names = ("one_table", "two_tables", "unmarked", "exhaustive", "with_gaps")
        assert [sum(name == table for table, _ in turns[0]) for name in names] == [4, 18, 4, 1, 3]
        every = Counter(test for turn in turns for test in turn)
        assert len(every) == (4 + 18 + 2 + 4 + 1 + 2) * 3 + 1
        # What is not long, and what has one flavour only, is never left out.
        again = {f"{table} {name}" for (table, name), count in every.items() if count > 1}
        assert again == {
            *(f"whole {world}-{row}" for world in ("sync", "asyncio", "trio") for row in range(2)),
            "with_gaps b-sync",
        }


CONFTEST = """
pytest_plugins = ["support.workers"]

def pytest_terminal_summary(terminalreporter, config):
    terminalreporter.write_line(f"processes: {config.getoption('numprocesses', 0) or 0}.")
"""


XDIST = ["-p", "xdist"]


class TestWorkers:
    @pytest.mark.parametrize(
        ("args", "many"),
        [
            (["tests"], True),
            (["tests/core"], True),
            ([str(ROOT / "tests" / "core")], True),
            (["tests/core/endpoints", "tests/core/types"], True),
            (["tests/core/test_sse.py"], False),
            (["tests/core/test_sse.py::test_x", "tests/core/test_urls.py"], False),
            (["tests/fuzz"], False),
        ],
    )
    def test_many_files_are_shared_and_few_are_not(self, args, many):
        assert workers.is_long(args, ROOT) is many

    @pytest.mark.slow
    @pytest.mark.parametrize(
        ("options", "processes"),
        [
            (XDIST, workers.processes()),
            ([*XDIST, "-n", "1"], 1),
            (["-p", "no:xdist"], 0),
            ([*XDIST, "--pdb"], 0),
        ],
        ids=str,
    )
    def test_what_was_asked_for_is_what_happens(self, options, processes, tmp_path):
        for number in range(workers.MANY):
            (tmp_path / f"test_{number}.py").write_text("def test_it(): pass\n")
        (tmp_path / "conftest.py").write_text(CONFTEST)
        done = run_pytest(tmp_path, *options)
        assert f"{workers.MANY} passed" in done
        # One core is shared by nobody.
        processes = 0 if options == XDIST and workers.cores() == 1 else processes
        assert f"processes: {processes}." in done

    @pytest.mark.slow
    def test_what_another_process_tells_is_what_somebody_wants_to_hear(self, tmp_path):
        (tmp_path / "conftest.py").write_text(TELLING)
        (tmp_path / "test_it.py").write_text(TOLD)
        options = ["-p", "support.slow_rule", *XDIST, "-n", "1"]
        done = run_pytest(tmp_path, *options)
        assert "reports: call call call setup teardown teardown." in done
        assert "1 failed, 2 passed, 2 errors" in done
        assert "what the test says" in done
        # With this, what a fixture takes is asked for.
        done = run_pytest(tmp_path, *options, "--durations=0", "--durations-min=0")
        assert f"reports: {'call ' * 3}{'setup ' * 4}{'teardown ' * 4}".strip() + "." in done


TELLING = """
def pytest_terminal_summary(terminalreporter):
    whens = [each.when for found in terminalreporter.stats.values() for each in found]
    terminalreporter.write_line(f"reports: {' '.join(sorted(filter(None, whens)))}.")
"""

TOLD = """
import pytest

@pytest.fixture
def fails_before():
    raise ValueError

@pytest.fixture
def fails_after():
    yield
    raise ValueError

def test_passes(): pass

def test_has_no_fixture(fails_before): pass

def test_has_one(fails_after): pass

def test_fails():
    print("what the test says")
    assert False
"""
