"""Fewer examples for properties that are expensive."""

from hypothesis import settings


def one_in(number: int) -> settings:
    """Return settings with one in so many of the profile's examples, but at least two."""
    return settings(max_examples=max(2, settings.default.max_examples // number))
