"""/v1/documents of the local gateway."""

import csv
import io
import zipfile
from typing import Any
from xml.etree import ElementTree

import pytest

from meshapi.testing import LocalGateway
from support.gateway_calls import Response, get, post
from support.gateway_files import open_url

PATH = "/v1/documents"
PROMPT = "Cats (& dogs) <\\>"


def generate(gateway: LocalGateway, kind: str = "csv", **members: Any) -> Response:
    return post(gateway, f"{PATH}/generate", {"format": kind, "prompt": PROMPT, **members})


def look(gateway: LocalGateway, document: Any) -> Any:
    return get(gateway, f"{PATH}/{document['document_id']}").json()


def download(gateway: LocalGateway, kind: str) -> bytes:
    response = open_url(look(gateway, generate(gateway, kind).json())["download_url"])
    assert response.status == 200
    return response.body


def test_a_document_is_completed_at_the_first_look(gateway: LocalGateway) -> None:
    made = generate(gateway).json()
    assert (made["status"], made["format"]) == ("processing", "csv")
    assert (made["model"], made["download_url"]) == ("openai/gpt-4o-mini", None)
    done = look(gateway, made)
    assert (done["status"], done["title"], done["failure_reason"]) == ("completed", PROMPT, None)
    assert done["total_tokens"] == done["prompt_tokens"] + done["completion_tokens"]
    assert done["expires_at"] > done["created_at"]
    file = open_url(done["download_url"])
    assert len(file.body) == done["size_bytes"]
    assert file.headers["content-type"].startswith("text/csv")
    assert "attachment" in file.headers["content-disposition"]


def test_csv_holds_the_prompt(gateway: LocalGateway) -> None:
    rows = list(csv.reader(io.StringIO(download(gateway, "csv").decode())))
    assert rows[1][0] == PROMPT


def test_pdf_has_its_objects_where_its_table_says(gateway: LocalGateway) -> None:
    data = download(gateway, "pdf")
    assert data.startswith(b"%PDF-1.4\n")
    assert data.endswith(b"%%EOF\n")
    table = int(data.split(b"startxref\n")[1].split(b"\n")[0])
    assert data[table : table + 4] == b"xref"
    places = [int(line[:10]) for line in data[table:].split(b"\n")[3:8]]
    assert [data[at : at + 7] for at in places] == [b"%d 0 obj" % n for n in range(1, 6)]
    assert b"(Cats \\(& dogs\\) <\\\\>) Tj" in data


@pytest.mark.parametrize("kind", ["docx", "xlsx"])
def test_office_files_are_packages_of_good_xml(gateway: LocalGateway, kind: str) -> None:
    data = download(gateway, kind)
    assert data == download(gateway, kind)
    with zipfile.ZipFile(io.BytesIO(data)) as package:
        assert package.testzip() is None
        texts = {name: ElementTree.fromstring(package.read(name)) for name in package.namelist()}
    assert {"[Content_Types].xml", "_rels/.rels"} < set(texts)
    assert any(PROMPT in "".join(root.itertext()) for root in texts.values())


def test_documents_are_listed_in_pages(gateway: LocalGateway) -> None:
    ids = [generate(gateway).json()["document_id"] for _ in range(3)][::-1]
    page = get(gateway, f"{PATH}?limit=200&offset=1").json()
    assert [row["document_id"] for row in page["documents"]] == ids[1:]
    assert (page["total"], page["limit"], page["offset"]) == (3, 200, 1)
    for query in ("limit=201", "limit=0", "offset=-1"):
        ((_, where),) = get(gateway, f"{PATH}?{query}").faults
        assert where == ["query", query.partition("=")[0]]


def test_a_document_can_fail_or_stall(gateway: LocalGateway) -> None:
    failed = look(gateway, generate(gateway, model="mesh/refusal").json())
    assert (failed["status"], failed["download_url"]) == ("failed", None)
    assert failed["failure_reason"]
    stalled = generate(gateway, model="mesh/stall").json()
    assert [look(gateway, stalled)["status"] for _ in range(3)] == ["processing"] * 3


def test_bad_documents_are_refused(gateway: LocalGateway) -> None:
    assert generate(gateway, "pptx").code == (501, "not_implemented")
    assert generate(gateway, "gif").faults == [("literal_error", ["body", "format"])]
    assert generate(gateway, model="acme/none").code == (404, "model_not_found")
    assert get(gateway, f"{PATH}/nothing").code == (404, "not_found")
    assert open_url(f"{gateway.url}/documents/nothing").code == (404, "not_found")
