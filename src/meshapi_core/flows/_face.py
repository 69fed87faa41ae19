"""The public names of `meshapi_core.flows`, and the modules that have them.

Written by `python tools/faces.py --write` from the imports in `__init__.py`; change those.
"""

import sys
from typing import Any, Final

PACKAGE: Final = "meshapi_core.flows"

_NAMES: Final = {
    "meshapi_core.flows.concurrent": """
        CallEnd EndCalls Ends GetLimits GetMostFiles NextEnds PULL StartCalls StartPull
    """,
    "meshapi_core.flows.downloads": "FilePath SavedFile",
    "meshapi_core.flows.functions": "FunctionCall FunctionOutcome RunFunctions",
    "meshapi_core.flows.journals": """
        AppendJournal CloseJournal CutJournal FileSize OpenJournal ReadJournal ReadRecord
        journal_locked journal_not_written
    """,
    "meshapi_core.flows.saving": "DiscardFile EmptyFile KeepFile OpenFile WritePiece",
    "meshapi_core.flows.steps": """
        CloseStream Emit Flow GetConfig ItemFlow NextChunk Now OpenBar OpenStream Pause RandomBytes
        Step Tell
    """,
    "meshapi_core.flows.tables": "ColumnKind OpenTable WriteRows",
    "meshapi_core.progress": "OnProgress Progress",
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
