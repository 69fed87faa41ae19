"""Batches of calls: `batches.submit`, `batches.results` and `batches.run`.

- `submission`: calls, split into batches by endpoint, model and the gateway's limits.
- `items`: the result of each request, typed, in the order asked for.
- `running`: calls in batches, a few at the same time, from any iterable.
- `sources`: where its calls come from.
- `ledgers`: who remembers which calls are in which batches.
- `parts`: a batch that is to be made.
- `under_way`: a batch that is waited for.
"""
