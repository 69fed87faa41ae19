# Generated from _async/__init__.py by `python tests/house/mirror.py --write`: edit that file.
"""The blocking text of the backends: runner, pool, connections, TLS."""
