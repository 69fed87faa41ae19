# Generated from _async/__init__.py by `python tools/mirror.py --write`: edit that file.
"""The blocking text of the backends: runner, pool, connections, TLS."""
