"""The network of a `FakeGateway`, on which the clients' own connections are."""
