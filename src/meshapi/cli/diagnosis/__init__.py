"""What `meshapi doctor` checks, from the settings of this machine to the gateway's responses.

findings  what a check has found: whether it is well, and what to do if not
settings  the token, the base URL, the proxy
network   the way to the gateway: name, connection, certificate
gateway   what the gateway responds with: the key, the clock, the latency
"""
