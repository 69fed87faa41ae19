"""What the gateway makes up: the same for the same request, each time."""
