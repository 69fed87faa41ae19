"""Text that comes in many small pieces, kept at the cost of the text alone."""

from typing import Optional

__all__ = ["PIECES", "GrowingText"]

PIECES = 64
"""Pieces are joined whenever this many have gathered, so that a long answer costs its text and not
one str object per token."""


class GrowingText:
    """Pieces of text that grow without quadratic copying."""

    __slots__ = ("blocks", "pieces")

    def __init__(self) -> None:
        self.blocks: list[str] = []
        self.pieces: list[str] = []

    def add(self, piece: str) -> None:
        """Append the next piece."""
        pieces = self.pieces
        pieces.append(piece)
        if len(pieces) >= PIECES:
            self.join()

    def join(self) -> None:
        """Put the pieces together; called by `add` when there are many."""
        blocks, block = self.blocks, "".join(self.pieces)
        self.pieces.clear()
        # Each block is longer than all that follow it, so there are few, and none is copied more
        # often than its length can double.
        while blocks and len(blocks[-1]) <= len(block):
            block = blocks.pop() + block
        blocks.append(block)

    def clear(self) -> None:
        """Forget all of it."""
        self.blocks.clear()
        self.pieces.clear()

    def value(self) -> Optional[str]:
        """Return the whole text; None where there is none."""
        return "".join(self.blocks + self.pieces) or None
