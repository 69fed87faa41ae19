"""The body of a streamed response, turned into typed chunks: a machine, and what it is made of.

`decoder` is the machine, with its states and its table. `first_bytes` says what the body is by its
first bytes, `interpreter` what one event is, and `template` which chunks need no look at what they
are: those that differ from the one before in a text.
"""
