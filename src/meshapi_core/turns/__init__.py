"""The turns of a session: each is one response of the model, put together from its events.

- `values`: what a program gets.
- `actions`: what the machine asks its host to do.
- `machine`: decides what an event adds to, when a turn is given, and what is sent after it.
- `parts`: one response while its events arrive.
- `hearing`: what the user said.
- `tools`: the functions that the model may call, and the calls of one turn.
- `requests`: the events that ask the model for something.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshapi_core._async.realtime_talks import *
    from meshapi_core._async.realtime_turns import AsyncRealtimeTurns as AsyncRealtimeTurns
    from meshapi_core._async.turn_host import AsyncTurnHost as AsyncTurnHost
    from meshapi_core._sync.realtime_talks import Talks as Talks
    from meshapi_core._sync.realtime_turns import RealtimeTurns as RealtimeTurns
    from meshapi_core._sync.turn_host import TurnHost as TurnHost
    from meshapi_core.turns.actions import *
    from meshapi_core.turns.machine import *
    from meshapi_core.turns.requests import *
    from meshapi_core.turns.tools import *
    from meshapi_core.turns.values import *
else:
    from meshapi_core.turns._face import EXPORTED as __all__
    from meshapi_core.turns._face import __dir__, __getattr__
