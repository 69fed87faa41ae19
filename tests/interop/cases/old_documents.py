"""The documents of 0.1.7, which no other version has."""

from interop.cases.grammar import case

from meshapi import GenerateDocumentRequest, ListDocumentsParams


@case(version="0.1.7")
def documents_are_written():
    document = yield lambda c: c.documents.generate(
        GenerateDocumentRequest(
            format="pdf", prompt="A page about foxes", metadata={"job": "interop", "no": None}
        )
    )
    for _ in range(3):
        yield lambda c: c.documents.retrieve(document.document_id)
    yield lambda c: c.documents.generate(
        GenerateDocumentRequest(format="csv", prompt="A table", model="openai/gpt-4o-mini")
    )
    yield lambda c: c.documents.list()
    yield lambda c: c.documents.list(ListDocumentsParams(limit=1, offset=0))
    yield lambda c: c.documents.list(params=ListDocumentsParams(limit=5, offset=1))
    yield lambda c: c.documents.retrieve(document_id="none/../such?x=1")
