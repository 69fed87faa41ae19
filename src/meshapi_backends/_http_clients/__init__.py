"""What transports over other libraries have to know of these: httpx, httpcore and aiohttp.

aiohttp     the transport over an `aiohttp.ClientSession`, which exists on asyncio only
errands     steps of a library that no cancellation reaches
failures    exceptions of a failed request, as failures
flavours    what differs between a blocking and an async client of httpx
guarded     HTTP/2 connections of httpcore's for threads, with the locks that they lack
head_waits  the wait for the head of a response, and how it is ended from elsewhere
httpcore    the arguments of a transport over httpcore, and requests in its form
requests    the kind of an httpx client, requests in its form, and limits that both libraries share
sockets     the sockets below responses, shut down to wake a reader
watchdog    time limits for threads that wait in code which does not know our limits
"""
