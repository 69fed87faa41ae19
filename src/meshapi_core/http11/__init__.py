"""One HTTP/1.1 connection as a machine: requests become bytes, and bytes the events of a response.

`connection` is the machine. It writes requests with `plain_requests` and reads responses with
`plain_responses`. These two know what nearly all traffic looks like, and nothing else. Everything
odd goes to h11, in `h11_responses`, against which both are tested. `request_heads` keeps the lines
that the requests of one client have in common. `heads` and `chunked` check what h11 leaves open.
"""
