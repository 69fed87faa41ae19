"""/v1/realtime: `endpoint` is the upgrade, `session` sends and waits; the rest only decides.

endpoint       the upgrade
session        one session: sends events, and waits
scripts        what scripts of the gateway change in a response
actions        what a session does in response to an event
client_events  the events that a client may send
config         the configuration of a session, and its updates
conversation   the state of a session, and how each event changes it
events         parses, makes and refuses events
items          the items of a conversation
calls          a response that calls tools
response       one response, as a sequence of events
turns          where a turn of speech begins and ends
"""
