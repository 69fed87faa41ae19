"""What all paths have in common.

access_rules  requests that are refused before anything else is checked
auth          routes that need the token, and public ones
contents      what a request is about: its model, its messages, its text
downloads     files to download: whole, in ranges, or broken off on purpose
errors        error responses, all in the service's envelope
forms         multipart forms, read and checked as FastAPI does
pages         lists, page by page
query         query parameters, read and checked as FastAPI does
recorder      the middleware: request IDs, the access rules, the log
replays       the middleware for requests that come again with their `Idempotency-Key`
request_log   the requests that a gateway has received
responses     responses in the way of their model: whole, or as a stream
scrubbing     takes tokens out of what is shown
streams       event streams that keep a pace, and responses that break off
validation    checks of request bodies
wire          JSON, event-stream frames, IDs, times
"""
