"""Values that an object works out when they are first asked for."""

from collections.abc import Callable
from typing import Any, Generic, Optional, TypeVar, overload

from typing_extensions import Self

__all__ = ["computed"]

T = TypeVar("T")


class computed(Generic[T]):  # noqa: N801 - used as a decorator, named as those are
    """A property that is worked out once for each object, and kept in its `__dict__`.

    As `functools.cached_property`, but for the lock that this has up to Python 3.11: one for all
    objects of a class, and a process that forks while a thread holds it leaves the child waiting.
    Two threads may both work the value out; it is the same.
    """

    def __init__(self, work_out: Callable[[Any], T]) -> None:
        self._work_out = work_out
        self.__doc__ = work_out.__doc__

    @overload
    def __get__(self, owner: None, kind: type, /) -> Self: ...
    @overload
    def __get__(self, owner: object, kind: Optional[type] = None, /) -> T: ...
    def __get__(self, owner: Any, kind: Optional[type] = None, /) -> Any:
        if owner is None:
            return self
        # Where it is found first from now on: there is no `__set__` here.
        value = vars(owner)[self._work_out.__name__] = self._work_out(owner)
        return value
