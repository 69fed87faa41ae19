"""One WebSocket connection of a client as a machine, composed of machines that do one thing each.

- `handshake`: the upgrade, over HTTP/1.1, and what makes a response to it right.
- `frames`: received bytes to messages, and messages to bytes, by wsproto.
- `timeouts`: which limit in time runs, and what is due when it is over.
- `closing`: how a connection ends, what a Close may say, and the faults that end one.
- `connection`: the whole, which holds the others together and knows where it stands.

Nothing here knows of realtime sessions and their events: that is `meshapi_core.realtime`.
"""
