"""Counts of what a program does, which are the same on every machine, however busy it is."""

import gc
import sys
import tracemalloc
from pathlib import Path
from types import FrameType
from typing import Any, Callable, Optional

import meshapi
import meshapi_backends
import meshapi_core

OURS = tuple(
    str(Path(package.__file__).parent) for package in (meshapi, meshapi_backends, meshapi_core)
)


class Calls:
    """Counts function calls in its `with` block: `all` of Python and C, and `ours`."""

    def __init__(self) -> None:
        self.all = 0
        self.ours = 0

    def __enter__(self) -> "Calls":
        sys.setprofile(self._count)
        return self

    def __exit__(self, *_: object) -> None:
        sys.setprofile(None)

    def _count(self, frame: FrameType, event: str, _arg: object) -> None:
        if event == "call":
            self.all += 1
            self.ours += frame.f_code.co_filename.startswith(OURS)
        elif event == "c_call":
            self.all += 1


class Instructions:
    """Counts the bytecode instructions in its `with` block, of ours and of others.

    A call into C counts as one. The numbers hold for one version of Python only.
    """

    def __init__(self) -> None:
        self.all = 0
        self._before: Optional[Any] = None

    def __enter__(self) -> "Instructions":
        self._before = sys.gettrace()
        sys.settrace(self._enter)
        return self

    def __exit__(self, *_: object) -> None:
        sys.settrace(self._before)

    def _enter(self, frame: FrameType, _event: str, _arg: object) -> Callable[..., Any]:
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return self._count

    def _count(self, _frame: FrameType, event: str, _arg: object) -> Callable[..., Any]:
        self.all += event == "opcode"
        return self._count


class Memory:
    """Counts the bytes that Python allocates in its `with` block: those `kept`, and the `most`."""

    def __enter__(self) -> "Memory":
        gc.collect()
        tracemalloc.start()
        return self

    def __exit__(self, *_: object) -> None:
        try:
            self.most = tracemalloc.get_traced_memory()[1]
            gc.collect()
            self.kept = tracemalloc.get_traced_memory()[0]
        finally:
            tracemalloc.stop()
