"""Removes the client's secrets from what a server says. No I/O.

A server may quote what it was sent: the key that was wrong, the header that it could not read, the
URL that it redirects. Every error that leaves an `Exchange`, the decoder of a stream, or a session
goes through `conceal`, which replaces by `***`

- the secrets of the request (`Request.secrets`): in upper or lower case, and as JSON, a URL, HTML,
  Python's repr or base64 would write them. At the end of a text that was cut off, the beginning of
  a secret is enough; and so it is at the end of an excerpt within a text. Secrets of fewer than
  `LEAST` characters are not replaced: that would turn every message into asterisks;
- the values of query parameters that are named like a signature or a key;
- the whole query of a URL in a Location header and its like.

What a response contained (`.partial`) is data and stays unchanged.
"""

import re
from binascii import b2a_base64
from collections.abc import Iterable, Iterator
from functools import cache
from typing import Any, Optional, TypeVar, Union
from urllib.parse import unquote_plus

from meshapi_core._json_kinds import is_array, is_object
from meshapi_core._secret import Secret
from meshapi_core.causes import causes_of
from meshapi_core.errors import MeshAPIError
from meshapi_core.headers import Headers

__all__ = ["LEAST", "conceal", "concealed", "forget_frames", "secrets_in_query"]

E = TypeVar("E", bound=MeshAPIError)

LEAST = 8
"""The length of the shortest secret that is looked for: any key that protects something is longer,
and shorter texts are parts of ordinary words."""

_MARK = "***"

# How many first characters of a secret identify it at the end of a text that was cut off: more than
# the prefix that all keys of a gateway share.
_LEAST_START = 6
# Within a text, an excerpt ends with a quotation mark or dots. So do other words: hence more
# characters.
_LEAST_START_WITHIN = 12
_EXCERPT_ENDS = ("'", '"', "\\", "...", "…")
_CUT = re.compile(r"[.…\"'\s)\]}\\]*$")

# Deeper than the values that any error keeps.
_DEEPEST = 100

# In a query, any of these names; elsewhere, only names that are unmistakable.
_PARAMETER = re.compile(
    r"(?i)((?:[?&;](?:[a-z0-9_.-]*(?:signature|credential|token|api_?key|accesskeyid|secret)"
    r"|sig|key|policy)"
    r"|\b(?:x-(?:amz|goog)-[a-z-]+|x-signature|api_?key|access_token|sig))(?:=|%3D))"
    r"(?!\*\*\*)[^&\s\"'<>\\]+"
)
_PLACES = frozenset({"location", "content-location", "refresh", "link"})
_QUERY = re.compile(r"\?[^\s\"'<>#]+")


def conceal(error: E, secrets: Iterable[str]) -> E:
    """Return the same error with the secrets removed, from itself and from its causes.

    If there was a secret, the tracebacks are dropped, too: the locals of their frames may quote it.
    """
    redactor = _Redactor(secrets)
    for each in causes_of(error):
        if isinstance(each, MeshAPIError):
            redactor.clean(each)
        _cut_off(each, redactor)
    if redactor.found:
        forget_frames(error)
    return error


def concealed(text: str, secrets: Iterable[str]) -> str:
    """Return a text without the secrets."""
    return _Redactor(secrets).text(text)


def secrets_in_query(target: str) -> tuple[str, ...]:
    """The secrets in a signed URL's query: the whole query, and the value of each parameter."""
    query = target.partition("?")[2]
    values = (unquote_plus(pair.partition("=")[2]) for pair in query.split("&"))
    return (Secret(query), *map(Secret, values))


def forget_frames(error: E) -> E:
    """Return the same error without its traceback, and without those of its causes.

    The code that reads a response has it in its locals, and error trackers show locals.
    """
    for each in causes_of(error):
        each.__traceback__ = None
    return error


def _cut_off(error: BaseException, redactor: "_Redactor") -> None:
    """Drop a cause that is not a `MeshAPIError` and quotes a secret: it cannot be redacted."""
    if _is_foreign(error.__cause__) and redactor.is_in(error.__cause__):
        error.__cause__ = None
    if _is_foreign(error.__context__) and redactor.is_in(error.__context__):
        error.__context__ = None


def _is_foreign(error: Optional[BaseException]) -> bool:
    return error is not None and not isinstance(error, MeshAPIError)


