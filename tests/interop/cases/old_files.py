"""The batch files of 0.1.0 to 0.1.3, which later versions do not have."""

from interop.cases.grammar import MODEL, case

from meshapi import BatchRequestItem, CreateBatchParams, UploadBatchFileParams


def items() -> list[BatchRequestItem]:
    return [
        BatchRequestItem(
            custom_id=f"req-{number}",
            body={
                "model": MODEL,
                "messages": [{"role": "user", "content": f"Count to {number}."}],
                "user": None,
            },
        )
        for number in (1, 2)
    ]


@case(version="0.1.3")
def files_become_batches():
    file = yield lambda c: c.files.upload(UploadBatchFileParams(requests=items()))
    yield lambda c: c.files.get(file.id)
    batch = yield lambda c: c.batches.create(
        CreateBatchParams(
            input_file_id=file.id,
            endpoint="/v1/chat/completions",
            completion_window="24h",
            metadata={"job": "interop"},
        )
    )
    for _ in range(3):
        status = yield lambda c: c.batches.get(batch.id)
    content = yield lambda c: c.files.content(status.output_file_id)
    assert len(content.splitlines()) == 2
    yield lambda c: c.files.get(status.output_file_id)
    yield lambda c: c.batches.list()
    yield lambda c: c.batches.cancel(batch.id)


@case(version="0.1.3")
def files_are_deleted():
    params = UploadBatchFileParams(purpose="batch", requests=items()[:1])
    file = yield lambda c: c.files.upload(params=params)
    yield lambda c: c.files.delete(file_id=file.id)
    yield lambda c: c.files.get(file_id=file.id)
    yield lambda c: c.files.content(file_id="none")
