"""Decoding of the base64 text in responses."""

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
    """Return the bytes that base64 text encodes.

    The text may use either alphabet, have its padding or not, be broken into lines, and follow the
    head of a data URL. It may also be several such texts in a row, as streams send them.

    Args:
        field: where the text was found, for the error; the text itself is never quoted.

    Raises:
        Base64Error: the text has characters of neither alphabet, or its end is missing.

    Source: https://www.rfc-editor.org/rfc/rfc4648 (sections 3, 4 and 5)
    """
    try:
        # The common case, without a copy of the text, which may be a whole image.
        data = a2b_base64(text)
    except ValueError:
        data = b""
    end = text[-2:]
    padding = end.count("=") if isinstance(end, str) else end.count(b"=")
    # a2b_base64 skips characters outside its alphabet; then there are too few bytes.
    if 4 * (len(data) + padding) == 3 * len(text):
        return data
    # Another form of base64, or not base64.
    given = text.decode("latin-1") if isinstance(text, bytes) else text
    head = _DATA_URL.match(given)
    plain = _BLANKS.sub("", given[head.end() :] if head else given).translate(_TO_STANDARD)
    return b"".join(_decoded(field, run, len(given)) for run in plain.split("=") if run)


def _decoded(field: str, run: str, size: int) -> bytes:
    odd = _FOREIGN.search(run)
    if odd:
        problem = f"it contains {odd[0]!a}"
    elif len(run) % 4 == 1:
        # Four characters encode three bytes; a single one encodes none.
        problem = "its end is missing"
    else:
        return a2b_base64(run + "=" * (-len(run) % 4))
    raise Base64Error(
        f"{field} is not base64 ({size} characters): {problem}", error_code="parse_error"
    )
