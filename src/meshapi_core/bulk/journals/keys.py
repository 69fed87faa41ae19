"""What a call is known by in the journal of a run, and to the gateway: its key.

A key is made from the content of the call, from the ID that the program gave it, and from how often
the run had the same call before. So it is the same when the run is started again, even if calls
were added, removed or moved; and calls that are the same have different keys.

It is also made from the name of the run, which is drawn when the journal is begun. A key is sent as
an idempotency key, too: without the name, a program that does everything once more with a new
journal would get the responses of its last run from a gateway that stores them.
"""

from hashlib import sha256
from typing import Any, Optional, Union

from meshapi_core._json_kinds import is_sequence, value_name
from meshapi_core.bodies import FileSource
from meshapi_core.bulk.journals.key_index import KEY_DIGITS, KeyIndex
from meshapi_core.calls import Call, StreamCall
from meshapi_core.errors import InvalidParamsError
from meshapi_core.multipart import Multipart

__all__ = [
    "CallKeys",
    "content_digest",
    "files_to_measure",
    "idempotency_key",
    "in_memory",
    "record_key",
]


def content_digest(
    call: "Union[Call[Any], StreamCall[Any]]", sizes: "tuple[Optional[int], ...]" = ()
) -> bytes:
    """Return a digest of what a call sends: its method, path, query and body.

    Neither the client nor the reader of the response is part of it. Of a file that is sent from the
    disk, its path and its size stand for its content.

    Args:
        sizes: of the files that `files_to_measure` returns, in bytes.

    Raises:
        InvalidParamsError: a file of the call can be read only once, so that another run cannot
            tell whether it is the same.
    """
    head = f"{call.method} {call.path}\n"
    for name, value in call.query:
        head += f"{len(name)} {len(value)} {name}={value}\n"
    body = call.body
    # Surrogates: a query may have any str.
    digest = sha256(head.encode("utf-8", "surrogatepass"))
    if isinstance(body, Multipart):
        _add_form(digest, body, sizes)
    elif body:
        digest.update(b"\n")
        digest.update(body)
    return digest.digest()


def files_to_measure(call: "Union[Call[Any], StreamCall[Any]]") -> "tuple[FileSource, ...]":
    """Return the files of a call of which `content_digest` needs the sizes, to be `FileSize`d."""
    body = call.body
    if not isinstance(body, Multipart):
        return ()
    return tuple(part.source for part in body.files if in_memory(part.source.content) is None)


def record_key(digest: bytes, item_id: Optional[str], occurrence: int, run: str = "") -> str:
    """Return the key of a call: 32 hexadecimal digits.

    Args:
        digest: of its content.
        item_id: the one that the program gave it; None if it gave none.
        occurrence: how many calls of the same content and ID the run had before.
        run: the name of the run, which is in the header of its journal.
    """
    named = "-" if item_id is None else f"={item_id}"
    told = f"{run}\n{occurrence}\n{named}".encode("utf-8", "surrogatepass")
    return sha256(digest + told).hexdigest()[:KEY_DIGITS]


def idempotency_key(key: str, failures: int) -> str:
    """Return the idempotency key with which a call is sent.

    It is another one after each failure that was recorded. A gateway that returns its stored
    response to a request that it has seen before would return the stored failure.

    Args:
        key: of the call.
        failures: how many failures of it the journal has.
    """
    return f"{key}-{failures}" if failures else key


class CallKeys:
    """Gives each call of a run its key, in the order of the input.

    It takes about 35 bytes of memory for each different call.

    Args:
        run: the name of the run.
    """

    def __init__(self, run: str = "") -> None:
        self._run = run
        self._seen = KeyIndex()

    def key_of(self, digest: bytes, item_id: Optional[str] = None) -> str:
        """Return the key of the next call.

        Args:
            digest: of its content.
            item_id: the one that the program gave it; None if it gave none.
        """
        key = record_key(digest, item_id, 0, self._run)
        occurrence = self._seen.count(key)
        return record_key(digest, item_id, occurrence, self._run) if occurrence else key


def _add_form(digest: Any, form: Multipart, sizes: "tuple[Optional[int], ...]") -> None:
    digest.update(b"form\n")
    for name, value in form.fields:
        _add(digest, name, value)
    left = iter(sizes)
    for part in form.files:
        _add(digest, part.name, part.filename, part.content_type)
        content = in_memory(part.source.content)
        if content is not None:
            _add(digest, "content", content)
        else:
            _add(digest, "file", _path_of(part.name, part.source.content), str(next(left, None)))


def _add(digest: Any, *texts: Union[str, bytes]) -> None:
    """Add texts, each after its length, so that no other texts have the same bytes."""
    for text in texts:
        data = text if isinstance(text, bytes) else text.encode("utf-8", "surrogatepass")
        digest.update(b"%d " % len(data))
        digest.update(data)


def in_memory(content: Any) -> Optional[bytes]:
    """Return content that is in memory; None for that which is elsewhere."""
    if isinstance(content, bytes):
        return content
    if isinstance(content, str):
        return None
    if is_sequence(content):
        return b"".join(content)
    # An io.BytesIO. What was read from it is not sent.
    if hasattr(content, "getbuffer") and hasattr(content, "tell"):
        return bytes(content.getbuffer()[content.tell() :])
    return None


def _path_of(field: str, content: Any) -> str:
    path: object = content
    if not isinstance(content, str):
        is_path = hasattr(content, "__fspath__")
        path = content.__fspath__() if is_path else getattr(content, "name", None)
    if not isinstance(path, str):
        expected = "bytes, a path or an open file with a name, for a call that is recorded"
        raise InvalidParamsError(field, expected, value_name(content), "read all of it first")
    return path