class _Redactor:
    """Replaces secrets by a mark, and remembers whether it found any."""

    def __init__(self, secrets: Iterable[str]) -> None:
        # The longest first, because one secret may be part of another.
        parts = sorted({part for secret in secrets for part in _parts(secret)}, key=len)[::-1]
        known = "|".join(form for part in parts for form in _forms(part))
        # Each with a pattern that finds the places where it may begin.
        self._words = [
            (part, re.compile("".join(map(_character, part[:_LEAST_START])), re.IGNORECASE))
            for part in parts
            if " " not in part
        ]
        self._starts = [
            (part, re.compile(re.escape(part[:_LEAST_START_WITHIN]), re.IGNORECASE))
            for part, _ in self._words
            if len(part) > _LEAST_START_WITHIN
        ]
        self._known = re.compile(known, re.IGNORECASE) if known else None
        self.found = False

    def clean(self, error: MeshAPIError) -> None:
        """Redact one error in place."""
        error.args = tuple(self.value(each) for each in error.args)
        for name, value in vars(error).items():
            if name != "partial":
                setattr(error, name, self.value(value))

    def is_in(self, error: object) -> bool:
        """Whether a foreign exception quotes a secret."""
        seen = self.found
        self.found = False
        try:
            self.text(f"{error!r}\n{error}\n{getattr(error, '__dict__', '')!r}\n")
            return self.found
        except Exception:
            return True  # its repr fails, so nobody can use it
        finally:
            self.found = self.found or seen

    def value(self, value: Any, depth: int = _DEEPEST) -> Any:
        """The same value without secrets; may be the same object if it has none."""
        if isinstance(value, str):
            return self.text(value)
        if isinstance(value, (bytes, bytearray)):
            return self._bytes(bytes(value))
        if isinstance(value, Headers):
            return self._headers(value)
        if depth == 0:
            return None
        if is_array(value):
            return [self.value(row, depth - 1) for row in value]
        if is_object(value):
            return {
                self.value(key, depth - 1): self.value(item, depth - 1)
                for key, item in value.items()
            }
        return value

    def text(self, text: str) -> str:
        """A text without secrets."""
        hidden = text
        if self._known is not None:
            hidden = self._without_start(self._without_excerpts(self._known.sub(_MARK, text)))
        if "=" in hidden or "%3" in hidden:
            hidden = _PARAMETER.sub(rf"\1{_MARK}", hidden)
        self.found = self.found or hidden != text
        return hidden

    def _without_excerpts(self, text: str) -> str:
        for part, start in self._starts:
            found = start.search(text)
            while found is not None:
                end = _end_of_start(part, text, found.start())
                if text.startswith(_EXCERPT_ENDS, end):
                    text = text[: found.start()] + _MARK + text[end:]
                    end = found.start()
                found = start.search(text, end)
        return text

    def _without_start(self, text: str) -> str:
        rest = _CUT.search(text)
        end = len(text) if rest is None else rest.start()
        for part, head in self._words:
            found = head.search(text, max(0, end - _LONGEST_CHARACTER * len(part)), end)
            while found is not None:
                if _is_start(part, text, found.start(), end):
                    return text[: found.start()] + _MARK + text[end:]
                found = head.search(text, found.start() + 1, end)
        return text

    def _bytes(self, data: bytes) -> bytes:
        # Latin-1 maps every byte to a character, and back.
        text = data.decode("latin-1")
        hidden = self.text(text)
        return data if hidden == text else hidden.encode("latin-1")

    def _headers(self, headers: Headers) -> Headers:
        pairs = [(_text(name), _text(value)) for name, value in headers.raw]
        hidden = [(self.text(name), self._field(name, value)) for name, value in pairs]
        return headers if hidden == pairs else Headers(hidden)

    def _field(self, name: str, value: str) -> str:
        if name.lower() in _PLACES:
            hidden = _QUERY.sub(f"?{_MARK}", value)
            self.found = self.found or hidden != value
            value = hidden
        return self.text(value)


def _text(value: Union[str, bytes]) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value


def _parts(secret: str) -> Iterator[str]:
    """A secret, and the secrets within it: "Bearer x" and "a=x; b=y" have other words around x."""
    plain = str.__str__(secret)
    words = {plain, *re.split(r"[\s;,]+", plain)}
    words |= {word.partition("=")[2].strip('"') for word in words}
    return (word for word in words if len(word) >= LEAST)


def _forms(part: str) -> Iterator[str]:
    """Patterns for every way in which a secret may be written."""
    yield "".join(map(_character, part))
    packed = b2a_base64(part.encode("utf-8", "surrogatepass"), newline=False).decode().rstrip("=")
    yield re.escape(packed)
    yield re.escape(packed.replace("+", "-").replace("/", "_"))


@cache
def _character(character: str) -> str:
    """A pattern for every way in which one character is written: plain, escaped, as an entity."""
    code = ord(character)
    coded = character.encode("utf-8", "surrogatepass")
    forms = [
        # JSON and Python's repr put backslashes before some characters.
        (r"\\*" if character in "\"'/\\" else "") + re.escape(character),
        "".join(f"%{byte:02x}" for byte in coded),
        rf"\\u{code:04x}",
        f"&#0*{code};",
        f"&#x0*{code:x};",
    ]
    if character in _ENTITIES:
        forms.append(_ENTITIES[character])
    if character == " ":
        forms.append(r"\+")
    if code > 0x7F:
        # UTF-8 that was decoded as Latin-1.
        forms.append(re.escape(coded.decode("latin-1")))
    return f"(?:{'|'.join(forms)})"


_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"}
_LONGEST_CHARACTER = 8


def _end_of_start(part: str, text: str, start: int) -> int:
    """Return where a text that begins like a secret differs from it, written plainly."""
    length = 0
    for wanted, found in zip(part, text[start : start + len(part)]):
        if wanted.lower() != found.lower():
            break
        length += 1
    # At least what the pattern found, which has rules of its own for upper and lower case.
    return start + max(length, _LEAST_START_WITHIN)


def _is_start(part: str, text: str, start: int, end: int) -> bool:
    """Whether `text[start:end]` is the beginning of a secret, in any way of writing it."""
    position = start
    for character in part:
        if position == end:
            return True
        found = re.compile(_character(character), re.IGNORECASE).match(text, position, end)
        if found is None:
            return False
        position = found.end()
    return False
