"""`close` beside `aclose`: the one method that has a second name on one side only.

Here, too, is what an async object says where a program uses it as its blocking twin, or copies it.
"""

from typing import TYPE_CHECKING, Any, NoReturn


class _NeverCopied:
    """A stream or session: it is a connection, and there is no second one."""

    def __reduce__(self) -> Any:
        raise TypeError(
            f"{type(self).__name__} objects cannot be copied or pickled: each is one connection"
        )


class _Asynchronous(_NeverCopied):
    if not TYPE_CHECKING:
        # Type checkers know that it is a mistake without them.

        def __enter__(self) -> NoReturn:
            kind = type(self).__name__
            raise TypeError(f"use `async with` instead of `with`: {kind} is asynchronous")

        def __exit__(self, *exc_info: object) -> None:
            """Never called: without it, `with` would not look for `__enter__`."""

        def __getitem__(self, index: object) -> NoReturn:
            # `for` falls back on it. With an `__iter__` it would pass for an Iterable.
            kind = type(self).__name__
            raise TypeError(f"use `async for` instead of `for`: {kind} is asynchronous")


class AsyncCloses(_Asynchronous):
    """Gives an async object `close()`, the name that its blocking twin has."""

    async def aclose(self) -> None:
        """Close."""

    async def close(self) -> None:
        """The same as `aclose()`."""
        await self.aclose()


class Closes(_NeverCopied):
    """Nothing: the blocking twin's own name is `close()`."""


class AsyncClosesWithCode(_Asynchronous):
    """The same for what says a code and a reason when it closes."""

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        """Close."""

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """The same as `aclose()`."""
        await self.aclose(code, reason)


class ClosesWithCode(_NeverCopied):
    """Nothing, as `Closes`."""
