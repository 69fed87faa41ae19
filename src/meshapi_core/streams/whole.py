"""The response that a stream adds up to, once it has ended."""

from typing import Optional, TypeVar

from meshapi_core.errors import ResponseDecodeError

__all__ = ["whole"]

R = TypeVar("R")


def whole(response: Optional[R]) -> R:
    """Return what the chunks of a stream that has ended add up to.

    Raises:
        ResponseDecodeError: the gateway ended the stream before its first chunk.
    """
    if response is None:
        raise ResponseDecodeError(
            "the gateway ended the stream without sending a chunk, so there is no response; send"
            " the request again"
        )
    return response
