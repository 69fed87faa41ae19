"""Tasks on trio that run at the same time, and all end before their caller goes on."""

from collections.abc import Awaitable, Callable, Sequence

import trio

from meshapi_backends._scopes import check_ended, waiting

AsyncFunction = Callable[[], Awaitable[None]]


async def together(functions: Sequence[AsyncFunction]) -> None:
    """See `AsyncNetwork.together`."""
    raised: list[BaseException] = []
    left = len(functions)
    all_ended = trio.Event()

    async def run(function: AsyncFunction) -> None:
        nonlocal left
        try:
            await function()
        except trio.Cancelled:
            raise
        except BaseException as exc:
            # Not through the nursery, which would put it into a group.
            raised.append(exc)
            scope.cancel()
        left -= 1
        if not left:
            all_ended.set()

    with trio.CancelScope() as scope, waiting(scope.cancel):
        async with trio.open_nursery() as nursery:
            for function in functions:
                nursery.start_soon(run, function)
            try:
                await all_ended.wait()
            except trio.Cancelled:
                raise
            except BaseException as exc:
                raised.append(exc)
                scope.cancel()
    check_ended()
    if raised:
        raise raised[0]
