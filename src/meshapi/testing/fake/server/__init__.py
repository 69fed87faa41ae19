"""The server of a `FakeGateway`: HTTP and WebSocket as bytes, and an application stepped by hand.

tasks        coroutines without an event loop
pipes        the bytes between a client and the server
connections  one HTTP/1.1 connection
messages     one request and its response, as an ASGI application sees them
"""
