"""A module for each path: paths below `/v1/` have the same place below this folder.

To serve /v1/x, write `x.py` with a function `routes(state)` that returns `protected` routes, and
add it to the list in `app.py`; `router.py` and `web.py` are short examples. A route reads its body
with `read_json` and a schema of checks, raises `GatewayError` to refuse a request, and returns a
`json_response`; where a model is asked, it returns `make_response`, so that the models that fail
on purpose fail here, too. A `Store` keeps what later requests may ask for. Made-up content comes
from `content/`.
"""
