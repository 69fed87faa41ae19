"""Scripts: what a test says the gateway has to respond, and to which requests.

replies     what a script responds with, as values: replies, errors, faults
engine      which script a request gets; it knows nothing of HTTP
contents    what a request is about: its model, its messages, its text
from_json   scripts as JSON, from files and over HTTP
middleware  the step before the endpoints, where scripts have their turn
faults      responses that break off, stall or fail half-way, whatever the endpoint
control     /__gateway: scripts and recorded requests over HTTP, for programs in any language
scripted    the methods that users call on a gateway
"""
