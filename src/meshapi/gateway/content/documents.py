"""Documents: real files in four formats, each with the prompt and a note."""

import csv
import io
import zipfile
from collections.abc import Mapping
from typing import Callable
from xml.sax.saxutils import escape

NOTE = "A local gateway can't write: this is the prompt, and all there is."
"""The only text besides the prompt."""

_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_MIME = "application/vnd.openxmlformats-officedocument"


def write(kind: str, prompt: str) -> bytes:
    """The document for a prompt, the same bytes each time; the kind is one of `MEDIA_TYPES`."""
    return _WRITERS[kind](prompt)


def _pdf(prompt: str) -> bytes:
    """A page with two lines in Helvetica, which has only Latin letters.

    Source: ISO 32000-1, section 7.5 and annex H.3
    """
    lines = " T* ".join(f"({_pdf_text(line)}) Tj" for line in (prompt, NOTE))
    page = f"BT /F1 12 Tf 14 TL 40 780 Td {lines} ET".encode("latin-1", "replace")
    fonts = b"<< /Font << /F1 5 0 R >> >>"
    objects = [
        b"<< /Type /Catalog /Pages 2 0 R >>",
        b"<< /Type /Pages /Kids [3 0 R] /Count 1 >>",
        b"<< /Type /Page /Parent 2 0 R /MediaBox [0 0 595 842]"
        b" /Contents 4 0 R /Resources " + fonts + b" >>",
        b"<< /Length %d >>\nstream\n%s\nendstream" % (len(page), page),
        b"<< /Type /Font /Subtype /Type1 /BaseFont /Helvetica /Encoding /WinAnsiEncoding >>",
    ]
    data = b"%PDF-1.4\n"
    places: list[int] = []
    for number, content in enumerate(objects, 1):
        places.append(len(data))
        data += b"%d 0 obj\n%s\nendobj\n" % (number, content)
    table = b"".join(b"%010d 00000 n \n" % place for place in places)
    size = len(objects) + 1
    head = b"xref\n0 %d\n0000000000 65535 f \n" % size
    tail = b"trailer\n<< /Size %d /Root 1 0 R >>\nstartxref\n%d\n%%%%EOF\n" % (size, len(data))
    return data + head + table + tail


def _pdf_text(line: str) -> str:
    plain = " ".join(line.split())
    return plain.replace("\\", "\\\\").replace("(", "\\(").replace(")", "\\)")


def _csv(prompt: str) -> bytes:
    sheet = io.StringIO()
    csv.writer(sheet).writerows([["prompt", "note"], [prompt, NOTE]])
    return sheet.getvalue().encode("utf-8", "replace")


def _docx(prompt: str) -> bytes:
    """Source: ECMA-376-1, section 11.2"""
    lines = "".join(
        f'<w:p><w:r><w:t xml:space="preserve">{_xml(line)}</w:t></w:r></w:p>'
        for line in (prompt, NOTE)
    )
    main = f'<w:document xmlns:w="{_WORD}"><w:body>{lines}</w:body></w:document>'
    kinds = {"word/document.xml": f"{_MIME}.wordprocessingml.document.main+xml"}
    return _package(kinds, {"word/document.xml": main})


def _xlsx(prompt: str) -> bytes:
    """Source: ECMA-376-1, section 12.2"""
    cells = "".join(f'<c t="inlineStr"><is><t>{_xml(cell)}</t></is></c>' for cell in (prompt, NOTE))
    sheet = f'<worksheet xmlns="{_SHEET}"><sheetData><row>{cells}</row></sheetData></worksheet>'
    book = (
        f'<workbook xmlns="{_SHEET}" xmlns:r="{_OFFICE}"><sheets>'
        '<sheet name="Sheet1" sheetId="1" r:id="rId1"/></sheets></workbook>'
    )
    return _package(
        {
            "xl/workbook.xml": f"{_MIME}.spreadsheetml.sheet.main+xml",
            "xl/worksheets/sheet1.xml": f"{_MIME}.spreadsheetml.worksheet+xml",
        },
        {
            "xl/workbook.xml": book,
            "xl/worksheets/sheet1.xml": sheet,
            "xl/_rels/workbook.xml.rels": _relation("worksheet", "worksheets/sheet1.xml"),
        },
    )


def _package(kinds: Mapping[str, str], parts: Mapping[str, str]) -> bytes:
    """A package whose main part is the first of `parts`.

    Source: ECMA-376-2, section 6
    """
    overrides = "".join(
        f'<Override PartName="/{name}" ContentType="{kind}"/>' for name, kind in kinds.items()
    )
    relations = '<Default Extension="rels" ContentType="application/vnd.openxmlformats-package'
    types = f'<Types xmlns="{_TYPES}">{relations}.relationships+xml"/>{overrides}</Types>'
    everything = {
        "[Content_Types].xml": types,
        "_rels/.rels": _relation("officeDocument", next(iter(parts))),
        **parts,
    }
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w", zipfile.ZIP_DEFLATED) as package:
        for name, content in everything.items():
            # A ZipInfo has a fixed date, so that the same prompt makes the same bytes.
            entry = zipfile.ZipInfo(name)
            package.writestr(entry, (_XML + content).encode("utf-8", "replace"))
    return data.getvalue()


def _relation(kind: str, target: str) -> str:
    relation = f'<Relationship Id="rId1" Type="{_OFFICE}/{kind}" Target="{target}"/>'
    return f'<Relationships xmlns="{_RELATIONS}">{relation}</Relationships>'


def _xml(value: str) -> str:
    """The text, escaped, without characters that XML does not allow."""
    return escape("".join(char for char in value if char.isprintable() or char in "\t\n"))


_WRITERS: Mapping[str, Callable[[str], bytes]] = {
    "pdf": _pdf,
    "docx": _docx,
    "csv": _csv,
    "xlsx": _xlsx,
}
MEDIA_TYPES = {
    "pdf": "application/pdf",
    "docx": f"{_MIME}.wordprocessingml.document",
    "csv": "text/csv",
    "xlsx": f"{_MIME}.spreadsheetml.sheet",
}
