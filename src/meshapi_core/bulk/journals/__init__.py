"""The journal of a run: a file with the result of each call, from which the run goes on.

- `keys`, `key_index`: what a call is known by in the journal, and a compact index of that.
- `records`: the line for each call.
- `journal`: the whole file, and `journaling` opens it.
- `recording`: what a run does with its journal; `batch_ledger`: what a run by batch does.
"""
