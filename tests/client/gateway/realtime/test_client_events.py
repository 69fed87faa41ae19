"""The local gateway knows the same fields of a session's configuration as the core's type."""

import pytest

from meshapi.gateway.realtime import client_events
from meshapi_core.types import RealtimeSessionConfig


def refused(field: str) -> bool:
    """Whether the gateway reports that there is no such field."""
    details = client_events._SESSION({field: None}, ("session",))
    return any(each["type"] == "unknown_parameter" for each in details)


@pytest.mark.parametrize("field", RealtimeSessionConfig.__struct_fields__)
def test_each_field_of_a_session_is_known(field: str) -> None:
    assert not refused(field)


def test_others_are_refused() -> None:
    assert refused("max_turns")
