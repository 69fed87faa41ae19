# Generated from _async/httpx/__init__.py by `python tools/mirror.py --write`: edit that file.
"""An injected `httpx` or `httpx2` client as a transport."""
