"""Amounts of money as `Decimal`.

On the wire an amount is a decimal number, as text or as a JSON number. Typed responses keep what
came; helpers compute with `Decimal`, exactly: no sum is rounded, in whatever order it is made, and
whatever the program has set as its decimal context.
"""

import re
from decimal import Context, Decimal
from typing import Final, Optional, Union

__all__ = ["added", "multiplied", "usd"]

_PLAIN: Final = re.compile(r"[0-9]{1,18}(?:\.[0-9]{1,30})?")
_NUMBER: Final = re.compile(r"[+-]?[0-9]{1,18}(?:\.[0-9]{1,30})?(?:[eE][+-]?[0-9]{1,2})?")
_FINEST: Final = -40
_LARGEST: Final = 18
# Amounts have digits from 10^18 to 10^-40; the rest is room for sums and products of them.
_EXACT: Final = Context(prec=120, traps=[])


def usd(value: object) -> Optional[Decimal]:
    """Return an amount of US dollars; None for what is no amount.

    Args:
        value: text such as "0.0000123", a number, or None. A float is read as Python prints it: 0.1
            is Decimal("0.1"). Negative, infinite, very large (1e19) and very fine (1e-41) numbers,
            booleans and all else are None: some gateways name a price of -1 where they know none,
            and no cost must lower what is spent of a budget.
    """
    if type(value) is str and _PLAIN.fullmatch(value):
        # As nearly all amounts are: none of the checks below can fail.
        return Decimal(value)
    text: Union[str, Decimal]
    if isinstance(value, bool) or value is None:
        return None
    if isinstance(value, Decimal):
        text = value
        if not value.is_finite():
            return None
    elif isinstance(value, str):
        text = value.strip()
    elif isinstance(value, (int, float)) and abs(value) < 10**_LARGEST:
        text = repr(value)
    else:
        return None
    if isinstance(text, str) and not _NUMBER.fullmatch(text):
        return None
    amount = Decimal(text)
    exponent = amount.as_tuple().exponent
    if not isinstance(exponent, int) or exponent < _FINEST or amount.adjusted() >= _LARGEST:
        return None
    return None if amount < 0 else amount


def added(one: Decimal, other: Decimal) -> Decimal:
    """Return the exact sum."""
    return _EXACT.add(one, other)


def multiplied(amount: Decimal, count: Union[int, Decimal]) -> Decimal:
    """Return the exact product."""
    return _EXACT.multiply(amount, Decimal(count))
