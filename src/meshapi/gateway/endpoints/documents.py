"""/v1/documents: files that hold the prompt and say that nobody wrote more.

A document is `processing` when it is made, and `completed` at the first look at it; it can then be
downloaded, by anyone who has its URL. What is made is real, if short: PDF, DOCX, CSV and XLSX.
There are no PPTX files: they take more than a sentence.
"""

import csv
import io
import time
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Callable
from xml.sax.saxutils import escape

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from meshapi.gateway.content.answers import count_words
from meshapi.gateway.failing_models import FAILED_JOBS, refuse
from meshapi.gateway.http.auth import protected, public, public_url
from meshapi.gateway.http.errors import GatewayError
from meshapi.gateway.http.pages import offset_page, page_query
from meshapi.gateway.http.query import read_query
from meshapi.gateway.http.replies import json_reply
from meshapi.gateway.http.validation import Check, fields, mapping, one_of, read_json, string, text
from meshapi.gateway.http.wire import iso, ulid
from meshapi.gateway.models import CHAT_MODELS, DEFAULT_MODEL, STALL, choose_from
from meshapi.gateway.state import GatewayState
from meshapi.gateway.store import Store

_HIGHEST_LIMIT = 200
_DOWNLOADABLE_SECONDS = 24 * 3600
_LONGEST_TITLE = 60

_NOTE = "A local gateway can't write: this is the prompt, and all there is."

_GENERATE: Check = fields(
    {
        "format": one_of("pdf", "docx", "pptx", "csv", "xlsx"),
        "prompt": text(min_length=1, max_length=100_000),
    },
    {"model": string, "metadata": mapping},
)


def routes(state: GatewayState) -> list[Route]:
    """This file's endpoints."""

    async def generate(request: Request) -> Response:
        body = await read_json(request, _GENERATE)
        if body["format"] not in _MAKERS:
            message = f"The local gateway can't make {body['format']} files."
            raise GatewayError(501, "not_implemented", message)
        model = choose_from(CHAT_MODELS, body.get("model"), DEFAULT_MODEL)
        refuse(state, model)
        document = _Document(body["format"], body["prompt"], model)
        state.store(_Documents).put(document.id, document)
        return json_reply(document.as_object(request))

    async def collection(request: Request) -> Response:
        query = read_query(request, page_query(_HIGHEST_LIMIT))
        found = state.store(_Documents).newest_first()
        return json_reply(
            offset_page("documents", found, query, lambda one: one.as_object(request))
        )

    async def one(request: Request) -> Response:
        document = state.store(_Documents).get(request.path_params["id"])
        document.go_on()
        return json_reply(document.as_object(request))

    async def download(request: Request) -> Response:
        document = state.store(_Documents).get(request.path_params["id"])
        headers = {"Content-Disposition": f'attachment; filename="{document.id}.{document.format}"'}
        return Response(document.content, headers=headers, media_type=_MEDIA_TYPES[document.format])

    return [
        protected(state, "/v1/documents", ["GET"], collection),
        protected(state, "/v1/documents/generate", ["POST"], generate),
        protected(state, "/v1/documents/{id}", ["GET"], one),
        public("/documents/{id}", ["GET"], download),
    ]


@dataclass
class _Document:
    format: str
    prompt: str
    model: str
    id: str = field(default_factory=lambda: f"doc_{ulid()}")
    created_at: float = field(default_factory=time.time)
    updated_at: float = field(default_factory=time.time)
    status: str = "processing"

    @property
    def content(self) -> bytes:
        return _MAKERS[self.format](self.prompt)

    def go_on(self) -> None:
        """What happens at each look."""
        if self.status == "processing" and self.model != STALL:
            self.status = "failed" if self.model in FAILED_JOBS else "completed"
            self.updated_at = time.time()

    def as_object(self, request: Request) -> dict[str, Any]:
        done = self.status == "completed"
        read, written = count_words(self.prompt), count_words(_NOTE)
        return {
            "document_id": self.id,
            "status": self.status,
            "format": self.format,
            "model": self.model,
            "title": self.prompt.strip()[:_LONGEST_TITLE] if done else None,
            "download_url": public_url(request, f"/documents/{self.id}") if done else None,
            "expires_at": iso(self.updated_at + _DOWNLOADABLE_SECONDS) if done else None,
            "size_bytes": len(self.content) if done else None,
            "prompt_tokens": read if done else None,
            "completion_tokens": written if done else None,
            "total_tokens": read + written if done else None,
            "failure_reason": FAILED_JOBS[self.model].message if self.status == "failed" else None,
            "created_at": iso(self.created_at),
            "updated_at": iso(self.updated_at),
        }


class _Documents(Store[_Document]):
    what = "Document"


def _pdf(prompt: str) -> bytes:
    """A page with two lines in Helvetica, which has Latin letters only.

    Source: ISO 32000-1, section 7.5 and annex H.3
    """
    lines = " T* ".join(f"({_pdf_text(line)}) Tj" for line in (prompt, _NOTE))
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
    csv.writer(sheet).writerows([["prompt", "note"], [prompt, _NOTE]])
    return sheet.getvalue().encode("utf-8", "replace")


_XML = '<?xml version="1.0" encoding="UTF-8" standalone="yes"?>\n'
_OFFICE = "http://schemas.openxmlformats.org/officeDocument/2006/relationships"
_RELATIONS = "http://schemas.openxmlformats.org/package/2006/relationships"
_TYPES = "http://schemas.openxmlformats.org/package/2006/content-types"
_WORD = "http://schemas.openxmlformats.org/wordprocessingml/2006/main"
_SHEET = "http://schemas.openxmlformats.org/spreadsheetml/2006/main"
_MIME = "application/vnd.openxmlformats-officedocument"


def _docx(prompt: str) -> bytes:
    """Source: ECMA-376-1, section 11.2"""
    lines = "".join(
        f'<w:p><w:r><w:t xml:space="preserve">{_xml(line)}</w:t></w:r></w:p>'
        for line in (prompt, _NOTE)
    )
    main = f'<w:document xmlns:w="{_WORD}"><w:body>{lines}</w:body></w:document>'
    kinds = {"word/document.xml": f"{_MIME}.wordprocessingml.document.main+xml"}
    return _package(kinds, {"word/document.xml": main})


def _xlsx(prompt: str) -> bytes:
    """Source: ECMA-376-1, section 12.2"""
    cells = "".join(
        f'<c t="inlineStr"><is><t>{_xml(cell)}</t></is></c>' for cell in (prompt, _NOTE)
    )
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
    """A package whose main part is the first one.

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
            # A fixed date, so that the same prompt gives the same bytes.
            entry = zipfile.ZipInfo(name)
            package.writestr(entry, (_XML + content).encode("utf-8", "replace"))
    return data.getvalue()


def _relation(kind: str, target: str) -> str:
    relation = f'<Relationship Id="rId1" Type="{_OFFICE}/{kind}" Target="{target}"/>'
    return f'<Relationships xmlns="{_RELATIONS}">{relation}</Relationships>'


def _xml(value: str) -> str:
    """The text without what XML can't spell."""
    return escape("".join(char for char in value if char.isprintable() or char in "\t\n"))


_MAKERS: Mapping[str, Callable[[str], bytes]] = {
    "pdf": _pdf,
    "docx": _docx,
    "csv": _csv,
    "xlsx": _xlsx,
}
_MEDIA_TYPES = {
    "pdf": "application/pdf",
    "docx": f"{_MIME}.wordprocessingml.document",
    "csv": "text/csv",
    "xlsx": f"{_MIME}.spreadsheetml.sheet",
}
