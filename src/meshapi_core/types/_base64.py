"""Base64 as it stands in answers."""

from base64 import b64decode
from typing import Union

__all__ = ["from_base64"]


def from_base64(field: str, text: Union[str, bytes]) -> bytes:
    """Return the bytes that base64 text stands for.

    Args:
        field: where the text was found, for the error; the text itself is never quoted.

    Raises:
        ValueError: it is not base64: other characters, or not as many as there must be.

    Source: https://www.rfc-editor.org/rfc/rfc4648 (sections 3 and 4)
    """
    try:
        return b64decode(text, validate=True)
    except ValueError as exc:
        raise ValueError(f"{field} is not base64 ({len(text)} characters): {exc}") from exc
