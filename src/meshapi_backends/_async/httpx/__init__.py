"""An injected `httpx` or `httpx2` client as a transport."""
