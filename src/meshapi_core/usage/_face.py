"""The public names of `meshapi_core.usage`, and the modules that have them.

Written by `python tools/faces.py --write` from the imports in `__init__.py`; change those.
"""

import sys
from typing import Any, Final

PACKAGE: Final = "meshapi_core.usage"

_NAMES: Final = {
    "meshapi_core.usage.accounts": "Account admit",
    "meshapi_core.usage.budgets": "Amount BudgetExceededError BudgetLimits UsedUp",
    "meshapi_core.usage.metered": "CallUsage Changes RequestUsage call_usage",
    "meshapi_core.usage.money": "added multiplied usd",
    "meshapi_core.usage.prices": "PriceList",
    "meshapi_core.usage.reading": """
        TokenCounts cost_in cost_of head_of text_of token_counts value_of
    """,
    "meshapi_core.usage.tables": "usage_html usage_table",
    "meshapi_core.usage.totals": "TotalUsage",
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
