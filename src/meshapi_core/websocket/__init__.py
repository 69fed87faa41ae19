"""One WebSocket connection of a client, as a machine made of smaller machines.

- `handshake`: the upgrade over HTTP/1.1, and the check of its response.
- `frames`: turns received bytes into messages and messages into bytes, with wsproto.
- `timeouts`: which time limit is running, and what to do when it runs out.
- `closing`: how a connection ends, what a Close may carry, and the faults that end a connection.
- `connection`: the connection as a whole; holds the others and their common state.

Nothing here knows about realtime sessions and their events: see `meshapi_core.realtime`.
"""
