"""Networks: blocking sockets, asyncio and trio, and what the three have in common.

blocking         blocking sockets
asyncio          asyncio
asyncio_streams  network streams on asyncio's own transports
trio             trio
trio_streams     network streams on sockets that trio watches
asyncio_tasks    tasks on asyncio that all end before their caller goes on
trio_tasks       the same on trio
functions        functions of the program's that run at the same time, as tasks and in threads
concurrent       calls that run at the same time; which of the next three
asyncio_calls    as tasks on asyncio
trio_calls       as system tasks on trio
blocking_calls   in threads
pulling          the task that asks an async iterator for its items
current          which of the two event loops is running
ending           code of the program's, in a block that can be ended from elsewhere
addresses        the addresses of a name, and the order in which to try them
shutdown         shutting a socket down, which wakes whoever waits for it
readiness        whether a socket can be read or written without waiting
resolving        name look-ups in threads
workers          the threads
socket_options   sockets as `SocketOptions` says
tls              TLS in memory
tls_in_tls       two layers of it as one: to a server, within that to an https proxy
tls_source       the argument `tls`, and its files
contexts         SSL contexts
"""
