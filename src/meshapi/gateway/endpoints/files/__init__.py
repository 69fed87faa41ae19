"""/v1/files, and what goes to its signed URLs."""
