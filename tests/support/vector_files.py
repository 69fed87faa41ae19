"""The format of the files in `tests/vectors`; msgspec refuses everything else.

`tests/vectors/README.md` explains the members.
"""

from typing import Any, Generic, Literal, Optional, TypeVar, Union

import msgspec
from msgspec import UNSET, Struct, UnsetType

from support.vectors import KINDS


class _Base(Struct, forbid_unknown_fields=True):
    pass


class Part(_Base):
    """A part of some bytes that is not text: one of these."""

    hex: Union[str, UnsetType] = UNSET
    json: Union[Any, UnsetType] = UNSET
    repeat: Union[str, UnsetType] = UNSET
    times: Union[int, UnsetType] = UNSET

    def __post_init__(self) -> None:
        named = {name for name in self.__struct_fields__ if getattr(self, name) is not UNSET}
        if named not in ({"hex"}, {"json"}, {"repeat", "times"}):
            raise ValueError(f"a part of {named}")


Parts = list[Union[str, Part]]


class Bytes(_Base):
    bytes: Parts


class _Case(_Base, kw_only=True):
    name: str
    why: Union[str, UnsetType] = UNSET
    departs: Union[str, UnsetType] = UNSET


class Event(_Base):
    event: str
    data: str
    id: str
    retry: Optional[int]


class Events(_Base):
    events: list[Event]
    last_event_id: str
    error: Optional[Literal["event_too_large"]]
    arrived: Union[list[int], UnsetType] = UNSET


class SSE(_Case):
    input: Parts
    expected: Events
    max_event_size: Union[int, UnsetType] = UNSET


class ToolCall(_Base):
    id: str
    name: str
    arguments: str


class Choice(_Base):
    content: Optional[str]
    finish_reason: Optional[str]
    tool_calls: list[ToolCall]


class Failed(_Base, kw_only=True):
    """An expected error; a case does not check the fields that it leaves out."""

    kind: Optional[str]
    error_code: Union[str, UnsetType] = UNSET
    message: Union[str, UnsetType] = UNSET
    status: Union[int, UnsetType] = UNSET
    request_id: Union[str, UnsetType] = UNSET
    details: Union[list[Any], UnsetType] = UNSET
    provider_error: Union[Any, UnsetType] = UNSET
    provider_code: Union[str, UnsetType] = UNSET
    retry_after_seconds: Union[float, None, UnsetType] = UNSET

    def __post_init__(self) -> None:
        if self.kind is not None and self.kind not in KINDS:
            raise ValueError(f"no kind of error: {self.kind}")


class Streamed(Failed):
    contents: list[Optional[str]]
    partial: Union[list[Choice], None, UnsetType] = UNSET


class Chunks(_Case):
    input: Parts
    expected: Streamed
    content_type: Union[str, UnsetType] = UNSET
    headers: Union[dict[str, str], UnsetType] = UNSET
    choices: Union[int, UnsetType] = UNSET
    then: Union[Literal["reset", "read_timeout", "client_closed"], UnsetType] = UNSET


class Error(_Case):
    status: int
    body: Parts
    expected: Failed
    headers: Union[dict[str, str], UnsetType] = UNSET
    received_at: Union[float, UnsetType] = UNSET


class Policy(_Base):
    max_retries: Union[int, UnsetType] = UNSET
    max_retry_after: Union[float, UnsetType] = UNSET


class Attempt(_Base):
    method: str
    stage: Literal["pool", "closed", "connect", "verify", "request", "response", "complete"]
    status: Union[int, UnsetType] = UNSET
    error_code: Union[str, UnsetType] = UNSET
    provider_code: Union[str, UnsetType] = UNSET
    retry_after: Union[float, UnsetType] = UNSET
    should_retry: Union[bool, UnsetType] = UNSET
    reused: Union[bool, UnsetType] = UNSET
    silence: Union[float, UnsetType] = UNSET
    timed_out: Union[bool, UnsetType] = UNSET
    streaming: Union[bool, UnsetType] = UNSET
    starts_job: Union[bool, UnsetType] = UNSET


class Decision(_Base):
    delay: Optional[float]
    dead_on_arrival: bool


