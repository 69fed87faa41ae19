"""Multipart forms, read and checked as FastAPI does; uploads are spooled to disk, not kept.

Source: https://docs.pydantic.dev/latest/errors/validation_errors/
"""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from python_multipart.exceptions import FormParserError
from starlette.datastructures import FormData, UploadFile
from starlette.formparsers import MultiPartException, MultiPartParser
from starlette.requests import Request

from meshapi.gateway import clock
from meshapi.gateway.http.errors import GatewayError
from meshapi.gateway.http.query import Reader
from meshapi.gateway.http.validation import Check, Detail, Location, detail, invalid

_MESSAGE = "Expected a form: multipart/form-data with a boundary"


@dataclass(frozen=True)
class Form:
    """A form that was read: its checked fields, and its files by name."""

    values: dict[str, Any]
    files: dict[str, list[UploadFile]]


@asynccontextmanager
async def read_form(
    request: Request, required: Mapping[str, Reader], optional: Mapping[str, Reader]
) -> AsyncGenerator[Form, None]:
    """The request's form, whose files can be read until the block ends. Unknown fields are ignored.

    Raises:
        GatewayError: 422 `validation_error` with one detail for each fault; 400 if the body can't
            be parsed.
    """
    declared = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if declared != "multipart/form-data":
        raise invalid(detail("missing", ("body",), _MESSAGE))
    refusals: list[GatewayError] = []
    try:
        parser = MultiPartParser(request.headers, _pieces(request, refusals))
        parser.spool_max_size = clock.spool_size()
        form = await parser.parse()
    except (FormParserError, MultiPartException) as error:
        if refusals:
            raise refusals[0] from None
        reason = error.message if isinstance(error, MultiPartException) else error
        raise GatewayError(400, "bad_request", f"The form can't be parsed: {reason}") from error
    try:
        yield _checked(form, required, optional)
    finally:
        await form.close()


async def _pieces(request: Request, refusals: list[GatewayError]) -> AsyncGenerator[bytes, None]:
    """The body, in pieces. A refusal of the body is kept in `refusals`, and ends the form.

    It is raised as a `MultiPartException`: after any other exception, older versions of Starlette
    leave the form's files open.
    """
    try:
        async for piece in request.stream():
            yield piece
    except GatewayError as error:
        refusals.append(error)
        raise MultiPartException("refused") from error


def flag_word(texts: Sequence[str], at: Location) -> tuple[Any, list[Detail]]:
    """A reader of a boolean, which must be "true" or "false"; "True" is a client's mistake."""
    values = {"true": True, "false": False}
    if texts[-1] in values:
        return values[texts[-1]], []
    message = "Input should be a valid boolean, unable to interpret input"
    return None, [detail("bool_parsing", at, message)]


def decimal(check: Check) -> Reader:
    """A reader of a number that passes the check."""

    def read(texts: Sequence[str], at: Location) -> tuple[Any, list[Detail]]:
        try:
            value = float(texts[-1])
        except ValueError:
            message = "Input should be a valid number, unable to parse string as a number"
            return None, [detail("float_parsing", at, message)]
        return value, list(check(value, at))

    return read


def _checked(
    form: FormData, required: Mapping[str, Reader], optional: Mapping[str, Reader]
) -> Form:
    texts: dict[str, list[str]] = {}
    files: dict[str, list[UploadFile]] = {}
    for name, value in form.multi_items():
        if isinstance(value, UploadFile):
            files.setdefault(name, []).append(value)
        else:
            texts.setdefault(name, []).append(value)
    values: dict[str, Any] = {}
    faults: list[Detail] = []
    for name, reader in {**optional, **required}.items():
        if name in texts:
            values[name], found = reader(texts[name], ("body", name))
            faults += found
        elif name in required:
            faults.append(detail("missing", ("body", name), "Field required"))
    if faults:
        raise invalid(*faults)
    return Form(values, files)
