"""Many calls as one run: `client.map`. No I/O, no clock: times are arguments.

What comes in, and when it is sent:

- `options`: what a program asks for, checked.
- `inputs`: calls, or rows for a template, one after another; `templates` fills texts from rows.
- `estimates`: the model tokens of a call beforehand; `estimating`: the cost of many.
- `gate`: lets attempts begin, as the package `pacing` decides.
- `spending`: what a run needs of a budget.
- `room`: how many calls the client and the process have room for at once.
- `attempts`: what each brought, and whether there is another; `uploads`: attempts with files.

What comes out:

- `run`: the run as a flow, and `jobs`, the calls that wait for their turn in it.
- `taking`: what becomes of an attempt that has ended.
- `by_batch`: the run that makes batches of the calls.
- the package `journals`: the file that each result is written to.
- `items`: the result of each call, and `item_usage` what it used; `saving`: items in a file.
- `finish_reasons`: why the model stopped, where its answer may not be whole.
- `handover`: results that wait for the program.
- `summary`: a run in numbers; `telling`: what the program is told while it goes on.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshapi_core._async.map_run import AsyncMapRun as AsyncMapRun
    from meshapi_core._sync.map_run import MapRun as MapRun
    from meshapi_core.batching.submission import MOST_BATCH_BYTES as MOST_BATCH_BYTES
    from meshapi_core.batching.submission import MOST_BATCH_REQUESTS as MOST_BATCH_REQUESTS
    from meshapi_core.bulk.estimates import *
    from meshapi_core.bulk.estimating import *
    from meshapi_core.bulk.finish_reasons import *
    from meshapi_core.bulk.inputs import *
    from meshapi_core.bulk.item_usage import *
    from meshapi_core.bulk.items import *
    from meshapi_core.bulk.journals.keys import content_digest as content_digest
    from meshapi_core.bulk.options import *
    from meshapi_core.bulk.pacing.admission import *
    from meshapi_core.bulk.pacing.per_minute import *
    from meshapi_core.bulk.pacing.slots import *
    from meshapi_core.bulk.run import *
    from meshapi_core.bulk.saving import *
    from meshapi_core.bulk.summary import *
else:
    from meshapi_core.bulk._face import EXPORTED as __all__
    from meshapi_core.bulk._face import __dir__, __getattr__
