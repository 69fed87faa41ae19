"""Reads responses whose form is not documented."""

from typing import Generic, TypeVar

from msgspec import Struct

from meshapi_core.codec.parsing import parse
from meshapi_core.errors import ResponseDecodeError
from meshapi_core.messages import Response
from meshapi_core.readers import JSONReader
from meshapi_core.types._base import OpenResponseModel, attach

A = TypeVar("A", bound=OpenResponseModel)


class AnyShapeReader(Struct, Generic[A], frozen=True):
    """Reads an object as an open response; any other JSON is only in its `.raw`."""

    kind: "type[A]"

    @property
    def accept(self) -> str:
        """The request's Accept header."""
        return "application/json"

    def read(self, response: Response) -> A:
        """Return the typed response.

        Raises:
            APIStatusError: the body is an error, in spite of its status.
            ResponseDecodeError: the body is not JSON.
        """
        try:
            return JSONReader(self.kind).read(response)
        except ResponseDecodeError as exc:
            try:
                parse(response.body)
            except ResponseDecodeError:
                # The first error has the status and the request ID.
                raise exc from None
        return attach(self.kind(), response.body, response.meta)
