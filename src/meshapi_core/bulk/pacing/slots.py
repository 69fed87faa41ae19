"""What admission returns for an attempt: it may begin, must wait, or the run is over."""

from decimal import Decimal
from typing import Final, Union

from msgspec import Struct
from typing_extensions import TypeAlias

__all__ = ["Decision", "Hold", "Slot", "Stop"]


class Slot(Struct, gc=False):
    """An attempt that may begin. Give it back to `Admission.end` when the attempt has ended.

    Fields:
        begun: when it was admitted.
        tokens: the estimate that was given.
        charged: the model tokens that count towards the limit a minute until the usage is known.
        cost: US dollars that are reserved, as estimated.
        again: whether it is a retry.
        ended: whether it was given back.
    """

    begun: float
    tokens: int
    charged: int
    cost: float
    again: bool = False
    ended: bool = False


class Hold(Struct, frozen=True, gc=False):
    """The attempt must wait.

    Fields:
        seconds: ask again after that time, or when an attempt has ended. Infinite: only when an
            attempt has ended.
    """

    seconds: float


class Stop(Struct, frozen=True):
    """The budget allows no further call. Retries of calls that have begun may go on.

    Fields:
        limit: which limit: "cost_usd", "tokens", "requests", "seconds" or "failures".
        allowed: what it allows: dollars as a `Decimal`, seconds, or a count.
    """

    limit: str
    allowed: Union[Decimal, int, float]


Decision: TypeAlias = Union[Slot, Hold, Stop]

UNTIL_AN_END: Final = Hold(float("inf"))
"""Nothing but the end of an attempt can make room."""
