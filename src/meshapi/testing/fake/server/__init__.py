"""The server of a `FakeGateway`: HTTP and WebSocket as bytes, and an application stepped by hand.

host         the server itself: its connections, and what is to happen to them
tasks        coroutines without an event loop
pipes        the bytes between a client and the server
connections  one HTTP/1.1 connection
sockets      one WebSocket connection
groups       groups of tasks, which the application's sessions need
messages     one request and its response, as an ASGI application sees them
"""
