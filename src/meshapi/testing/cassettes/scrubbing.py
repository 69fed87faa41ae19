"""What a cassette must not have: tokens, keys, passwords, the signatures of URLs.

Secrets that the request carries are looked for in every form that `meshapi_core` knows (JSON, URL,
base64, and so on), and so are the parameters of signed URLs; the values of fields with the name of
a secret go, too. Each becomes `***`. The same is done to a request before it is compared, so that a
signed URL that a recorded response names is found again.
"""

import re
from collections.abc import Iterable, Sequence

from meshapi_core import concealed

__all__ = ["DROPPED", "MARK", "scrubbed", "scrubbed_pieces", "scrubbed_query"]

MARK = "***"

DROPPED = frozenset(
    # Of a connection, or different each time; and the size, which scrubbing changes.
    "connection content-length date keep-alive server transfer-encoding alt-svc via"
    # Secrets.
    " authorization cookie proxy-authorization set-cookie x-api-key".split()
)
"""Headers of responses that no cassette has, in lower case."""

_NAMES = (
    r"(?:[a-z]+[_-])?(?:api[_-]?key|secret|password|access[_-]?token|refresh[_-]?token"
    r"|private[_-]?key|secret[_-]?key|authorization)"
)
_FIELD = re.compile(rf'(?i)("{_NAMES}"\s*:\s*")(?:[^"\\]|\\.)*(")')
_PARAMETER = re.compile(rf"(?i)(?:{_NAMES}|token|key|sig|signature|x-(?:amz|goog)-[a-z-]+)")


def scrubbed(data: bytes, secrets: Iterable[str]) -> bytes:
    """Return a body without secrets."""
    # Latin-1 maps every byte to a character, and back.
    text = data.decode("latin-1")
    known = [each.encode("utf-8", "surrogatepass").decode("latin-1") for each in secrets]
    clean = _FIELD.sub(rf"\g<1>{MARK}\g<2>", concealed(text, known))
    return data if clean == text else clean.encode("latin-1")


def scrubbed_pieces(pieces: Sequence[bytes], secrets: Sequence[str]) -> list[bytes]:
    """Return the pieces of a body without secrets.

    A secret may be in two pieces: then the body becomes a single one.
    """
    whole = b"".join(pieces)
    clean = scrubbed(whole, secrets)
    if clean == whole:
        return list(pieces)
    each = [scrubbed(piece, secrets) for piece in pieces]
    return each if b"".join(each) == clean else [clean]


def scrubbed_query(
    pairs: Iterable[tuple[str, str]], secrets: Sequence[str]
) -> list[tuple[str, str]]:
    """Return query parameters without secrets."""
    return [
        (name, MARK if _PARAMETER.fullmatch(name) else concealed(value, secrets))
        for name, value in pairs
    ]
