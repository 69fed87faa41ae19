"""Multipart forms: fields and files as one body of known length. No I/O.

The boundary is drawn when the request is made, and cannot be predicted: a file that has not been
read yet must not be able to contain it on purpose.

Source: https://www.rfc-editor.org/rfc/rfc7578 (sections 4.1, 4.2 and 5.1),
    https://html.spec.whatwg.org/multipage/form-control-infrastructure.html#multipart-form-data
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from typing import Any, Optional, Union

from msgspec import Struct

from meshapi_core._json_kinds import value_name
from meshapi_core.bodies import FileSource, StreamedBody, file_source, joined
from meshapi_core.errors import InvalidParamsError
from meshapi_core.media_types import UNKNOWN, checked_media_type, media_type
from meshapi_core.params.encoding import build_params
from meshapi_core.queries import text_pairs
from meshapi_core.randomness import drawn

__all__ = ["FilePart", "Multipart", "draw_id", "encode_form", "file_part"]


class FilePart(Struct, frozen=True):
    """One file of a form.

    Fields:
        name: of the form field.
        source: the content.
        filename: the name that the server is given for the file.
        content_type: its media type.
    """

    name: str
    source: FileSource
    filename: str
    content_type: str = UNKNOWN


class Multipart(Struct, frozen=True):
    """A form: its fields, then its files."""

    fields: tuple[tuple[str, str], ...] = ()
    files: tuple[FilePart, ...] = ()

    def encode(self, boundary: str) -> Union[bytes, StreamedBody]:
        """The body of a request whose content type is `multipart/form-data; boundary=...`."""
        return joined(tuple(self._parts(boundary)))

    def _parts(self, boundary: str) -> Iterator[Union[bytes, FileSource]]:
        lines = ""
        for name, value in self.fields:
            lines += (
                f'--{boundary}\r\nContent-Disposition: form-data; name="{_quoted(name)}"\r\n\r\n'
            )
            lines += f"{value}\r\n"
        for part in self.files:
            lines += (
                f"--{boundary}\r\nContent-Disposition: form-data;"
                f' name="{_quoted(part.name)}"; filename="{_quoted(part.filename)}"\r\n'
                f"Content-Type: {_quoted(part.content_type)}\r\n\r\n"
            )
            yield lines.encode("utf-8", "replace")
            yield part.source
            lines = "\r\n"
        yield f"{lines}--{boundary}--\r\n".encode("utf-8", "replace")

    def __repr__(self) -> str:
        # Without values and names of files, which do not belong in a log.
        return f"<Multipart of {len(self.fields)} fields and {len(self.files)} files>"


def file_part(
    field: str, value: object, filename: object, content_type: object, nameless: str
) -> FilePart:
    """Return what a caller passed for a file as a part of a form.

    Args:
        field: the name of the form field, and of the parameter, for errors.
        value: whatever `file_source` accepts.
        filename: the name that the server is given for the file; None for its own name.
        content_type: its media type; None to find it by the names.
        nameless: the name for a file that has none.

    Raises:
        InvalidParamsError: it is not a file, or its name or type is not text that can be sent.
    """
    source = file_source(field, value)
    if filename is None:
        filename = source.name or nameless
    if not isinstance(filename, str):
        hint = "write x.name" if hasattr(filename, "__fspath__") else ""
        raise InvalidParamsError("filename", "str", value_name(filename), hint)
    kind = source.content_type or media_type(filename, source.name)
    if content_type is not None:
        kind = checked_media_type("content_type", content_type)
    return FilePart(field, source, filename, kind)


def draw_id(random_bytes: Callable[[int], bytes]) -> str:
    """104 random bits in hexadecimal. Raises as `drawn`."""
    return drawn(random_bytes, 13).hex()


def encode_form(
    params_type: type[Any],
    params: Optional[object],
    fields: Mapping[str, Any],
    files: Sequence[FilePart],
    beside: Iterable[str] = (),
) -> Multipart:
    """Return checked parameters and files as a form.

    Args:
        beside: as for `build_params`.

    Raises:
        InvalidParamsError: a parameter is missing, unknown or of the wrong type.
    """
    plain = build_params(params_type, params, fields, {}, beside=beside)
    return Multipart(text_pairs(plain), tuple(files))


def _quoted(name: str) -> str:
    # The escapes that browsers use; a line break here would begin another header.
    return name.replace('"', "%22").replace("\r", "%0D").replace("\n", "%0A")
