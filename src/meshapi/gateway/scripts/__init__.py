"""Scripts: what a test says the gateway has to respond, and to which requests.

values      what a script responds with: replies, bodies, errors, faults
replies     makes these values, and checks them
fits        which endpoints a reply can be for
engine      which script a request gets; it knows nothing of HTTP
contents    what a request is about: its model, its messages, its text
from_json   scripts as JSON, from files and over HTTP
inner       the requests inside comparisons and batches, which have their turn, too
middleware  the step before the endpoints, where scripts have their turn
faults      responses that break off, stall or fail half-way, whatever the endpoint
control     /__gateway: scripts and recorded requests over HTTP, for programs in any language
scripted    the methods that users call on a gateway
"""
