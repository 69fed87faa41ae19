"""The client's own secrets, taken out of what a server says. No I/O.

A server may quote what it was sent: the key that was wrong, the header that it could not read, the
URL that it redirects. Every error that leaves an `Exchange`, a decoder of a stream, or a session
passes `conceal`, which puts `***` in the place of

- the secrets of the request (`Request.secrets`): as they are, in any case of letters, and as JSON,
  a URL, HTML, Python's repr or base64 would write them; at the end of a text that was cut off
  their beginning is enough. Secrets of fewer than `LEAST` characters are left alone: they would
  turn every message into asterisks;
- the values of query parameters that are named like a signature or a key;
- the whole query of a URL in a Location field and its like.

What a response brought (`.partial`) is data and stays as it is.
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
"""Characters of the shortest secret that is looked for: no key that protects anything has fewer,
and shorter ones are parts of ordinary words."""

_MARK = "***"

# Characters of a secret's beginning by which it is known at the end of a text that was cut off:
# more than the prefix that all keys of a gateway share.
_LEAST_START = 6
_CUT = re.compile(r"[.…\"'\s)\]}\\]*$")

# Deeper than what any error keeps.
_DEEPEST = 100

# In a query such names, elsewhere only those that mean nothing else.
_PARAMETER = re.compile(
    r"(?i)((?:[?&;](?:[a-z0-9_.-]*(?:signature|credential|token|api_?key|accesskeyid|secret)"
    r"|sig|key|policy)"
    r"|\b(?:x-(?:amz|goog)-[a-z-]+|x-signature|api_?key|access_token|sig))(?:=|%3D))"
    r"(?!\*\*\*)[^&\s\"'<>\\]+"
)
_PLACES = frozenset({"location", "content-location", "refresh", "link"})
_QUERY = re.compile(r"\?[^\s\"'<>#]+")


def conceal(error: E, secrets: Iterable[str]) -> E:
    """Return the same error without the secrets, in whatever it holds and whatever caused it.

    Frames of the code that made it are left behind where it quoted one: their locals quote it too.
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
    """What is secret in the query of a signed URL: all of it, and the value of each parameter."""
    query = target.partition("?")[2]
    values = (unquote_plus(pair.partition("=")[2]) for pair in query.split("&"))
    return (Secret(query), *map(Secret, values))


def forget_frames(error: E) -> E:
    """Return the same error without the frames that it, and what caused it, came from.

    The locals of code that reads a response hold the response, and error trackers show them.
    """
    for each in causes_of(error):
        each.__traceback__ = None
    return error


def _cut_off(error: BaseException, redactor: "_Redactor") -> None:
    """Leave a cause behind that is no error of ours and quotes a secret: it can't be mended."""
    if _is_foreign(error.__cause__) and redactor.is_in(error.__cause__):
        error.__cause__ = None
    if _is_foreign(error.__context__) and redactor.is_in(error.__context__):
        error.__context__ = None


def _is_foreign(error: Optional[BaseException]) -> bool:
    return error is not None and not isinstance(error, MeshAPIError)


class _Redactor:
    """Puts marks in the place of secrets, and remembers whether there were any."""

    def __init__(self, secrets: Iterable[str]) -> None:
        # The longest first: a part of a secret may be one.
        parts = sorted({part for secret in secrets for part in _parts(secret)}, key=len)[::-1]
        known = "|".join(form for part in parts for form in _forms(part))
        # Each with what finds where it may begin.
        self._words = [
            (part, re.compile("".join(map(_character, part[:_LEAST_START])), re.IGNORECASE))
            for part in parts
            if " " not in part
        ]
        self._known = re.compile(known, re.IGNORECASE) if known else None
        self.found = False

    def clean(self, error: MeshAPIError) -> None:
        """Mend one error in place."""
        error.args = tuple(self.value(each) for each in error.args)
        for name, value in vars(error).items():
            if name != "partial":
                setattr(error, name, self.value(value))

    def is_in(self, error: object) -> bool:
        """Whether something that is not ours quotes a secret."""
        seen = self.found
        self.found = False
        try:
            self.text(f"{error!r}\n{error}\n{getattr(error, '__dict__', '')!r}\n")
            return self.found
        except Exception:
            return True  # nobody can look at it, so nobody needs it
        finally:
            self.found = self.found or seen

    def value(self, value: Any, depth: int = _DEEPEST) -> Any:
        """The same value without secrets; what holds none may be the same object."""
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
            hidden = self._without_start(self._known.sub(_MARK, text))
        if "=" in hidden or "%3" in hidden:
            hidden = _PARAMETER.sub(rf"\1{_MARK}", hidden)
        self.found = self.found or hidden != text
        return hidden

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
        # Every byte is a character of latin-1, and back.
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
    """A secret, and what is one within it: "Bearer x" and "a=x; b=y" hold other words, too."""
    plain = str.__str__(secret)
    words = {plain, *re.split(r"[\s;,]+", plain)}
    words |= {word.partition("=")[2].strip('"') for word in words}
    return (word for word in words if len(word) >= LEAST)


def _forms(part: str) -> Iterator[str]:
    """Patterns of every way in which a secret may be written."""
    yield "".join(map(_character, part))
    packed = b2a_base64(part.encode("utf-8", "surrogatepass"), newline=False).decode().rstrip("=")
    yield re.escape(packed)
    yield re.escape(packed.replace("+", "-").replace("/", "_"))


@cache
def _character(character: str) -> str:
    """A pattern of every way in which one character is written: plain, escaped, as an entity."""
    code = ord(character)
    coded = character.encode("utf-8", "surrogatepass")
    forms = [
        # JSON, and Python's repr, put backslashes before some.
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
        # UTF-8, taken for latin-1.
        forms.append(re.escape(coded.decode("latin-1")))
    return f"(?:{'|'.join(forms)})"


_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", '"': "&quot;", "'": "&apos;"}
_LONGEST_CHARACTER = 8


def _is_start(part: str, text: str, start: int, end: int) -> bool:
    """Whether a text ends with the beginning of a secret that stands there."""
    position = start
    for character in part:
        if position == end:
            return True
        found = re.compile(_character(character), re.IGNORECASE).match(text, position, end)
        if found is None:
            return False
        position = found.end()
    return False
