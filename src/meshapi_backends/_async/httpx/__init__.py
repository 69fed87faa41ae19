"""An injected `httpx` or `httpx2` client as a transport.

transport  sends requests over the client
response   a response's body piece by piece, and its end
bodies     bodies of requests, and of responses
"""
