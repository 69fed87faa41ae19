"""What a Struct knows about its own JSON, beside the kinds of its fields."""

from typing import Any, Final, NamedTuple

__all__ = ["DecodingRules", "decoding_rules_of"]


class DecodingRules(NamedTuple):
    """What a Struct says about its JSON, as its `_decoding_rules`.

    Fields:
        essential: fields without which the response is worth nothing. Where one of them would be
            lost, that is an error.
        counted: those whose rows are told apart by their place, so that a null is a hole.
        prose: fields of text that may also come as content parts, whose text is joined.
        thoughts: the field that the text of thinking among such parts goes to.
        bare: the field that a value stands for which is no object.
        rows: of a page, the field of its rows.
        pieces: whether it is a chunk, whose texts go on in the next one.
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
    """Return what a type knows about its JSON."""
    rules: DecodingRules = getattr(kind, "_decoding_rules", _PLAIN)
    return rules
