"""A mapping from keys to numbers that takes about 35 bytes for each key, not some 200.

It is built as Python's own dict is: a table of slots, which has the numbers of the entries, and the
entries one after the other. No entry is an object.
"""

from array import array
from typing import Final, Optional

__all__ = ["KEY_DIGITS", "KeyIndex"]

KEY_DIGITS: Final = 32
"""Hexadecimal digits of a key, 128 bits: among a million million keys, two are the same with a
probability of 1e-15."""

_LEAST_SLOTS: Final = 64


class KeyIndex:
    """Numbers by the keys of calls, in little memory. No entry is ever removed."""

    __slots__ = ("_high", "_low", "_mask", "_slots", "_values")

    def __init__(self) -> None:
        # Both halves of the keys, and the values: one item for each entry.
        self._low = array("Q")
        self._high = array("Q")
        self._values = array("Q")
        # The number of an entry, plus 1; 0 where there is none.
        self._slots = array("I", bytes(4 * _LEAST_SLOTS))
        self._mask = _LEAST_SLOTS - 1

    def __len__(self) -> int:
        return len(self._values)

    def get(self, key: str) -> Optional[int]:
        """Return the number of a key; None if it was never added.

        Args:
            key: 32 hexadecimal digits, as of a hash function: an index of keys that are alike is
                slow.
        """
        low, high = _halves(key)
        entry = self._slots[self._slot_of(low, high)]
        return self._values[entry - 1] if entry else None

    def add(self, key: str, value: int) -> None:
        """Set the number of a key.

        Args:
            key: as for `get`.
            value: from 0 to 2**64 - 1.
        """
        low, high = _halves(key)
        slot = self._slot_of(low, high)
        entry = self._slots[slot]
        if entry:
            self._values[entry - 1] = value
        else:
            self._insert(slot, low, high, value)

    def count(self, key: str) -> int:
        """Add 1 to the number of a key, and return what it was before; 0 for a new one."""
        low, high = _halves(key)
        slot = self._slot_of(low, high)
        entry = self._slots[slot]
        if entry:
            before = self._values[entry - 1]
            self._values[entry - 1] = before + 1
            return before
        self._insert(slot, low, high, 1)
        return 0

    def _insert(self, slot: int, low: int, high: int, value: int) -> None:
        # First, as it refuses a number that is too large.
        self._values.append(value)
        self._low.append(low)
        self._high.append(high)
        self._slots[slot] = len(self._values)
        # A table that is fuller than two thirds has long runs of slots to search.
        if 3 * len(self._values) > 2 * len(self._slots):
            self._grow()

    def _slot_of(self, low: int, high: int) -> int:
        """Return the slot that has a key, or the free one where it belongs."""
        slots, lows, mask = self._slots, self._low, self._mask
        slot = low & mask
        while True:
            entry = slots[slot]
            if not entry or (lows[entry - 1] == low and self._high[entry - 1] == high):
                return slot
            slot = (slot + 1) & mask

    def _grow(self) -> None:
        size = 2 * len(self._slots)
        self._slots = slots = array("I", bytes(4 * size))
        self._mask = mask = size - 1
        for entry, low in enumerate(self._low, 1):
            slot = low & mask
            while slots[slot]:
                slot = (slot + 1) & mask
            slots[slot] = entry


def _halves(key: str) -> tuple[int, int]:
    number = int(key, 16)
    # The lower half chooses the slot.
    return number & 0xFFFF_FFFF_FFFF_FFFF, number >> 64
