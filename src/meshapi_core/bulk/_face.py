"""The public names of `meshapi_core.bulk`, and the modules that have them.

Written by `python tools/faces.py --write` from the imports in `__init__.py`; change those.
"""

import sys
from typing import Any, Final

PACKAGE: Final = "meshapi_core.bulk"

_NAMES: Final = {
    "meshapi_core._async.map_run": "AsyncMapRun",
    "meshapi_core._sync.map_run": "MapRun",
    "meshapi_core.batching.submission": "MOST_BATCH_BYTES MOST_BATCH_REQUESTS",
    "meshapi_core.bulk.estimates": """
        EstimatedTokens GUESSED_OUTPUT MEDIA_TOKENS estimated_tokens model_of
    """,
    "meshapi_core.bulk.estimating": "Estimate estimate_calls",
    "meshapi_core.bulk.finish_reasons": "NOT_WHOLE NotWhole finish_reason_of",
    "meshapi_core.bulk.inputs": "Entry Inputs call_of_line",
    "meshapi_core.bulk.item_usage": "NO_PRICES cost_in_usage usage_of",
    "meshapi_core.bulk.items": "MapItem",
    "meshapi_core.bulk.journals.keys": "content_digest",
    "meshapi_core.bulk.options": "MOST_AT_ONCE Plan",
    "meshapi_core.bulk.pacing.admission": "Admission",
    "meshapi_core.bulk.pacing.per_minute": "PerMinute",
    "meshapi_core.bulk.pacing.slots": "Decision Hold Slot Stop",
    "meshapi_core.bulk.run": "Run planned_run",
    "meshapi_core.bulk.saving": "ITEM_COLUMNS SavedRows item_values save_jsonl save_parquet",
    "meshapi_core.bulk.summary": "MapSummary SummaryCounts",
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
