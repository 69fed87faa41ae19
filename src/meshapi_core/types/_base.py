"""What every Struct of the API is built on.

Three roles: a `Record` is a part of a request or of an answer, `Params` is the whole body of a
request, and an `Answer` is the whole of what the server sent (an answer or one chunk of a stream).

msgspec does not inherit `kw_only`, so each class repeats it.
"""

from typing import Any, TypeVar

import msgspec

from meshapi_core.codec import parse

__all__ = ["Answer", "Params", "Record", "always", "attach"]

T = TypeVar("T")


def always(value: T) -> T:
    """Return a field default that is sent even when the caller did not set it.

    `omit_defaults` compares with plain defaults only, so a factory keeps the field on the wire.
    The value is shared by all instances: pass immutable ones.
    """
    field: T = msgspec.field(default_factory=lambda: value)
    return field


class Record(msgspec.Struct, kw_only=True, omit_defaults=True, repr_omit_defaults=True):
    """A group of named fields; fields that are None are left out when it is sent."""


class Params(Record, kw_only=True, forbid_unknown_fields=True):
    """The whole body of one request; only the names that it declares are accepted."""


class Answer(Record, kw_only=True, dict=True):
    """The whole of one answer, with what the server sent kept beside the typed fields.

    What is attached survives pickle and copy and takes no part in `==`.
    """

    @property
    def raw(self) -> Any:
        """The decoded JSON of all that the server sent, unnamed fields included.

        Parsed on first use and then kept; None for an answer that no server sent.
        """
        attached = vars(self)
        if "_raw" not in attached:
            sent = attached.get("_sent")
            attached["_raw"] = None if sent is None else parse(sent[0])
        return attached["_raw"]

    @property
    def _request_id(self) -> str:
        """The `x-request-id` of the answer, to quote when asking for support; "" if unknown."""
        sent: tuple[bytes, str] = vars(self).get("_sent", (b"", ""))
        return sent[1]

    def __reduce__(self) -> tuple[Any, ...]:
        # The parsed form is left out: it is the body once more, and larger.
        attached = {name: value for name, value in vars(self).items() if name != "_raw"}
        return _revive, (type(self), msgspec.structs.asdict(self), attached)

    def __copy__(self) -> "Answer":
        return _revive(type(self), msgspec.structs.asdict(self), vars(self))


def attach(answer: T, body: bytes, request_id: str) -> T:
    """Return the same answer with its body and request id attached.

    Does nothing to what is no `Answer` (a list, None, plain JSON). The body is kept alive as long
    as the answer; it must be JSON that `parse` accepts.
    """
    if isinstance(answer, Answer):
        # One entry, not two: this runs once for every chunk.
        vars(answer)["_sent"] = (body, request_id)
    return answer


def _revive(kind: type[Answer], fields: dict[str, Any], attached: dict[str, Any]) -> Answer:
    answer = kind(**fields)
    vars(answer).update(attached)
    return answer
