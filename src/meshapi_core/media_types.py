"""The media types of uploads, by their file name extensions. No I/O.

Python's own `mimetypes` reads files of the system, so its results differ between computers. This
table has what models and gateways accept: audio, images, video and documents.

Source: https://www.iana.org/assignments/media-types,
    https://developer.mozilla.org/docs/Web/HTTP/Guides/MIME_types/Common_types (unregistered ones)
"""

import re

from meshapi_core._json_kinds import value_name
from meshapi_core.errors import InvalidParamsError

__all__ = ["UNKNOWN", "checked_media_type", "media_type"]

UNKNOWN = "application/octet-stream"
"""The media type of unknown content."""

_OFFICE = "application/vnd.openxmlformats-officedocument"
_OPEN_DOCUMENT = "application/vnd.oasis.opendocument"

_BY_ENDING = {
    # audio
    "aac": "audio/aac",
    "aif": "audio/aiff",
    "aiff": "audio/aiff",
    "amr": "audio/amr",
    "flac": "audio/flac",
    "m4a": "audio/mp4",
    "mp3": "audio/mpeg",
    "mpga": "audio/mpeg",
    "oga": "audio/ogg",
    "ogg": "audio/ogg",
    "opus": "audio/opus",
    "pcm": "audio/pcm",
    "wav": "audio/wav",
    "weba": "audio/webm",
    "wma": "audio/x-ms-wma",
    # video, which can be transcribed, too
    "3gp": "video/3gpp",
    "avi": "video/x-msvideo",
    "m4v": "video/x-m4v",
    "mkv": "video/x-matroska",
    "mov": "video/quicktime",
    "mp4": "video/mp4",
    "mpeg": "video/mpeg",
    "mpg": "video/mpeg",
    "webm": "video/webm",
    # images
    "avif": "image/avif",
    "bmp": "image/bmp",
    "gif": "image/gif",
    "heic": "image/heic",
    "heif": "image/heif",
    "jpeg": "image/jpeg",
    "jpg": "image/jpeg",
    "png": "image/png",
    "svg": "image/svg+xml",
    "tif": "image/tiff",
    "tiff": "image/tiff",
    "webp": "image/webp",
    # documents
    "css": "text/css",
    "csv": "text/csv",
    "doc": "application/msword",
    "docx": f"{_OFFICE}.wordprocessingml.document",
    "eml": "message/rfc822",
    "epub": "application/epub+zip",
    "htm": "text/html",
    "html": "text/html",
    "js": "text/javascript",
    "json": "application/json",
    "jsonl": "application/jsonl",
    "log": "text/plain",
    "markdown": "text/markdown",
    "md": "text/markdown",
    "ndjson": "application/x-ndjson",
    "odp": f"{_OPEN_DOCUMENT}.presentation",
    "ods": f"{_OPEN_DOCUMENT}.spreadsheet",
    "odt": f"{_OPEN_DOCUMENT}.text",
    "pdf": "application/pdf",
    "ppt": "application/vnd.ms-powerpoint",
    "pptx": f"{_OFFICE}.presentationml.presentation",
    "py": "text/x-python",
    "rst": "text/x-rst",
    "rtf": "application/rtf",
    "tex": "application/x-tex",
    "text": "text/plain",
    "tsv": "text/tab-separated-values",
    "txt": "text/plain",
    "xls": "application/vnd.ms-excel",
    "xlsx": f"{_OFFICE}.spreadsheetml.sheet",
    "xml": "application/xml",
    "yaml": "application/yaml",
    "yml": "application/yaml",
    "gz": "application/gzip",
    "zip": "application/zip",
}

# Parameters are allowed (`text/plain; charset=utf-8`), and spaces only in the middle.
_MEDIA_TYPE = re.compile(r"[!-~]+( [!-~]+)*")


def media_type(*names: str) -> str:
    """Return the media type of the first name that has a known extension, else `UNKNOWN`."""
    for name in names:
        stem, _, ending = name.rpartition(".")
        found = _BY_ENDING.get(ending.lower()) if stem else None
        if found is not None:
            return found
    return UNKNOWN


def checked_media_type(field: str, value: object) -> str:
    """Return a media type that a header can carry.

    Raises:
        InvalidParamsError: it is not a str, or no header can carry it.
    """
    if not isinstance(value, str):
        raise InvalidParamsError(field, "str", value_name(value))
    if not _MEDIA_TYPE.fullmatch(value):
        expected = "a media type, such as image/png"
        raise InvalidParamsError(field, expected, "text that no header can carry")
    return value
