"""/v1/realtime, and the session behind it."""
