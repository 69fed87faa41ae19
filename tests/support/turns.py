"""One flavour per row, in turn, so that a long table does not run three times by default.

    @by_turns
    @pytest.mark.parametrize("row", ROWS)
    @on_every_flavour
    async def test_...(world, row):

By default each row is tried on one flavour, and the next row on the next one, so each flavour gets
a third of the table. The other tests are `exhaustive`: `pytest -m ''` runs them, and so does
`.ci/run`. This is for tables of what the core decides. The flavours can differ only in how they
carry that out, and a third of the rows is enough to test it.
"""

import math

import pytest

by_turns = pytest.mark.by_turns


def is_passed_over(item: pytest.Item) -> bool:
    """Return whether it is the turn of another flavour."""
    if item.get_closest_marker("by_turns") is None:
        return False
    assert isinstance(item, pytest.Function)
    sizes = {mark.args[0]: len(mark.args[1]) for mark in item.iter_markers("parametrize")}
    flavours = sizes.pop("world")
    rows = math.prod(sizes.values())
    # pytest numbers all combinations; the flavour, whose decorator comes last, changes last.
    flavour, row = divmod(item.callspec.indices["world"], rows)
    # Shifted after each round, or every row of a table of three would have one flavour only.
    return (row + row // flavours + flavour) % flavours != 0
