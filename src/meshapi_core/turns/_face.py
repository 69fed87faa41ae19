"""The public names of `meshapi_core.turns`, and the modules that have them.

Written by `python tools/faces.py --write` from the imports in `__init__.py`; change those.
"""

import sys
from typing import Any, Final

PACKAGE: Final = "meshapi_core.turns"

_NAMES: Final = {
    "meshapi_core._async.realtime_talks": "AsyncTalks ENDS_OF_ASKING",
    "meshapi_core._async.realtime_turns": "AsyncRealtimeTurns",
    "meshapi_core._async.turn_host": "AsyncTurnHost",
    "meshapi_core._sync.realtime_talks": "Talks",
    "meshapi_core._sync.realtime_turns": "RealtimeTurns",
    "meshapi_core._sync.turn_host": "TurnHost",
    "meshapi_core.turns.actions": """
        GiveTurn Hook Hooks MakeCalls RECEIVE SendEvents TellProgram TurnAction
    """,
    "meshapi_core.turns.machine": "TurnMachine",
    "meshapi_core.turns.requests": "check_text say_events text_events",
    "meshapi_core.turns.tools": "SessionToolOptions SessionTools ToolTurn output_event",
    "meshapi_core.turns.values": "HeardInput RealtimeToolCall RealtimeTurn",
}
_HOMES: Final = {
    name: f"{module}:{name}" for module, names in _NAMES.items() for name in names.split()
}
EXPORTED: Final = sorted(name for name, home in _HOMES.items() if ":" in home)


def __getattr__(name: str) -> Any:
    """Import the module that has a name, when the name is used for the first time."""
    if name not in _HOMES:
        raise AttributeError(f"module {PACKAGE!r} has no attribute {name!r}")
    module, _, attribute = _HOMES[name].partition(":")
    __import__(module)
    value: Any = sys.modules[module]
    if attribute:
        value = getattr(value, attribute)
    vars(sys.modules[PACKAGE])[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*vars(sys.modules[PACKAGE]), *_HOMES})
