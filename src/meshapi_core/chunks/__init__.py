"""Turns the body of a streamed response into typed chunks: a machine and its parts.

`decoder` is the machine, with its states and its table. `first_bytes` recognizes the kind of body
by its first bytes, `interpreter` decides what one event means, and `template` recognizes chunks
that differ from the one before in a single text, and need no closer look.
"""
