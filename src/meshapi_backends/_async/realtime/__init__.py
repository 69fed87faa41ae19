"""Realtime sessions: one connection after another, each read and written at the same time.

duplex   a connection that is read and written at the same time, plain or with TLS
inbox    messages that have arrived and have not been received yet
link     one connection: sends, receives, and ends
link_opener
         opens links: each by a call that ends with a 101
reader   reads one connection, for one receiver or sender at a time
reconnecting_link
         the present link, which is replaced when it is lost
session  the session as a program uses it
tapped_pool
         the pool of a session that is recorded or played
talking  what turns need of a session
turns    turns at something that only one task or thread may do at a time
"""
