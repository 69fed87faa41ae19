"""Many calls: when each attempt may begin. No I/O, no clock: times are arguments.

- `per_minute`: the rate limit that a program gives.
- `admission`: says of each attempt whether it may begin, must wait, or is the end of the run.
- `slots`: what admission returns.
- `concurrency`: how many attempts may be under way; "auto" finds out.
- `pace`: spreads attempts over a rate limit, and `last_minute` counts them.
- `learned`: a limit that the gateway does not name.
- `remaining`: what others who use the account leave of a limit.
- `reservations`: what attempts under way may still spend of a budget.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshapi_core.bulk.admission import *
    from meshapi_core.bulk.per_minute import *
    from meshapi_core.bulk.slots import *
else:
    from meshapi_core.bulk._face import EXPORTED as __all__
    from meshapi_core.bulk._face import __dir__, __getattr__
