"""Progress bars: what tqdm is told, and when a bar is closed."""

import sys
import threading
from typing import Any

import pytest

from meshapi import Progress
from meshapi_core import InvalidParamsError
from meshapi_core.flows import Flow
from meshapi_core.progress import progress_functions, tell_progress
from support.flavours import World, on_every_flavour

NOWHERE = "http://127.0.0.1:9"


def _work(on_progress: Any = None, progress: Any = False, unit: str = "requests") -> Flow[str]:
    functions = yield from progress_functions(on_progress, progress, unit)
    for done in range(3):
        yield from tell_progress(functions, Progress(done, 2, "working"))
    return "done"


@on_every_flavour
async def test_a_function_and_a_bar_are_told(world: World, capsys: Any) -> None:
    told: list[Progress] = []
    threads = threading.active_count()
    async with world.client(NOWHERE) as client:
        work = _work(told.append, progress=True)
        assert await world.settle(client._runner.run_flow(work)) == "done"
    assert told == [Progress(done, 2, "working") for done in range(3)]
    shown = capsys.readouterr().err
    assert "working" in shown
    assert "2/2" in shown
    assert shown.endswith("\n"), "the bar was not closed"
    assert threading.active_count() <= threads, "tqdm's monitor runs"


@pytest.mark.parametrize(("unit", "shown"), [("", "working [00:00]"), ("B", "2.00/2.00")])
@on_every_flavour
async def test_the_unit_decides_what_a_bar_looks_like(
    world: World, capsys: Any, unit: str, shown: str
) -> None:
    async with world.client(NOWHERE) as client:
        await world.settle(client._runner.run_flow(_work(progress=True, unit=unit)))
    assert shown in capsys.readouterr().err


@on_every_flavour
async def test_the_bar_is_closed_when_the_flow_fails(world: World, capsys: Any) -> None:
    def fail(progress: Progress) -> None:
        raise LookupError("mine")

    async with world.client(NOWHERE) as client:
        with pytest.raises(LookupError):
            await world.settle(client._runner.run_flow(_work(fail, progress=True)))
    assert capsys.readouterr().err.endswith("\n")


@on_every_flavour
async def test_without_tqdm_the_error_says_what_to_install(
    world: World, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tqdm.auto", None)
    monkeypatch.setitem(sys.modules, "tqdm", None)
    async with world.client(NOWHERE) as client:
        with pytest.raises(ModuleNotFoundError, match=r"tqdm.*: pip install tqdm"):
            await world.settle(client._runner.run_flow(_work(progress=True)))


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"on_progress": 3}, "on_progress: expected a function, got 3"),
        ({"on_progress": True}, "write progress=True for a progress bar"),
        ({"progress": print}, "progress: expected True or False"),
        ({"progress": 1}, "progress: expected True or False, got 1"),
    ],
)
def test_wrong_arguments_are_refused_before_the_first_step(given: Any, message: str) -> None:
    with pytest.raises(InvalidParamsError, match=message):
        next(_work(**given))
