"""Realtime sessions: one connection after another, each read and written at the same time.

duplex   a connection that is read and written at the same time, plain or with TLS
inbox    where messages wait that nobody has received yet
link     one connection: sends, receives, and ends
links    the one that stands, and each that follows when it is lost
opening  opens links: each is a call of its own, which ends with a 101
reader   reads one connection, for whoever asks, one at a time
session  what a program sends and receives
turns    turns at something that several want and one at a time does
"""
