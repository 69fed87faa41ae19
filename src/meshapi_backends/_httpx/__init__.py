"""What a transport over an injected `httpx` or `httpx2` client has to know of these libraries.

failures    exceptions of a failed request, as failures
flavours    what differs between a blocking and an async client
head_waits  the wait for the head of a response, and how it is ended from elsewhere
requests    the kind of a client, and requests in its form
sockets     the sockets below its responses, shut down to wake a reader
watchdog    time limits for threads that wait in code which does not know our limits
"""
