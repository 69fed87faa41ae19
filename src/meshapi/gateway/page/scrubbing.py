"""Takes tokens out of what the page shows."""

import json
import re
from collections.abc import Iterable, Sequence
from typing import Final
from urllib.parse import quote

MASK: Final = "•••"

_SECRET_NAME: Final = re.compile(
    r"authorization|cookie|token|secret|password|signature|api[-_]?key|sec-websocket-protocol",
    re.IGNORECASE,
)
_SECRET_PARAMETER: Final = re.compile(
    r"(?i)((?:^|[?&])(?:[a-z0-9_.-]*(?:token|key|secret|sig|signature|password))=)[^&\s\"'<>\\]+"
)


_SHORTEST_REST: Final = 4
"""Characters of a token at a cut end that are masked; fewer say nothing."""


class Scrubber:
    """Masks the tokens that are known, and whatever is named like one.

    Args:
        tokens: to mask wherever they stand, also as JSON and in URLs.
    """

    def __init__(self, tokens: Iterable[str]) -> None:
        forms = {
            form
            for token in tokens
            if token
            for form in (token, json.dumps(token)[1:-1], quote(token, safe=""))
        }
        # The longest first: one may be the beginning of another.
        self._tokens = sorted(forms, key=len, reverse=True)

    def text(self, text: str) -> str:
        """Return a text without them."""
        for token in self._tokens:
            text = text.replace(token, MASK)
        return _SECRET_PARAMETER.sub(rf"\1{MASK}", text)

    def headers(self, headers: Iterable[tuple[bytes, bytes]]) -> Sequence[tuple[str, str]]:
        """Return headers without them."""
        texts = ((name.decode("latin-1"), value.decode("latin-1")) for name, value in headers)
        return [
            (name, MASK if _SECRET_NAME.search(name) else self.text(value)) for name, value in texts
        ]

    def pieces(self, pieces: Sequence[bytes]) -> list[bytes]:
        """Return pieces of one text without the tokens, also those that two pieces share.

        The end may be cut: the beginning of a token there is masked, too.
        """
        joined = b"".join(pieces)
        spans = [
            (found.start(), found.end())
            for token in map(str.encode, self._tokens)
            for found in re.finditer(re.escape(token), joined)
        ]
        for token in map(str.encode, self._tokens):
            rests = range(min(len(token) - 1, len(joined)), _SHORTEST_REST - 1, -1)
            rest = next((size for size in rests if joined.endswith(token[:size])), 0)
            spans += [(len(joined) - rest, len(joined))] if rest else []
        masked, begin = [], 0
        for piece in pieces:
            masked.append(_without(piece, begin, spans))
            begin += len(piece)
        return masked


def _without(piece: bytes, begin: int, spans: Iterable[tuple[int, int]]) -> bytes:
    """Return a piece that begins at a place of the text, with the spans of the text masked."""
    made, at = bytearray(), 0
    for start, end in sorted(spans):
        first, last = max(start - begin, at), min(end - begin, len(piece))
        if first < last:
            made += piece[at:first]
            # Once for each token, in the piece where it begins.
            made += MASK.encode() if start >= begin else b""
            at = last
    return bytes(made + piece[at:])
