"""Takes tokens out of what is shown of requests: on the page, and over HTTP."""

import json
import re
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Final
from urllib.parse import parse_qsl, quote

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

_SHORTEST_TOKEN: Final = 6
"""Characters of what counts as a token of others: shorter words would be masked everywhere."""

_SECRET_QUERY: Final = re.compile(r"token|key|secret|sig|signature|password", re.IGNORECASE)
# Those of OpenAI and of the service, as subprotocols.
_IN_SUBPROTOCOL: Final = re.compile(
    r"(?:openai-insecure-api-key\.|bearer )([^,\s]+)", re.IGNORECASE
)


def tokens_in(headers: Iterable[tuple[bytes, bytes]], query: str) -> Iterator[str]:
    """Yield what a request says in the places of tokens, to mask it elsewhere, too."""
    found: list[str] = []
    for raw_name, raw_value in headers:
        name, value = raw_name.decode("latin-1").lower(), raw_value.decode("latin-1")
        if name == "sec-websocket-protocol":
            found += _IN_SUBPROTOCOL.findall(value)
        elif "cookie" in name:
            found += [pair.partition("=")[2].strip(' "') for pair in value.split(";")]
        elif "authorization" in name:
            found += value.split()[-1:]
        elif _SECRET_NAME.search(name):
            found.append(value.strip())
    found += [value for name, value in parse_qsl(query) if _SECRET_QUERY.search(name)]
    return (token for token in found if len(token) >= _SHORTEST_TOKEN)


class Scrubber:
    """Masks the tokens that are known, and whatever is named like one.

    Args:
        tokens: to mask wherever they stand, also as JSON and in URLs.
    """

    def __init__(self, tokens: Iterable[str]) -> None:
        # The longest first: one may be the beginning of another.
        self._tokens = sorted({token for token in tokens if token}, key=len, reverse=True)

    def text(self, text: str) -> str:
        """Return a text without them."""
        is_plain = _is_plain(text.encode("utf-8", "replace"))
        for token in self._tokens:
            text = text.replace(token, MASK) if is_plain else _spelling(token).sub(MASK, text)
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
        spans: list[tuple[int, int]] = []
        for token in self._tokens:
            plain = re.escape(token.encode("utf-8", "replace"))
            wanted = re.compile(plain) if _is_plain(joined) else _spelling_of_bytes(token)
            spans += [found.span() for found in wanted.finditer(joined)]
            spans += _rests(token, joined)
        masked: list[bytes] = []
        begin = 0
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


def _rests(token: str, joined: bytes) -> Iterator[tuple[int, int]]:
    """Yield where the beginning of a token stands at the end."""
    for form in {token, json.dumps(token)[1:-1], quote(token, safe="")}:
        data = form.encode("utf-8", "replace")
        for size in range(min(len(data) - 1, len(joined)), _SHORTEST_REST - 1, -1):
            if joined.endswith(data[:size]):
                yield len(joined) - size, len(joined)
                break


def _is_plain(data: bytes) -> bool:
    """Whether nothing can be spelled in another way: there are no escapes."""
    return b"%" not in data and b"\\" not in data


@lru_cache(maxsize=64)
def _spelling(token: str) -> "re.Pattern[str]":
    """Return a pattern for a token of which any character may be an escape, of JSON or a URL."""
    return re.compile("".join(map(_spellings, token)))


@lru_cache(maxsize=64)
def _spelling_of_bytes(token: str) -> "re.Pattern[bytes]":
    return re.compile(_spelling(token).pattern.encode("utf-8", "replace"))


def _spellings(character: str) -> str:
    in_url = "".join(f"%{byte:02x}" for byte in character.encode("utf-8", "replace"))
    units = character.encode("utf-16-be", "replace").hex()
    in_json = "".join(rf"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))
    short = [re.escape(f"\\{character}")] if character in '"\\/' else []
    # The longer ones first: each begins with a character that may be one itself.
    return f"(?:{'|'.join([*short, f'(?i:{in_url}|{in_json})', re.escape(character)])})"
