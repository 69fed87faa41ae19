"""Many calls at once: what comes in, when each may begin, and what comes out. No I/O, no clock.

- `inputs`: calls, or rows for a template, one after another.
- `templates`: a call whose texts are filled from rows.
- `estimates`: model tokens and money beforehand.
- `item_usage`: what one call used.
- `items`: the result of each call.
"""
