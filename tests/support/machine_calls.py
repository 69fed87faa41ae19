"""Calls for the machines, pieces of their responses, and files in memory."""

import json
from collections.abc import Iterator, Sequence
from typing import Any, Optional, Union

from meshapi_core.bodies import FileSource
from meshapi_core.calls import Call, SignedPut
from meshapi_core.endpoints.chat import Completions
from meshapi_core.readers import JSONReader

ASKED = {"model": "m", "messages": [{"role": "user", "content": "hi"}]}
POST = Completions.create.build(**ASKED)
STREAM = Completions.stream.build(**ASKED)
GET: "Call[dict[str, Any]]" = Call(method="GET", path="/v1/models", reader=JSONReader(dict))

DONE = b"data: [DONE]\n\n"


def chunk(text: str, finish: Optional[str] = None) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish}
    return b"data: " + json.dumps({"id": "c", "model": "m", "choices": [choice]}).encode() + b"\n\n"


def texts(items: list[Any]) -> list[str]:
    return [item.choices[0].delta.content for item in items]


class File:
    """A file that is read each time it is sent, and may have different content each time.

    Args:
        length: the length that it claims.
        contents: its pieces for the first time, the second time, and so on; the last ones are used
            for all further times. An exception among them is raised.
    """

    def __init__(self, length: int, *contents: Sequence[Union[bytes, Exception]]) -> None:
        self.length = length
        self.closed = False
        self._contents = list(contents)

    def pieces(self) -> Iterator[bytes]:
        contents = self._contents
        for piece in contents.pop(0) if len(contents) > 1 else contents[0]:
            if isinstance(piece, Exception):
                raise piece
            yield piece

    def close(self) -> None:
        self.closed = True


def upload(file: File) -> SignedPut:
    """A call that sends a file."""
    url = "http://localhost:8000/put?X-Amz-Signature=s3cr3t"
    return SignedPut(url=url, content_type="text/plain", source=FileSource(file))


def open_file(source: FileSource) -> File:
    """Open a file, as a host does for `OpenFiles`."""
    file: File = source.content
    return file
