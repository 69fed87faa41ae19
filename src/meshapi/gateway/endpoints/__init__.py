"""A module for each path: what is below `/v1/` is below this folder, too.

To answer /v1/x, write `x.py` with a function `routes(state)` that returns `protected` routes, and
add it to the list in `app.py`; `router.py` and `web.py` are short examples. A route reads its body
with `read_json` and a schema of checks, raises `GatewayError` for what it refuses, and returns a
`json_response`, or a `response` where a model is asked, so that the models that fail do it here,
too. What is asked for again is kept in a `Store`. What is made up belongs to `content/`.
"""
