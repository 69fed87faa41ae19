"""/v1/images."""
