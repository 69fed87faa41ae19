"""What a transport over an injected `httpx` or `httpx2` client knows of that library.

failures    what is known of a request that failed
flavours    what differs between a blocking and an async client
head_waits  the wait for the head of a response, and how it is ended from elsewhere
requests    which kind of client it is, and requests as it takes them
sockets     those below its responses, shut down to wake whoever reads there
watchdog    time limits for threads that wait in code which knows no limit of ours
"""
