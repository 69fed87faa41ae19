"""Proxies: which one leads to a server, and how to ask it for a connection. No I/O.

`proxy` is a proxy as a value: its address and the credentials for it. `routes` decides for each
server: straight to it, through a proxy that forwards plain HTTP, or through a tunnel. `environment`
reads the proxies that environment variables name, and `bypass` the servers that `NO_PROXY` exempts.

A tunnel is opened by one of two machines: `connect` asks an HTTP proxy, `socks5` a SOCKS proxy;
`tunnels` says what they have in common. `forwarding` is the machine of a connection to a proxy that
forwards. `refusals` has the errors.
"""
