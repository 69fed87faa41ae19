# Generated from _async/realtime/__init__.py by `python tools/mirror.py --write`: edit that file.
"""Realtime sessions: one connection after another, each read and written at the same time.

duplex   a connection that is read and written at the same time, plain or with TLS
inbox    where messages wait that nobody has received yet
link     one connection: sends, receives, and ends
link_opener
         opens links: each is a call of its own, which ends with a 101
reader   reads one connection, for whoever asks, one at a time
reconnecting_link
         the link that stands, and another in its place when it is lost
session  what a program sends and receives
turns    turns at something that several want and one at a time does
"""
