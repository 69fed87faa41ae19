"""What is the same at each path."""
