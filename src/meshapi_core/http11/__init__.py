"""One HTTP/1.1 connection as a machine: requests become bytes, and bytes the events of a response.

`connection` is the machine. It writes a request by `plain_requests` and reads its response by
`plain_responses`, which know what nearly all traffic looks like and nothing else; all that is odd
goes to `h11_responses`, by h11, which is the judge of both. `request_heads` keeps the lines that
the requests of one client have in common. `heads` and `chunked` look after what h11 leaves open.
"""
