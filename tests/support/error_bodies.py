"""Error bodies of every shape, and what holds for the errors made from them."""

import copy
import json
import math
import pickle
from typing import Any

from hypothesis import strategies as st

from meshapi_core.envelopes import error_from_frame, error_from_response
from meshapi_core.errors import APIStatusError

JSON = {"content-type": "application/json"}
NOON = "Fri, 20 Nov 2026 12:00:00 GMT"
NOON_SECONDS = 1795176000.0
KEPT = 64 * 1024

ENVELOPE = {
    "error": {
        "code": "rate_limit_exceeded",
        "message": "slow down",
        "details": [{"limit": "rpm"}],
        "provider_error": {"type": "throttled"},
        "provider_code": "provider_overloaded",
        "retry_after_seconds": 5,
    },
    "request_id": "req_01BODY",
}


def make_response(status: int, body: Any, **headers: str) -> APIStatusError:
    """The error for a body, given as bytes or as decoded JSON."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    fields = {name.replace("_", "-"): value for name, value in headers.items()}
    return error_from_response(status, fields, data)


def frame(value: Any, **headers: str) -> APIStatusError:
    return error_from_frame(value, {n.replace("_", "-"): v for n, v in headers.items()})


WORDS = (
    "error detail details errors message msg title type loc code error_code status request_id"
    " provider_error provider_code retry_after_seconds retry_after model"
).split()

scalars = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(("429", "503", "rate_limit_exceeded", "5", "\x1b[2J", "\ud800"))
    | st.sampled_from((10**400, -1, 0, 429, 502))
)
# JSON that looks like an envelope at every level, with every kind of value in every place.
envelopes = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(st.sampled_from(WORDS) | st.text(), inner, max_size=6)
    ),
    max_leaves=20,
)
bodies = st.binary() | envelopes.map(lambda value: json.dumps(value).encode())
header_values = st.text() | st.sampled_from(("5", "-1", "inf", NOON, "application/json"))
header_fields = st.dictionaries(
    st.sampled_from(
        ("content-type", "retry-after", "retry-after-ms", "date", "x-request-id", "location")
    ),
    header_values,
)


def check(error: APIStatusError) -> None:
    """Check what holds for every error, whatever it was made from."""
    assert isinstance(error, APIStatusError)
    assert 0 < len(error.message) <= 500
    assert len(str(error).splitlines()) == 1
    assert "\x1b" not in str(error)
    assert isinstance(error.error_code, str)
    assert error.error_code
    assert isinstance(error.request_id, str)
    assert isinstance(error.details, list)
    assert error.provider_code is None or error.provider_code
    wait = error.retry_after_seconds
    assert wait is None or (type(wait) is float and math.isfinite(wait) and wait >= 0)
    assert repr(vars(pickle.loads(pickle.dumps(error)))) == repr(vars(error))
    assert type(copy.deepcopy(error)) is type(error)
