"""Batches of calls: `batches.submit` and `batches.results`.

- `submission`: calls, split into batches by endpoint, model and the gateway's limits.
- `items`: the result of each request, typed, in the order asked for.
"""
