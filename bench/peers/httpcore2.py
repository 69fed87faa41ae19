"""httpcore2, asked as httpcore is."""

from bench.peers.httpcore import Async, Blocking

__all__ = ["Async", "Blocking"]
