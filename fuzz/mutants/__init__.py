"""Bugs that are put into the source on purpose: the tests have to find each of them.

`fixes.py` is the list for the whole library, `run.py` puts them in one at a time.
"""

from typing import NamedTuple


class Mutant(NamedTuple):
    """One bug.

    Fields:
        row: what the fix that it undoes is about; several mutants may have the same.
        name: what the bug does.
        path: of the source file, below `src`.
        original: text that stands in the file once.
        wrong: what stands there instead.
        tests: those that are to find it, as pytest takes them, separated by blanks.
    """

    row: str
    name: str
    path: str
    original: str
    wrong: str
    tests: str


def mutated(source: str, original: str, wrong: str) -> str:
    """Return a source text with a bug in it.

    Raises:
        ValueError: what is to be replaced is not in it exactly once.
    """
    times = source.count(original)
    if times != 1:
        raise ValueError(f"{original!r} is in the source {times} times, not once")
    return source.replace(original, wrong)
