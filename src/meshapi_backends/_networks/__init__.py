"""Networks: blocking sockets, asyncio and trio, and what the three have in common.

blocking         blocking sockets
asyncio          asyncio
asyncio_streams  network streams on asyncio's own transports
trio             trio
trio_streams     network streams on sockets that trio watches
current          which of the two event loops is running
addresses        addresses of a name, and the order in which to try them
shutdown         how a peer is told that it is over
readiness        whether a socket can be read or written without waiting
resolving        names, looked up in threads
socket_options   what every TCP connection of ours is set to
tls              TLS in memory, and its usual settings
"""
