"""The async text of the backends: runner, pool, connections, TLS.

chunk_stream  the chunks of a streamed answer, as a program reads them
client_host   hosts of calls over a transport that has an HTTP client
connecting    opening a connection: every address of a name in turn, then TLS
connections   the pool of connections; the core decides which one is used
host          what drives the core's machines, and says what came of it
httpx         an injected httpx client as a transport
networks      what is asked of a network: the whole contract
pipe_host     hosts of calls over connections of our own
realtime      sessions: one connection after another, read and written at once
runner        runs calls for endpoints
tls           TLS over any byte stream
transports    what is asked of a transport: the whole contract
"""
