"""Vectors of embeddings: near each other if their texts share words."""

import hashlib
import math
import re
import struct

# How many places of the vector each word marks, and by how much; the noise of a place is at most 1.
_PLACES = 16
_WORD_WEIGHT = 4.0


def vector_of(known_by: str, dimensions: int) -> tuple[float, ...]:
    """A vector of length 1, with the precision of 32-bit floats.

    It is the sum of noise from the whole input, which makes it unique, and marks for each word.
    """
    noise = hashlib.shake_256(known_by.encode("utf-8", "replace")).digest(dimensions * 2)
    values = [value / 32768 for value in struct.unpack(f"<{dimensions}h", noise)]
    for term in re.findall(r"\w+", known_by.lower()):
        marks = hashlib.shake_256(term.encode("utf-8", "replace")).digest(_PLACES * 4)
        for mark in struct.unpack(f"<{_PLACES}I", marks):
            values[(mark >> 1) % dimensions] += _WORD_WEIGHT if mark & 1 else -_WORD_WEIGHT
    # Marks can cancel out, and with one dimension the noise can be 0.
    length = math.sqrt(sum(value * value for value in values)) or 1.0
    packed = struct.pack(f"<{dimensions}f", *(value / length for value in values))
    return struct.unpack(f"<{dimensions}f", packed)
