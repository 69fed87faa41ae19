"""Waits on the virtual clock."""

from collections.abc import Callable
from typing import Any, Optional

from meshapi.testing.fake.clock import Changing, VirtualClock, Wait
from meshapi.testing.fake.quiet import AsyncQuiet


async def wait_until(
    clock: VirtualClock,
    base: Any,
    ready: Callable[[], bool],
    changing: Changing,
    until: Optional[float],
) -> bool:
    """Wait until something is ready, and return True; or until a time, and return False.

    Args:
        clock: the clock.
        base: the network of the program, which really waits.
        ready: asked under the clock's lock.
        changing: says when to ask.
        until: None waits for ever.
    """
    wait = Wait(ready, until)
    clock.enter(wait)
    with clock.lock:
        changing.waits.append(wait)
    try:
        while True:
            with clock.lock:
                if ready():
                    return True
                if until is not None and clock.now >= until:
                    return False
                moment = clock.next_moment() if clock.is_driver(wait) else None
                seen = clock.activity
                wait.waiter = None if moment is not None else base.waiter()
            if moment is None:
                await wait.waiter.wait(None)
            elif await _is_quiet(clock, base, seen):
                clock.jump(seen, AsyncQuiet.blocked())
    finally:
        with clock.lock:
            changing.waits.remove(wait)
        clock.leave(wait)


async def _is_quiet(clock: VirtualClock, base: Any, seen: int) -> bool:
    """Let others run; whether none of them did anything."""
    rounds, pause = AsyncQuiet.rounds(clock)
    for _ in range(rounds):
        await base.sleep(pause)
        if clock.activity != seen:
            return False
    return True
