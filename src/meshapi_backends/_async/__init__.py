"""The async source of the backends: runner, pool, connections, TLS.

runner        runs calls for endpoints
host          what all hosts have in common: they drive the core's machines
pipe_host     the host of a call over connections of our own
client_host   the host of a call over a transport that has an HTTP client
connections   the pool of connections; the core decides which one is used
connecting    opens connections: tries every address of a name, then TLS
tls           TLS over any network stream
chunk_stream  the chunks of a streamed response, as a program reads them
networks      the contract of a network
transports    the contract of a transport
httpcore      httpcore or httpcore2 as a transport
httpx         an injected httpx client as a transport
realtime      sessions: one connection after another, read and written at once
"""
