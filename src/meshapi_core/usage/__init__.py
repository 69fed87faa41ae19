"""What calls use and cost: read from responses, and added up by model. No lock, no clock.

- `money`: amounts as `Decimal`, exactly.
- `totals`: `TotalUsage`, which adds up.
- `reading`: what a response, a chunk or an event says about its usage.
- `prices`: what a call cost by the gateway's prices, where its response does not say so.
- `metered`: the usage of one call, from its notices.
- `budgets`: limits, and whether they are used up.
- `accounts`: the usage of many calls by model, within limits.
- `tables`: totals as a table of text.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshapi_core.usage.accounts import *
    from meshapi_core.usage.budgets import *
    from meshapi_core.usage.metered import *
    from meshapi_core.usage.money import *
    from meshapi_core.usage.prices import *
    from meshapi_core.usage.reading import *
    from meshapi_core.usage.tables import *
    from meshapi_core.usage.totals import *
else:
    from meshapi_core.usage._face import EXPORTED as __all__
    from meshapi_core.usage._face import __dir__, __getattr__
