"""Many calls as one run: what is sent when, and what is recorded. Sans-I/O.

- `keys`, `key_index`: what a call is known by in the journal of a run, and a compact index of that.
- `journal`, `records`: the journal of a run, and the line in it for each call.
- `journaling`: the flows that open and begin it.
"""
