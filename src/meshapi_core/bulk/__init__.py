"""Many calls: what comes in, when each attempt may begin, and what comes out. No I/O, no clock.

- `inputs`: calls, or rows for a template, one after another.
- `templates`: a call whose texts are filled from rows.
- `estimates`: the model tokens of a call beforehand; `estimating`: the cost of many.
- `items`: the result of each call; `item_usage`: what it used.
- `saving`: items in a file.
- `summary`: a run in numbers.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshapi_core.bulk.estimates import *
    from meshapi_core.bulk.estimating import *
    from meshapi_core.bulk.inputs import *
    from meshapi_core.bulk.item_usage import *
    from meshapi_core.bulk.items import *
    from meshapi_core.bulk.saving import *
    from meshapi_core.bulk.summary import *
else:
    from meshapi_core.bulk._face import EXPORTED as __all__
    from meshapi_core.bulk._face import __dir__, __getattr__
