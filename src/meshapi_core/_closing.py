"""Base classes of streams and sessions: `close()` alongside `aclose()`, and errors for misuse.

`aclose` is the one method that has a second name on the async side only. The errors are for
programs that use an async object like its blocking twin, or copy an object of either kind.
"""

from typing import TYPE_CHECKING, Any, ClassVar, NoReturn


class _NeverCopied:
    """A stream or session, which stands for one connection and so cannot be copied; or the like."""

    __slots__ = ()

    _instead: ClassVar[str] = "each is one connection"

    def __reduce__(self) -> Any:
        kind = type(self).__name__
        raise TypeError(f"{kind} objects cannot be copied or pickled: {self._instead}")


class AsyncIterated(_NeverCopied):
    """What `async for` alone reads: a part of a stream, such as its text."""

    __slots__ = ()

    if not TYPE_CHECKING:
        # Hidden from type checkers, which report the mistake only while it is missing.

        def __getitem__(self, index: object) -> NoReturn:
            # `for` falls back on this. An `__iter__` would make the object an Iterable.
            kind = type(self).__name__
            raise TypeError(f"use `async for` instead of `for`: {kind} is asynchronous")


class Iterated(_NeverCopied):
    """The blocking twin of `AsyncIterated`."""

    __slots__ = ()


class _Asynchronous(AsyncIterated):
    __slots__ = ()

    if not TYPE_CHECKING:

        def __enter__(self) -> NoReturn:
            kind = type(self).__name__
            raise TypeError(f"use `async with` instead of `with`: {kind} is asynchronous")

        def __exit__(self, *exc_info: object) -> None:
            """Never called, but without it `with` would not call `__enter__`."""


class AsyncCloses(_Asynchronous):
    """Gives an async object `close()`, the name that its blocking twin has."""

    __slots__ = ()

    async def aclose(self) -> None:
        """Close."""

    async def close(self) -> None:
        """The same as `aclose()`."""
        await self.aclose()


class AsyncRunCloses(AsyncCloses):
    """The same for a run, which programs await."""

    __slots__ = ()

    if not TYPE_CHECKING:

        def __await__(self) -> NoReturn:
            kind = type(self).__name__
            raise TypeError(
                f"{kind} cannot be awaited: use `async for item in run`, or"
                " `await run.until_done()`, which drops the results"
            )


class Closes(_NeverCopied):
    """The blocking twin of `AsyncCloses`, which needs no second name for `close()`."""

    __slots__ = ()


class RunCloses(Closes):
    """The blocking twin of `AsyncRunCloses`."""

    __slots__ = ()


class AsyncClosesWithCode(_Asynchronous):
    """The same as `AsyncCloses`, for objects that close with a code and a reason."""

    __slots__ = ()

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        """Close."""

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """The same as `aclose()`."""
        await self.aclose(code, reason)


class ClosesWithCode(_NeverCopied):
    """The blocking twin of `AsyncClosesWithCode`."""

    __slots__ = ()
