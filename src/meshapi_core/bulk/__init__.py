"""Many calls as one run: what is sent when, and what is recorded. Sans-I/O.

- `keys`, `key_index`: what a call is known by in the journal of a run, and a compact index of that.
- `journal`, `records`: the journal, its lines, and what may be appended to it.
"""
