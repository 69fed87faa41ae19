"""How long a driver lets others run before it makes the clock jump: rounds, and seconds of each."""

from meshapi.testing.fake.clock import VirtualClock


class AsyncQuiet:
    """On an event loop, where everybody has had a turn after one round.

    There are several, because it takes some from the end of one task to the next step of another
    that waits for it.
    """

    @staticmethod
    def rounds(clock: VirtualClock) -> tuple[int, float]:
        """Return how many rounds there are."""
        return 32, 0.0


class Quiet:
    """In threads, each of which may do something at any time; none, if there is only one."""

    @staticmethod
    def rounds(clock: VirtualClock) -> tuple[int, float]:
        """Return how many rounds there are."""
        return (4, 0.0005) if clock.is_shared() else (0, 0.0)