class Retry(_Case):
    attempt: int
    random: float
    outcome: Attempt
    expected: Decision
    policy: Union[Policy, UnsetType] = UNSET


class Seconds(_Base):
    seconds: Optional[float]


class RetryAfter(_Case):
    value: str
    expected: Seconds
    date: Union[str, UnsetType] = UNSET
    received_at: Union[float, UnsetType] = UNSET


class Place(_Base):
    refused: bool
    scheme: Union[str, UnsetType] = UNSET
    host: Union[str, UnsetType] = UNSET
    port: Union[int, UnsetType] = UNSET
    prefix: Union[str, UnsetType] = UNSET


class URL(_Case):
    base_url: str
    expected: Place


class Encoded(_Base):
    segment: Optional[str]
    model_path: Optional[str]


class ID(_Case):
    value: str
    expected: Encoded


class File(_Base):
    name: str
    filename: str
    content_type: str
    content: Parts


class Body(_Base):
    body: Bytes


class Form(_Case):
    boundary: str
    fields: list[tuple[str, str]]
    files: list[File]
    expected: Body


class End(_Base):
    code: int
    clean: bool
    error_code: str
    reason: Union[str, UnsetType] = UNSET


class Payload(_Base):
    """Bytes, or how they start: one of the two."""

    bytes: Union[Parts, UnsetType] = UNSET
    starts_with: Union[Parts, UnsetType] = UNSET

    def __post_init__(self) -> None:
        if (self.bytes is UNSET) == (self.starts_with is UNSET):
            raise ValueError("a payload is bytes or starts_with")


class Frame(_Base):
    opcode: int
    payload: Payload


class Received(_Base):
    messages: list[Union[str, Bytes]]
    closed: Optional[End]
    sent: list[Frame]


class WebSocketFrames(_Case):
    input: Parts
    expected: Received
    max_message_size: Union[int, UnsetType] = UNSET
    ends: Union[bool, UnsetType] = UNSET


class Close(_Base):
    code: int
    reason: str


class Send(_Base):
    text: Union[str, UnsetType] = UNSET
    binary: Union[Parts, UnsetType] = UNSET
    ping: Union[Parts, UnsetType] = UNSET
    close: Union[Close, UnsetType] = UNSET

    def __post_init__(self) -> None:
        if [self.text, self.binary, self.ping, self.close].count(UNSET) != 3:
            raise ValueError("one thing is sent")


class Sent(_Base):
    frame: Optional[Bytes]


class WebSocketSent(_Case):
    send: Send
    mask: str
    expected: Sent


class Opened(_Base):
    open: bool
    subprotocol: Optional[str]
    kind: Optional[str]
    error_code: Optional[str]


class WebSocketHandshake(_Case):
    key: str
    offered: list[str]
    input: Parts
    expected: Opened


class EventError(_Base):
    code: str
    message: str
    param: Optional[str]
    request_id: str
    event_id: Optional[str]


class Message(_Base):
    type: str
    is_event: bool
    audio: Union[Bytes, Literal["broken"], None]
    error: Optional[EventError]


class RealtimeEvent(_Case):
    binary: bool
    message: Parts
    expected: Message


C = TypeVar("C", bound=_Case)


class VectorFile(_Base, Generic[C]):
    """A whole file.

    Fields:
        about: the subject of its cases.
        source: the standards, or the documentation, that the cases come from.
    """

    about: str
    source: list[str]
    cases: list[C]


CASES: dict[str, type[_Case]] = {
    "chunks": Chunks,
    "errors": Error,
    "multipart": Form,
    "paths": ID,
    "realtime_events": RealtimeEvent,
    "retries": Retry,
    "retries_without_response": Retry,
    "retry_after": RetryAfter,
    "retry_after_dates": RetryAfter,
    "sse": SSE,
    "stream_errors": Chunks,
    "urls": URL,
    "websocket_frames": WebSocketFrames,
    "websocket_handshakes": WebSocketHandshake,
    "websocket_sent": WebSocketSent,
}
"""What a case of each file is."""


def check(subject: str, data: bytes) -> None:
    """Raise msgspec.ValidationError unless a file has the format."""
    msgspec.json.decode(data, type=VectorFile[CASES[subject]])
