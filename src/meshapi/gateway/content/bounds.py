"""Numbers that keep to the bounds of a JSON schema.

Source: https://json-schema.org/draft/2020-12/json-schema-validation, section 6.2
"""

import math
from collections.abc import Mapping
from fractions import Fraction
from typing import Any, Optional, Union

Number = Union[int, float]

_GREATEST = 1e300


def number_in_bounds(rules: Mapping[str, Any], whole: bool, wanted: int) -> Number:
    """The wanted number, or one near it that the rules allow.

    Args:
        rules: a schema with some of `minimum`, `maximum`, `exclusiveMinimum`, `exclusiveMaximum`
            and `multipleOf`.
        whole: whether it has to be an integer.
    """
    step = abs(_fraction(rules.get("multipleOf")) or Fraction(0))
    if whole:
        # A number that is a multiple of both is a multiple of the numerator of the fraction.
        step = Fraction(step.numerator) if step else Fraction(1)
    low, above = _lower(rules)
    high, below = _upper(rules)
    if step:
        return _on_grid(Fraction(wanted), step, _first(low, above, step), _last(high, below, step))
    value = Fraction(wanted)
    if low is not None and (value < low or (above and value == low)):
        value = low + 1 if above else low
    if high is not None and (value > high or (below and value == high)):
        value = high if not below else high - 1 if low is None else (low + high) / 2
    return _plain(value)


def _lower(rules: Mapping[str, Any]) -> tuple[Optional[Fraction], bool]:
    """The lower bound, and whether it is excluded."""
    within, above = _fraction(rules.get("minimum")), _fraction(rules.get("exclusiveMinimum"))
    if above is not None and (within is None or above >= within):
        return above, True
    return within, False


def _upper(rules: Mapping[str, Any]) -> tuple[Optional[Fraction], bool]:
    within, below = _fraction(rules.get("maximum")), _fraction(rules.get("exclusiveMaximum"))
    if below is not None and (within is None or below <= within):
        return below, True
    return within, False


def _first(low: Optional[Fraction], above: bool, step: Fraction) -> Optional[Fraction]:
    """The lowest multiple of the step that is within the bound."""
    if low is None:
        return None
    found = math.ceil(low / step) * step
    return found + step if above and found == low else found


def _last(high: Optional[Fraction], below: bool, step: Fraction) -> Optional[Fraction]:
    if high is None:
        return None
    found = math.floor(high / step) * step
    return found - step if below and found == high else found


def _on_grid(
    wanted: Fraction, step: Fraction, first: Optional[Fraction], last: Optional[Fraction]
) -> Number:
    value = math.ceil(wanted / step) * step
    if first is not None:
        value = max(value, first)
    return _plain(value if last is None else min(value, last))


def _fraction(value: object) -> Optional[Fraction]:
    """The number, exactly as its shortest decimal form; None for anything else, and for NaN."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return None
    # Longer numbers than any float are not worth the trouble.
    return Fraction(repr(value)) if abs(value) <= _GREATEST else None


def _plain(value: Fraction) -> Number:
    return value.numerator if value.denominator == 1 else float(value)
