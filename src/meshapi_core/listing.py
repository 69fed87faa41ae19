"""What a list method of an async client returns: it can be awaited, and iterated over.

    page = await client.batches.list()              one page
    async for batch in client.batches.list(): ...   every batch, page by page
    async for page in client.batches.list().pages(): ...

Nothing is sent before one of these.
"""

import sys
from collections.abc import AsyncIterator, Callable, Coroutine, Generator
from functools import partial
from inspect import iscoroutinefunction
from types import CodeType, TracebackType
from typing import TYPE_CHECKING, Any, Generic, Optional, TypeVar

from meshapi_core._async.pages import AsyncItems, AsyncPages
from meshapi_core.calls import Call
from meshapi_core.protocols import AsyncRunner
from meshapi_core.types._pages import HasRows, Source, keep_source

__all__ = ["AsyncList", "listing"]

L_co = TypeVar("L_co", covariant=True)
T = TypeVar("T")


class AsyncList(Coroutine[Any, Any, L_co], Generic[L_co]):
    """A list that is not asked for yet: `await` returns one page, `async for` yields all rows.

    It is a `Coroutine`, so that `asyncio.create_task` and the nurseries of trio take it. It can be
    awaited once, and iterated over as often as you like; each loop asks anew.
    """

    def __init__(self, runner: AsyncRunner, build: Callable[[], Call[L_co]], name: str) -> None:
        self._runner = runner
        self._build = build
        self._coroutine: Optional[Coroutine[Any, Any, L_co]] = None
        self._is_used = False
        self.__qualname__ = self.__name__ = name

    def __repr__(self) -> str:
        return f"<list {self.__qualname__}, to await or to iterate over with `async for`>"

    def __await__(self) -> Generator[Any, Any, L_co]:
        return self._started().__await__()

    def send(self, value: Any, /) -> Any:
        """Go on with the coroutine, as an event loop does."""
        return self._started().send(value)

    def throw(self, typ: Any, val: Any = None, tb: Optional[TracebackType] = None, /) -> Any:
        """Raise an exception in the coroutine, as an event loop does."""
        return self._started().throw(typ if val is None else val)

    def close(self) -> None:
        """End the coroutine. Harmless twice."""
        self._started().close()

    def __aiter__(self: "AsyncList[HasRows[T]]") -> AsyncIterator[T]:
        return AsyncItems(self.pages())

    def pages(self) -> AsyncIterator[L_co]:
        """Return an async iterator over the pages of the list, each with its own fields."""
        self._is_used = True
        return AsyncPages(Source(self._runner, self._build(), True))

    if not TYPE_CHECKING:

        def __iter__(self) -> Any:
            raise TypeError(
                f"AsyncMeshAPI returned this list; write `async for row in {self.__qualname__}()`"
            )

    def __del__(self) -> None:
        if not self._is_used:
            import warnings

            # The words of Python, for a coroutine, which does nothing either.
            message = f"coroutine '{self.__qualname__}' was never awaited"
            warnings.warn(message, RuntimeWarning, stacklevel=2, source=self)

    def _started(self) -> Coroutine[Any, Any, L_co]:
        self._is_used = True
        coroutine: Any = self._coroutine
        if coroutine is None:
            coroutine = self._coroutine = self._page()
            coroutine.__qualname__ = self.__qualname__
        started: Coroutine[Any, Any, L_co] = coroutine
        return started

    async def _page(self) -> L_co:
        call = self._build()
        page = await self._runner.run(call)
        keep_source(page, Source(self._runner, call, True))
        return page


async def _template() -> None:
    """Gives its code to `_AsyncListMethod`."""


class _AsyncListMethod:
    """A list method of an async client; `inspect` takes it for the coroutine function that it is.

    Args:
        returned: returns the `AsyncList` for the arguments.
    """

    __code__: CodeType = _template.__code__
    __defaults__ = None
    __kwdefaults__ = None

    def __init__(self, returned: Callable[..., Any]) -> None:
        self._returned = returned
        self.__name__ = self.__qualname__ = ""
        self.__annotations__: dict[str, Any] = {}

    @property
    def _is_coroutine(self) -> Any:
        # Before Python 3.11, `inspect` believes functions alone. `asyncio.iscoroutinefunction`,
        # which mocks ask, then looks for this mark.
        return getattr(sys.modules.get("asyncio.coroutines"), "_is_coroutine", None)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        return self._returned(*args, **kwargs)

    def __repr__(self) -> str:
        return f"<method {self.__qualname__}>"


def listing(runner: Any, build: Callable[..., Call[Any]], name: str) -> Callable[..., Any]:
    """Return the list method of a client: of either kind, by its runner.

    Args:
        build: makes the call from the method's arguments.
        name: of the method, such as "batches.list".
    """

    def asynchronous(*args: Any, **kwargs: Any) -> AsyncList[Any]:
        return AsyncList(runner, partial(build, *args, **kwargs), name)

    def blocking(*args: Any, **kwargs: Any) -> Any:
        call = build(*args, **kwargs)
        page = runner.run(call)
        keep_source(page, Source(runner, call, False))
        return page

    return _AsyncListMethod(asynchronous) if iscoroutinefunction(runner.run) else blocking
