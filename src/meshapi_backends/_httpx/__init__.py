"""What a transport over an injected `httpx` or `httpx2` client knows of that library."""
