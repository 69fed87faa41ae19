"""How many examples a property gets that is dearer than others."""

from hypothesis import settings


def one_in(number: int) -> settings:
    """Return settings with so many times fewer examples than the profile says, at least two."""
    return settings(max_examples=max(2, settings.default.max_examples // number))
