"""/v1/realtime: `endpoint` is the upgrade, `session` what says and waits; the rest only decides.

endpoint       the upgrade
session        what says and waits
actions        what there is to do about an event
client_events  the events that a client may send
config         the configuration of a session, and its updates
conversation   what a session knows, and what it makes of each event
events         how events are read, made, and refused
items          the items of a conversation
response       one response, as the events of which it consists
turns          where a turn of speech begins and ends
"""
