"""Cassettes: recorded exchanges, played back in tests.

    bodies      bodies as values for JSON files, and back
    scrubbing   what a file must not have: tokens, keys, signed URLs
    exchanges   a request and its response, as they stand in a file
    matching    which exchange a request gets, and what the nearest one differs in
    tape        which exchanges have been played, and which are new
    recorder    records and plays what clients send and get
    files       `cassette()`: reads and writes the file

All but the last two are pure. Nothing here is imported before `cassette` is used.
"""
