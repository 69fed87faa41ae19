"""How many processes share the tests: `pytest` alone uses all cores, where that is quicker.

pytest-xdist is asked here and not by `-n` in pyproject.toml: not for one file, not on one core, and
not by somebody who looks at a single test. What the command line says (`-n 4`, `-n 0`,
`-p no:xdist`) is what happens.
"""

import os
from collections.abc import Iterable
from pathlib import Path

import pytest

# Each process imports and collects all tests for itself, 2 to 4 s of each core; so many files
# take longer than that.
MANY = 20

# Of what pytest offers: each process begins with a stretch of neighbours, so that a server or a
# certificate that a module shares is made once, and takes from the others when it has nothing left.
# By file (`loadfile`) the last files, which are the longest sweeps, would leave all cores but one
# with nothing to do.
MODE = "worksteal"


@pytest.hookimpl(tryfirst=True)
def pytest_cmdline_main(config: pytest.Config) -> None:
    """Ask xdist, before it looks at what it was asked for."""
    option = config.option
    if not config.pluginmanager.hasplugin("xdist") or hasattr(config, "workerinput"):
        return
    asked = option.numprocesses is not None or option.tx or option.dist != "no"
    if not asked and is_for_all_cores(config):
        folder = config.invocation_params.dir
        option.numprocesses = processes(folder / arg for arg in config.args)
        option.dist = MODE


def is_for_all_cores(config: pytest.Config) -> bool:
    """Return whether this run is long, and nobody watches a single test."""
    named = ("usepdb", "trace", "stepwise", "keyword", "collectonly", "lf")
    # Some belong to a plugin that may have been left out.
    watched = config.option.capture == "no" or any(config.getoption(n, False) for n in named)
    return not watched and cores() > 1 and is_long(config.args, config.invocation_params.dir)


def is_needless(report: pytest.TestReport, config: pytest.Config) -> bool:
    """Return whether nobody wants to hear of this, which a process has to tell another one.

    A test makes three reports, of which two say that its fixtures did nothing worth mentioning. To
    send them all is a tenth of what the usual test takes.
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

    For a quarter of their time tests wait, but for those of the core, which has nobody to wait for.
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
        # What names a test is no path, and one file is one file.
        if path.is_dir():
            files.update(path.rglob("test_*.py"))
        else:
            files.add(path)
    return len(files) >= MANY
