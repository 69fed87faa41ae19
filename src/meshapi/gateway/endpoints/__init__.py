"""A module for each path: what is below `/v1/` is below this folder, too."""
