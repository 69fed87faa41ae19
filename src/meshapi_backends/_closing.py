"""`close` beside `aclose`: the one method that has a second name on one side only."""


class AsyncCloses:
    """Gives an async object `close()`, the name that its blocking twin has."""

    async def aclose(self) -> None:
        """Close."""

    async def close(self) -> None:
        """The same as `aclose()`."""
        await self.aclose()


class Closes:
    """Nothing: the blocking twin's own name is `close()`."""


class AsyncClosesWithCode:
    """The same for what says a code and a reason when it closes."""

    async def aclose(self, code: int = 1000, reason: str = "") -> None:
        """Close."""

    async def close(self, code: int = 1000, reason: str = "") -> None:
        """The same as `aclose()`."""
        await self.aclose(code, reason)


class ClosesWithCode:
    """Nothing, as `Closes`."""
