# Generated from _async/realtime/__init__.py by `python tools/mirror.py --write`: edit that file.
"""Realtime sessions: one connection after another, each read and written at the same time."""
