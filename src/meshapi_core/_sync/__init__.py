# Generated from _async/__init__.py by `python tools/mirror.py --write`: edit that file.
"""What programs on an event loop hold: wrappers that add to the streams of a runner.

They do no I/O: they call the stream that the runner returned, and pass on what it gives. Any runner
will do, so that hosts of the core have them too. `_sync` is generated from here.

- `streams`: what all streams that add up have in common.
- `streams_chat`, `streams_responses`, `streams_compare`, `streams_images`: those of each endpoint.
- `streams_parsed`: those with a value at their end.
- `tool_run`: a tool run. `conversation`: a conversation, and one turn of it as a stream.
- `realtime_talks`: what a realtime session offers above single events.
- `realtime_turns`: the turns of a session, and `turn_host`, what they need of it.
- `pages`: the pages of a list, and the rows on all of them.
- `map_run`: a run of many calls.
"""
