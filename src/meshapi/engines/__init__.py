"""Calls in the engines that share work out among machines: Ray Data, Dask, Daft.

    from meshapi.engines import Calls

    dataset.map_batches(Calls, fn_constructor_args=[template], batch_size=500)  # Ray Data

    calls = Calls(template, workers=2, journal="journals")
    bag.map_partitions(calls)                                                   # Dask
    table.with_column("result", calls.column(table["id"], table["text"]))  # Daft

An engine is imported when `Calls` meets it, and not before.

- `_calls`: what the engines map over their batches.
- `_batches`: batches become rows, and get a column. `_results` says what is in it.
- `_worker`: what a process keeps from one batch to the next.
- `_daft`: an expression of Daft.
"""

from meshapi.engines._calls import Calls

__all__ = ["Calls"]
