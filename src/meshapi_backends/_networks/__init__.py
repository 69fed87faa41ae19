"""Networks: blocking sockets, asyncio and trio, and what the three have in common."""
