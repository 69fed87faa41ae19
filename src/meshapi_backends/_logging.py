"""The logger `meshapi`: one line for each attempt, and what happens inside of it.

Nothing here runs while nobody listens. Loaded when the logger is first asked for, as many programs
log nothing.
"""

import logging
import sys
from collections.abc import Iterable
from threading import Lock
from typing import TYPE_CHECKING, Any, Optional, TextIO

from meshapi_core.observing import Notice, details, facts, line

__all__ = [
    "LOGGER",
    "log",
    "log_connection",
    "log_failed_functions",
    "log_failed_hook",
    "log_on_stderr",
]

LOGGER = logging.getLogger("meshapi")

_FORMAT = "%(asctime)s %(levelname)s %(name)s: %(message)s"

_lock = Lock()
_handler: "Optional[_OwnHandler]" = None


if TYPE_CHECKING:
    from meshapi_core.flows import FunctionOutcome, RunFunctions

    _StreamHandler = logging.StreamHandler[TextIO]
else:
    # Before Python 3.11, it takes no parameter.
    _StreamHandler = logging.StreamHandler


class _OwnHandler(_StreamHandler):
    """Writes on stderr what no handler of the program's gets."""

    def emit(self, record: logging.LogRecord) -> None:
        # Looked up for each line, because programs and tests replace it, and configure logging
        # after the client was made. Then each line would be written twice.
        others: Optional[logging.Logger] = LOGGER
        while others is not None:
            if any(self._is_told(each, record) for each in others.handlers):
                return
            others = others.parent if others.propagate else None
        self.stream = sys.stderr
        super().emit(record)

    def _is_told(self, other: logging.Handler, record: logging.LogRecord) -> bool:
        # A handler for errors alone does not write these lines, nor does a NullHandler.
        is_other = other is not self and not isinstance(other, logging.NullHandler)
        return is_other and record.levelno >= other.level


def log_on_stderr(level: str) -> None:
    """Log on stderr, as `MESHAPI_LOG` says: once in a process.

    Does not touch the root logger, nor a level that the program has set.

    Args:
        level: "info" or "debug".
    """
    global _handler
    with _lock:
        if _handler is not None:
            return
        _handler = _OwnHandler()
        _handler.setFormatter(logging.Formatter(_FORMAT))
        LOGGER.addHandler(_handler)
        if LOGGER.level == logging.NOTSET:
            LOGGER.setLevel(level.upper())


def log(notice: Notice) -> None:
    """Log a notice, if anybody listens."""
    if LOGGER.isEnabledFor(logging.INFO):
        said = line(notice)
        if said:
            LOGGER.info("%s", said, extra={"meshapi": facts(notice)})
    if LOGGER.isEnabledFor(logging.DEBUG):
        for said in details(notice):
            LOGGER.debug("%s", said, extra={"meshapi": facts(notice)})


def log_connection(what: str, origin: object) -> None:
    """Log what happens to a connection."""
    LOGGER.debug("connection to %s %s", origin, what)


def log_failed_functions(step: "RunFunctions", outcomes: "Iterable[FunctionOutcome]") -> None:
    """Log which functions have raised, and where; not what they said, which may be secret.

    Otherwise, only the model may be told of a mistake in a tool.
    """
    # Few programs have tools.
    from meshapi_core.tools import Deferred

    for call, outcome in zip(step.calls, outcomes):
        error = outcome.error
        if error is not None and not isinstance(error, Deferred):
            raised = f"{_name_of(call.function)} raised {type(error).__name__}{_place_of(error)}"
            LOGGER.info("tool: %s", raised)


def _name_of(function: object) -> str:
    name: str = getattr(function, "__qualname__", type(function).__qualname__)
    return name


def _place_of(exc: BaseException) -> str:
    at: Any = exc.__traceback__
    while at is not None and at.tb_next is not None:
        at = at.tb_next
    return "" if at is None else f" ({at.tb_frame.f_code.co_filename}, line {at.tb_lineno})"


def log_failed_hook(name: str, function: object, exc: BaseException, notice: Notice) -> None:
    """Log that a function of the program's failed, without the values of its frames."""
    where, place = _name_of(function), _place_of(exc)
    try:
        said = str(exc)
    except Exception:
        said = "?"
    LOGGER.error(
        "%s",
        notice.about.conceal(f"{name}: {where} raised {type(exc).__name__}: {said}{place}"),
        extra={"meshapi": facts(notice)},
    )
