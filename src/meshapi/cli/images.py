"""Pictures for a question: files become data URLs, and URLs stay."""

import base64

from meshapi.cli.inputs import MOST_BYTES, read_bytes
from meshapi.cli.problems import UsageError

# How files of a kind begin. Source: https://mimesniff.spec.whatwg.org, section 6.1
_KINDS = (
    (b"\x89PNG\r\n\x1a\n", "image/png"),
    (b"\xff\xd8\xff", "image/jpeg"),
    (b"GIF87a", "image/gif"),
    (b"GIF89a", "image/gif"),
)


def image_url(word: str) -> str:
    """Return the URL of a picture that is given as a URL or as a file.

    Raises:
        UsageError: the file cannot be read, is too large, or is no picture.
    """
    if word.partition(":")[0].lower() in ("http", "https", "data"):
        return word
    path = word[1:] if word.startswith("@") else word
    content = read_bytes(path)
    if len(content) > MOST_BYTES:
        raise UsageError(f"{path} is too large: expected at most {MOST_BYTES // 1024**2} MiB")
    return f"data:{_media_type(path, content)};base64,{base64.b64encode(content).decode()}"


def _media_type(path: str, content: bytes) -> str:
    for start, media_type in _KINDS:
        if content.startswith(start):
            return media_type
    if content[:4] == b"RIFF" and content[8:12] == b"WEBP":
        return "image/webp"
    raise UsageError(f"{path} is no picture: expected PNG, JPEG, GIF or WebP")
