"""What a Struct says about its JSON, in addition to the types of its fields."""

from typing import Any, Final, NamedTuple

__all__ = ["DecodingRules", "decoding_rules_of"]


class DecodingRules(NamedTuple):
    """What a Struct says about its JSON, in its `_decoding_rules`.

    Fields:
        essential: fields without which the response is worthless: it is an error to lose one.
        counted: the essential fields whose rows are identified by their position, so that a null
            row is a loss.
        prose: fields of text that may also arrive as content parts, whose text is joined.
        thoughts: the field for the thinking among such parts.
        bare: the field that takes the value, where the value is not an object.
        rows: the field with the rows, if the Struct is a page.
        pieces: whether the Struct is a chunk, whose texts continue in the next one.
    """

    essential: frozenset[str] = frozenset()
    counted: frozenset[str] = frozenset()
    prose: frozenset[str] = frozenset()
    thoughts: str = ""
    bare: str = ""
    rows: str = ""
    pieces: bool = False


_PLAIN: Final = DecodingRules()


def decoding_rules_of(kind: Any) -> DecodingRules:
    """Return the rules of a type; the default ones if it has none."""
    rules: DecodingRules = getattr(kind, "_decoding_rules", _PLAIN)
    return rules
