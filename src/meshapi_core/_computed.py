"""Properties that are computed once, when they are first read."""

from collections.abc import Callable
from typing import Any, Generic, Optional, TypeVar, overload

from typing_extensions import Self

__all__ = ["computed"]

T = TypeVar("T")


class computed(Generic[T]):  # noqa: N801 - used as a decorator, named as those are
    """A property that is computed once for each object, and kept in its `__dict__`.

    Like `functools.cached_property`, but without the lock that it takes before Python 3.12. That
    lock is shared by all objects of a class, and if a process forks while a thread holds it, the
    child waits for it forever. Here two threads may both compute the value, which is the same.
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
        # A descriptor without `__set__`: from now on the object's `__dict__` is looked up first.
        value = vars(owner)[self._work_out.__name__] = self._work_out(owner)
        return value
