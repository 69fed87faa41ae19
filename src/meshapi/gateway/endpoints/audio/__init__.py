"""/v1/audio."""
