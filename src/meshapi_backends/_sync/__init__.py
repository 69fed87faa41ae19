# Generated from _async/__init__.py by `python tools/mirror.py --write`: edit that file.
"""The blocking text of the backends: runner, pool, connections, TLS.

runner        runs calls for endpoints
host          what drives the core's machines, and says what came of it
pipe_host     hosts of calls over connections of our own
client_host   hosts of calls over a transport that has an HTTP client
connections   the pool of connections; the core decides which one is used
connecting    opening a connection: every address of a name in turn, then TLS
tls           TLS over any network stream
chunk_stream  the chunks of a streamed response, as a program reads them
networks      what is asked of a network: the whole contract
transports    what is asked of a transport: the whole contract
httpx         an injected httpx client as a transport
realtime      sessions: one connection after another, read and written at once
"""
