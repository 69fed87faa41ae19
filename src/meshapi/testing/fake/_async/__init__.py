"""The network of a `FakeGateway`, on which the clients' own connections are.

network  the network, its waiters, and the calls of runs
streams  its network streams
waiting  waits on the virtual clock
"""
