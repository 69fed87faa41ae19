"""Scripts: which requests a test is about, and what the gateway responds with.

scripted    the methods that users call on a gateway
replies     `reply`, `error`, `broken_stream` and so on: make responses, and check them
values      what they make, as values
fits        which endpoints a reply can be for
conditions  what a request must be like for a script to match it
engine      which script a request gets; it knows nothing of HTTP
from_json   scripts as JSON, from files and over HTTP
control     /__gateway: scripts and recorded requests over HTTP, for programs in any language

middleware  the step before the endpoints: asks the engine
handover    what it leaves for the endpoints to play
inner       the requests inside comparisons and batches, which ask the engine, too
faults      responses that break off, stall or fail half-way, whatever the endpoint
errors      error responses: those of scripts, and those of scripts that fail
"""
