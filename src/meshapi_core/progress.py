"""How far long work has come, told to the program while it goes on.

A flow that takes `on_progress=` and `progress=` begins with `functions = yield from
progress_functions(...)`, and then does `yield from tell_progress(functions, Progress(...))` as
often as there is something to tell.
"""

from collections.abc import Callable
from typing import Any, Optional

from msgspec import Struct

from meshapi_core._json_kinds import value_name
from meshapi_core.errors import InvalidParamsError
from meshapi_core.flows.steps import Flow, OpenBar, Tell

__all__ = ["OnProgress", "Progress", "progress_functions", "tell_progress"]


class Progress(Struct, frozen=True):
    """How far a job, an upload or a download has come; `on_progress` is called with it.

    Fields:
        done: how much is done: bytes of a file, requests of a batch.
        total: how much there is to do; None if it is unknown.
        what: what is being done, in a word or two: the status of a job, the name of a file.
        job_id: the ID of a job, to wait for it again if this wait is cancelled; "" for other work.
        recorded: how much of `done` an earlier run has done, so a rate should not count it.
    """

    done: int = 0
    total: Optional[int] = None
    what: str = ""
    job_id: str = ""
    recorded: int = 0


OnProgress = Callable[[Progress], object]
"""A function of the program's; with `AsyncMeshAPI`, it may be a coroutine function."""


def progress_functions(
    on_progress: Optional[OnProgress], show: bool, unit: str = ""
) -> Flow[tuple[OnProgress, ...]]:
    """Return the functions that are to be told of progress, after checking both arguments.

    It is the first thing that a flow does, so that nothing is sent if an argument is wrong.

    Args:
        on_progress: the program's function.
        show: whether the runner shows a progress bar.
        unit: what `Progress.done` counts: see `OpenBar`.

    Raises:
        InvalidParamsError: `on_progress` cannot be called, or `show` is not a bool.
        ModuleNotFoundError: there is no tqdm to show a bar with.
    """
    # For callers without a type checker.
    given: Any = on_progress
    shown: Any = show
    if given is not None and not callable(given):
        hint = "write progress=True for a progress bar" if given is True else ""
        raise InvalidParamsError("on_progress", "a function", value_name(given, show=True), hint)
    if type(shown) is not bool:
        hint = "write on_progress=..." if callable(shown) else ""
        raise InvalidParamsError("progress", "True or False", value_name(shown, show=True), hint)
    functions: tuple[OnProgress, ...] = () if on_progress is None else (on_progress,)
    if shown:
        functions += ((yield OpenBar(unit)),)
    return functions


def tell_progress(functions: tuple[OnProgress, ...], progress: Progress) -> Flow[None]:
    """Call each function with the progress; what one raises ends the flow."""
    for function in functions:
        yield Tell(function, (progress,))
