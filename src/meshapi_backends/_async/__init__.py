"""The async text of the backends: runner, pool, connections, TLS."""
