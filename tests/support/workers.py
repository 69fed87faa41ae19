"""The number of processes that run the tests: `pytest` alone uses all cores if that is quicker.

pytest-xdist is turned on here and not by `-n` in pyproject.toml, because it is not wanted for one
file, on one core, or when somebody watches a single test. The command line (`-n 4`, `-n 0`,
`-p no:xdist`) takes precedence.
"""

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

# The number of files that take longer than what each process needs to import and collect all tests,
# which is 2 to 4 s.
MANY = 20

# Each process begins with a stretch of neighbouring tests, so that a server or a certificate that a
# module shares is made once; when it has none left, it takes some from the others. By file
# (`loadfile`), the last files, which are the longest sweeps, would leave all cores but one idle.
MODE = "worksteal"


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Set the options of xdist, before xdist reads them."""
    option = config.option
    if not config.pluginmanager.hasplugin("xdist") or hasattr(config, "workerinput"):
        return
    asked = option.numprocesses is not None or option.tx or option.dist != "no"
    if not asked and is_for_all_cores(config):
        folder = config.invocation_params.dir
        option.numprocesses = processes(folder / arg for arg in config.args)
        option.dist = MODE


def is_for_all_cores(config: pytest.Config) -> bool:
    """Return whether this run is long, and nobody is watching a single test."""
    named = ("usepdb", "trace", "stepwise", "keyword", "collectonly", "lf")
    # Some options belong to plugins that may not be loaded.
    watched = config.option.capture == "no" or any(config.getoption(n, False) for n in named)
    return not watched and cores() > 1 and is_long(config.args, config.invocation_params.dir)


def is_needless(report: pytest.TestReport, config: pytest.Config) -> bool:
    """Return whether a report need not be sent to the main process.

    A test makes three reports, two of which usually say that nothing happened in its fixtures.
    Sending them takes a tenth of the time of a usual test.
    """
    wanted = config.getoption("durations", None) is not None or config.option.xmlpath
    return (
        hasattr(config, "workerinput")
        and report.when != "call"
        and report.passed
        and not report.sections
        and not wanted
    )


def processes(paths: "Iterable[Path]" = ()) -> int:
    """Return how many processes keep all cores busy with the tests in these folders.

    Tests wait for a quarter of their time, except those of the core, which never wait.
    """
    core = Path(__file__).resolve().parents[1] / "core"
    named = [path.resolve() for path in paths]
    if named and all(core in (path, *path.parents) for path in named):
        return cores()
    return cores() + max(1, cores() // 4)


def cores() -> int:
    """Return how many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def is_long(args: "list[str]", folder: Path) -> bool:
    """Return whether the arguments of pytest name many files with tests."""
    files: set[Path] = set()
    for arg in args:
        path = folder / arg
        # An argument that names a test is not a path, and one file is one file.
        if path.is_dir():
            files.update(path.rglob("test_*.py"))
        else:
            files.add(path)
    return len(files) >= MANY
