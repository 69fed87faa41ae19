"""What a call does, told while it does it. A call that nobody watches runs none of this code.

- `notices`: the values that tell it.
- `exchange`: an `Exchange` that notes its attempts and retries.
- `calls`: call machines that hand notices to their host, in the action `Notify`.
- `sessions`: the same for a realtime session.
- `lines`: notices as lines of a log.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshapi_core.observing.calls import *
    from meshapi_core.observing.lines import *
    from meshapi_core.observing.notices import *
    from meshapi_core.observing.sessions import *
else:
    from meshapi_core.observing._face import EXPORTED as __all__
    from meshapi_core.observing._face import __dir__, __getattr__
