"""The turns of a session: each is one response of the model, put together from its events.

- `values`: what a program gets.
- `machine`: decides what an event adds to, when a turn is given, and what is sent after it.
- `parts`: one response while its events arrive.
- `tools`: the functions that the model may call, and the calls of one turn.
- `requests`: the events that ask the model for something.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshapi_core.realtime.turns.machine import *
    from meshapi_core.realtime.turns.requests import *
    from meshapi_core.realtime.turns.tools import *
    from meshapi_core.realtime.turns.values import *
else:
    from meshapi_core.realtime.turns._face import EXPORTED as __all__
    from meshapi_core.realtime.turns._face import __dir__, __getattr__
