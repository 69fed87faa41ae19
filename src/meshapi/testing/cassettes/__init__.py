"""Cassettes: recorded exchanges, played back in tests.

    bodies      bodies as values for JSON files, and back
    scrubbing   what a file must not have: tokens, keys, signed URLs
    exchanges   a request and its response, as they stand in a file
    matching    which exchange a request gets, and what the nearest one differs in
    recordings  what is being recorded: a response, or a realtime session
    sessions    a recorded realtime session while it is played
    tape        which exchanges have been played, and which are new
    recorder    records and plays what clients send and get
    taps        the same for realtime sessions
    player      plays the gateway of a recorded realtime session
    files       `cassette()`: reads and writes the file

All but the last four are pure. Nothing here is imported before `cassette` is used.
"""
