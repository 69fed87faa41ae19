"""Realtime sessions on one connection, and values that their tests share."""

import json
from typing import Any

from fuzz_realtime import REQUEST, SWITCH, client_frames
from hypothesis import strategies as st

from meshapi_core.config import MeshAPIConfig
from meshapi_core.messages import Request
from meshapi_core.realtime import RealtimeCall, RealtimeConnection, RealtimeMessage
from meshapi_core.realtime.events import read_message
from meshapi_core.signals import NEED_DATA

TOKEN = "rsk_test_0123+/=&?"

CONFIG = MeshAPIConfig(base_url="https://gateway.example/mesh", token=TOKEN)

PLAIN_TOKEN = "rsk_test_0123.~"

PLAIN_CONFIG = MeshAPIConfig(base_url="https://gateway.example/mesh", token=PLAIN_TOKEN)

MODEL = "openai/gpt realtime&x=ü"


def open_session(received: bytes = b"", **limits: Any) -> RealtimeConnection:
    connection = RealtimeConnection(**limits)
    connection.connect(REQUEST)
    connection.receive_data(SWITCH + received)
    return connection


def open_session_once() -> RealtimeConnection:
    connection = open_session()
    assert connection.next_event() is NEED_DATA
    return connection


def message(event: Any) -> RealtimeMessage:
    return read_message(event if isinstance(event, str) else json.dumps(event))


def sent(data: bytes) -> Any:
    ((opcode, payload),) = client_frames(data)
    assert opcode == 1
    return json.loads(payload)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**53), 2**53) | st.text(max_size=8),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=4,
)


def upgrade_of(config: MeshAPIConfig = CONFIG, **fields: Any) -> Request:
    return RealtimeCall(**{"model": MODEL, **fields}).request(config)
