"""Vectors of embeddings: near each other where texts have words in common."""

import hashlib
import math
import re
import struct

# Each word adds to this many places of the vector, each as much as the whole noise of a place.
_PLACES = 16
_WORD_WEIGHT = 4.0


def vector_of(known_by: str, dimensions: int) -> tuple[float, ...]:
    """A vector of length 1, in the precision of 32 bits.

    Noise made from the whole input, which makes it unlike any other, and a mark for each word.
    """
    noise = hashlib.shake_256(known_by.encode("utf-8", "replace")).digest(dimensions * 2)
    values = [value / 32768 for value in struct.unpack(f"<{dimensions}h", noise)]
    for term in re.findall(r"\w+", known_by.lower()):
        marks = hashlib.shake_256(term.encode("utf-8", "replace")).digest(_PLACES * 4)
        for mark in struct.unpack(f"<{_PLACES}I", marks):
            values[(mark >> 1) % dimensions] += _WORD_WEIGHT if mark & 1 else -_WORD_WEIGHT
    # Marks can undo each other, and the noise of one dimension can be 0.
    length = math.sqrt(sum(value * value for value in values)) or 1.0
    packed = struct.pack(f"<{dimensions}f", *(value / length for value in values))
    return struct.unpack(f"<{dimensions}f", packed)
