"""What error trackers see of an exception: everything it refers to, and its frames' locals."""

import pickle
from collections.abc import Iterator
from pathlib import Path
from types import FrameType
from typing import Any, Optional

_TESTS = str(Path(__file__).resolve().parents[1])


def seen(error: BaseException) -> str:
    """Everything that a reporter could show, as one text.

    Without the frames of tests, which stand for the program's own.
    """
    return "\n".join(text for each in chain(error) for text in _seen_of(each))


def chain(error: BaseException) -> Iterator[BaseException]:
    """The error and all its causes, including suppressed contexts."""
    known: list[BaseException] = []
    waiting: list[Optional[BaseException]] = [error]
    while waiting:
        each = waiting.pop()
        if each is not None and not any(each is other for other in known):
            known.append(each)
            yield each
            waiting += [each.__cause__, each.__context__]


def _seen_of(error: BaseException) -> Iterator[str]:
    yield f"{error!r} {error} {error.args!r}"
    for name, value in vars(error).items():
        yield from (f"{name}: {shown}" for shown in _shown(value))
    yield from _pickled(error)
    step = error.__traceback__
    while step is not None:
        frame: FrameType = step.tb_frame
        code = frame.f_code
        if not code.co_filename.startswith(_TESTS):
            for name, value in frame.f_locals.items():
                for shown in _shown(value):
                    yield f"{code.co_filename}:{code.co_name}: {name} = {shown}"
        step = step.tb_next


def _pickled(error: BaseException) -> Iterator[str]:
    try:
        yield pickle.dumps(error, 0).decode("latin-1")
    except Exception:
        return  # what cannot be pickled reveals nothing


def _shown(value: Any) -> Iterator[str]:
    # As cgitb, the traceback module, log lines and rich show it.
    for show in (repr, _by_rich, _members):
        try:
            yield show(value)
        except Exception:
            continue


def _by_rich(value: Any) -> str:
    return repr(list(value.__rich_repr__()))


def _members(value: Any) -> str:
    """The attributes of the frame's locals, which cgitb shows if the line names them."""
    fields = getattr(value, "__struct_fields__", ())
    return repr({name: getattr(value, name) for name in fields if name != "body"})
