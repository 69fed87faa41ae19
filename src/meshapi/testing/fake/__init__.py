"""`FakeGateway`: the local gateway's application in the program itself, without sockets.

gateway     `FakeGateway`
clock       its clock, which does not wait
quiet       how long others may run before the clock jumps
faults      what happens to the bytes of a response
server      the server: an ASGI application that is stepped by hand
_async      the network of the clients' own connections; `_sync` is generated
"""
