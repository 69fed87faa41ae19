"""What is the same at each path.

auth         who may ask
errors       error responses, all in the service's envelope
forms        multipart forms, read and checked as FastAPI does
access_rules  what is refused before anything else is looked at
pages        lists, page by page
query        query parameters, read and checked as FastAPI does
recorder     what every request meets first: its id, the guard, the log
responses    answers as their models give them: whole, or as a stream
request_log  the requests that a gateway has had
streams      event streams that keep a pace, and responses that break off
validation   checks of request bodies
wire         JSON, event-stream frames, ids, times
"""
