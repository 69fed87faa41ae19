"""Base64 as it stands in responses."""

import re
from binascii import a2b_base64
from typing import Final, Union

from meshapi_core.errors import Base64Error

__all__ = ["from_base64"]

_DATA_URL: Final = re.compile(r"\s*data:[^,]*;\s*base64\s*,", re.IGNORECASE)
_BLANKS: Final = re.compile(r"\s+")
_FOREIGN: Final = re.compile(r"[^A-Za-z0-9+/]")
_TO_STANDARD: Final = str.maketrans("-_", "+/")


def from_base64(field: str, text: Union[str, bytes]) -> bytes:
    """Return the bytes that base64 text stands for.

    In either alphabet, with or without its padding, broken into lines, behind the head of a data
    URL; also several such texts one after the other, as they come in the pieces of a stream.

    Args:
        field: where the text was found, for the error; the text itself is never quoted.

    Raises:
        Base64Error: it is not base64: other characters, or not as many as there must be.

    Source: https://www.rfc-editor.org/rfc/rfc4648 (sections 3, 4 and 5)
    """
    try:
        # No copy of the text is made, which may be a picture's.
        data = a2b_base64(text)
    except ValueError:
        data = b""
    end = text[-2:]
    padding = end.count("=") if isinstance(end, str) else end.count(b"=")
    # What is no base64 is passed over there; then the bytes are too few.
    if 4 * (len(data) + padding) == 3 * len(text):
        return data
    # In another way of writing it, or not at all.
    given = text.decode("latin-1") if isinstance(text, bytes) else text
    head = _DATA_URL.match(given)
    plain = _BLANKS.sub("", given[head.end() :] if head else given).translate(_TO_STANDARD)
    return b"".join(_decoded(field, run, len(given)) for run in plain.split("=") if run)


def _decoded(field: str, run: str, size: int) -> bytes:
    odd = _FOREIGN.search(run)
    if odd:
        problem = f"it holds {odd[0]!a}"
    elif len(run) % 4 == 1:
        # Four characters are three bytes; one alone is none.
        problem = "its end is missing"
    else:
        return a2b_base64(run + "=" * (-len(run) % 4))
    raise Base64Error(
        f"{field} is not base64 ({size} characters): {problem}", error_code="parse_error"
    )
