"""Proxies: which of them leads to a server, and how it is asked to. No I/O.

`proxy` is the address of one and what it asks for, as a value. `routes` decides for each server:
straight to it, through a proxy that forwards plain HTTP, or through one that opens a tunnel.
`environment` reads the proxies that environment variables name, and `bypass` the servers that
`NO_PROXY` exempts.

A tunnel is opened by one of two machines: `connect` asks an HTTP proxy, `socks5` a SOCKS proxy;
`tunnels` says what they have in common. `forwarding` is the machine of a connection to a proxy that
forwards. `refusals` has the errors.
"""
