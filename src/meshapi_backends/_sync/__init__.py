# Generated from _async/__init__.py by `python tools/mirror.py --write`: edit that file.
"""The blocking source of the backends: runner, pool, connections, TLS.

runner        runs calls for endpoints
raw_runner    the same for `client.with_raw_response`
flows         does the steps of flows
filing        the same for files, tables and journals
concurrent    the same for flows with several calls under way
host          what all hosts have in common: they drive the core's machines
pipe_host     the host of a call over connections of our own
client_host   the host of a call over a transport that has an HTTP client
watched       hosts that tell what their calls do
connections   the pool of connections; the core decides which one is used
connecting    opens connections: TCP, then TLS
dialing       opens TCP connections and Unix sockets
tls           TLS over any network stream
chunk_stream  the chunks of a streamed response, as a program reads them
networks      the contract of a network
transports    the contract of a transport
pool_transport  our own connections as a transport
middleware    functions of the program's around every attempt
middleware_blocks middleware_responses
              the responses that they get and return
httpcore      httpcore or httpcore2 as a transport
httpx         an injected httpx client as a transport
realtime      sessions: one connection after another, read and written at once
"""
