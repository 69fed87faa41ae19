"""Construction of the typed error from what was found in a response."""

from collections.abc import Mapping
from typing import Any, Optional

from meshapi_core.envelopes.error_fields import (
    first_of,
    first_text,
    objects_in,
    unwrapped,
    wait_in_objects,
)
from meshapi_core.envelopes.error_message import details_in
from meshapi_core.envelopes.loose_json import abridged, excerpt_of
from meshapi_core.errors import APIStatusError
from meshapi_core.headers import find_request_id
from meshapi_core.retry_after import now_of, wait_in_headers, wait_in_resets
from meshapi_core.sniffing import KEPT_BYTES

__all__ = ["kept", "typed_error", "wait_asked"]


def typed_error(
    cls: type[APIStatusError],
    message: str,
    objects: list[dict[str, Any]],
    headers: Mapping[str, str],
    *,
    raw: Any,
    code: str,
    wait: Optional[float],
    status: int = 0,
    partial: Any = None,
) -> APIStatusError:
    """Return an error of this class with the fields that a response contains.

    Args:
        objects: the objects of the response, from `objects_in`.
        raw: what is kept of the response.
    """
    in_raw = objects_in(raw)
    return cls(
        message,
        status=status,
        error_code=code,
        request_id=first_text(objects, "requestid") or find_request_id(headers),
        details=details_in(unwrapped(raw), in_raw),
        provider_error=first_of(in_raw, "providererror"),
        provider_code=first_text(objects, "providercode") or None,
        retry_after_seconds=wait,
        partial=partial,
        headers=headers,
        raw=raw,
    )


def kept(content: Any, *, whole: bool) -> Any:
    """Return what to keep of a body: usually all of it."""
    if whole or isinstance(content, str):
        return abridged(content, KEPT_BYTES)
    return excerpt_of(content)


_LIMITED = 429


def wait_asked(
    status: int,
    headers: Mapping[str, str],
    received_at: Optional[float],
    objects: list[dict[str, Any]],
) -> Optional[float]:
    """Return the longest wait that an error asks for, in seconds; None if it asks for none."""
    asked = wait_in_headers(headers, received_at)
    if asked is None and status == _LIMITED:
        # Only for a 429: most responses say when their limits are reset.
        asked = wait_in_resets(headers, now_of(headers, received_at))
    waits = (asked, wait_in_objects(objects))
    return max((wait for wait in waits if wait is not None), default=None)
