# Generated from _async/httpcore/__init__.py by `python tools/mirror.py --write`: edit that file.
"""`httpcore` or `httpcore2` as a transport: HTTP/2, SOCKS, and their own pools.

transport  sends requests over a pool
exchange   one request, and the body of its response piece by piece
pools      a pool and the exchanges on it, and the pool of each event loop
network    the library's network streams, with what they lack
"""
