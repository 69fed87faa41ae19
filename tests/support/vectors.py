"""Reads the language-neutral vectors of `tests/vectors`, and compares with them.

`tests/vectors/README.md` says the same in words, for programs in other languages.
"""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, NamedTuple

from meshapi_core import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    AuthenticationError,
    BadRequestError,
    ConflictError,
    ContentTooLargeError,
    InternalServerError,
    MeshAPIError,
    NotFoundError,
    PaymentRequiredError,
    PermissionDeniedError,
    ProtocolError,
    RateLimitError,
    RedirectError,
    ResponseDecodeError,
    StreamInterruptedError,
    UnprocessableEntityError,
)

FOLDER = Path(__file__).resolve().parent.parent / "vectors"

KINDS: dict[str, type[MeshAPIError]] = {
    "redirect": RedirectError,
    "bad_request": BadRequestError,
    "authentication": AuthenticationError,
    "payment_required": PaymentRequiredError,
    "permission_denied": PermissionDeniedError,
    "not_found": NotFoundError,
    "conflict": ConflictError,
    "content_too_large": ContentTooLargeError,
    "unprocessable": UnprocessableEntityError,
    "rate_limit": RateLimitError,
    "server_error": InternalServerError,
    "status": APIStatusError,
    "connection": APIConnectionError,
    "timeout": APITimeoutError,
    "protocol": ProtocolError,
    "decode": ResponseDecodeError,
    "stream_interrupted": StreamInterruptedError,
}
"""The words for kinds of errors, and what they are here."""

Case = dict[str, Any]


def load(subject: str) -> list[Case]:
    """The cases of one file."""
    return list(json.loads((FOLDER / f"{subject}.json").read_text("ascii"))["cases"])


def subjects() -> list[str]:
    """The names of the files."""
    return sorted(path.stem for path in FOLDER.glob("*.json"))


def pieces_of(parts: list[Any]) -> list[bytes]:
    """The bytes of each part."""
    return [*map(_bytes_of, parts)]


def joined(parts: list[Any]) -> bytes:
    """The bytes of all parts."""
    return b"".join(pieces_of(parts))


def _bytes_of(part: Any) -> bytes:
    if isinstance(part, str):
        return part.encode("utf-8")
    if "hex" in part:
        return bytes.fromhex(part["hex"])
    if "json" in part:
        return json.dumps(part["json"]).encode("utf-8")
    repeated: bytes = part["repeat"].encode("utf-8") * part["times"]
    return repeated


# What is expected


class Prefix(NamedTuple):
    """Bytes of which only the first are given."""

    first: bytes


def wanted(value: Any) -> Any:
    """The expectation of a case, with its bytes as bytes."""
    if isinstance(value, list):
        return [*map(wanted, value)]
    if not isinstance(value, dict):
        return value
    if value.keys() == {"bytes"}:
        return joined(value["bytes"])
    if value.keys() == {"starts_with"}:
        return Prefix(joined(value["starts_with"]))
    return {name: wanted(member) for name, member in value.items()}


def agree(expected: Any, got: Any) -> bool:
    """Return whether a value is the expected one; of objects, only named members are compared."""
    if isinstance(expected, Prefix):
        return isinstance(got, bytes) and got.startswith(expected.first)
    if isinstance(expected, dict):
        return isinstance(got, dict) and all(
            name in got and agree(member, got[name]) for name, member in expected.items()
        )
    if isinstance(expected, list):
        return (
            isinstance(got, list) and len(expected) == len(got) and all(map(agree, expected, got))
        )
    if is_number(expected):
        return is_number(got) and abs(expected - got) < 1e-9
    return type(expected) is type(got) and bool(expected == got)


def is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def mistaken(expected: Any) -> Iterator[Any]:
    """Yield the expectation with one thing in it changed, for each thing."""
    if isinstance(expected, Prefix):
        yield Prefix(expected.first + b"\0\0")
    elif isinstance(expected, dict):
        for name, member in expected.items():
            yield from ({**expected, name: other} for other in mistaken(member))
    elif isinstance(expected, list):
        yield [*expected, "more"]
        for place, member in enumerate(expected):
            before, after = expected[:place], expected[place + 1 :]
            yield [*before, *after]
            yield from ([*before, other, *after] for other in mistaken(member))
    elif expected is None:
        yield "something"
    elif isinstance(expected, bool):
        yield not expected
    elif is_number(expected):
        yield expected + (1 if isinstance(expected, int) else 0.001)
    elif isinstance(expected, str):
        yield expected + "x"
    else:
        yield expected + b"x"
