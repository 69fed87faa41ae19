"""The protocol of the MeshAPI gateway as pure state machines: it decides, and does no I/O.

No sockets, no clock, no randomness, no event loop. A host that has sockets drives a `PipeCall`, one
that has an HTTP client a `ClientCall`, and either carries out the actions that the machine asks
for: see `meshapi_core.machines`. `Exchange`, `HTTP11Connection`, `SSEDecoder` and the other parts
work on their own as well. `meshapi_core.endpoints` builds calls, and `meshapi_core.types` has the
types of their requests and responses.

A name is imported when it is first used. ARCHITECTURE.md has the map.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshapi_core import endpoints as endpoints
    from meshapi_core import observing as observing
    from meshapi_core import types as types
    from meshapi_core._checks import check_kind as check_kind
    from meshapi_core._json_kinds import type_name as type_name
    from meshapi_core._named_fields import NamedFields as NamedFields
    from meshapi_core._secret import Secret as Secret
    from meshapi_core._secret import SecretBytes as SecretBytes
    from meshapi_core._version import __version__ as __version__
    from meshapi_core.bodies import PIECE as PIECE
    from meshapi_core.bodies import FileSource as FileSource
    from meshapi_core.bodies import OpenBody as OpenBody
    from meshapi_core.bodies import OpenSource as OpenSource
    from meshapi_core.byte_streams import ByteDecoder as ByteDecoder
    from meshapi_core.calls import AnyCall as AnyCall
    from meshapi_core.calls import Call as Call
    from meshapi_core.calls import SignedPut as SignedPut
    from meshapi_core.calls import StreamCall as StreamCall
    from meshapi_core.causes import causes_of as causes_of
    from meshapi_core.chunks.decoder import ChunkDecoder as ChunkDecoder
    from meshapi_core.config import Limits as Limits
    from meshapi_core.config import MeshAPIConfig as MeshAPIConfig
    from meshapi_core.config import Timeout as Timeout
    from meshapi_core.destinations import is_public as is_public
    from meshapi_core.destinations import not_public as not_public
    from meshapi_core.dialing import AwaitAttempts as AwaitAttempts
    from meshapi_core.dialing import Dialing as Dialing
    from meshapi_core.dialing import StartAttempt as StartAttempt
    from meshapi_core.errors import APIConnectionError as APIConnectionError
    from meshapi_core.errors import APIStatusError as APIStatusError
    from meshapi_core.errors import APITimeoutError as APITimeoutError
    from meshapi_core.errors import AuthenticationError as AuthenticationError
    from meshapi_core.errors import BadRequestError as BadRequestError
    from meshapi_core.errors import Base64Error as Base64Error
    from meshapi_core.errors import ConflictError as ConflictError
    from meshapi_core.errors import ContentTooLargeError as ContentTooLargeError
    from meshapi_core.errors import InternalServerError as InternalServerError
    from meshapi_core.errors import InvalidParamsError as InvalidParamsError
    from meshapi_core.errors import JobFailedError as JobFailedError
    from meshapi_core.errors import JobStatusError as JobStatusError
    from meshapi_core.errors import JobTimeoutError as JobTimeoutError
    from meshapi_core.errors import MeshAPIError as MeshAPIError
    from meshapi_core.errors import NotFoundError as NotFoundError
    from meshapi_core.errors import ParamsWarning as ParamsWarning
    from meshapi_core.errors import PaymentRequiredError as PaymentRequiredError
    from meshapi_core.errors import PermissionDeniedError as PermissionDeniedError
    from meshapi_core.errors import ProtocolError as ProtocolError
    from meshapi_core.errors import RateLimitError as RateLimitError
    from meshapi_core.errors import RealtimeConnectionClosed as RealtimeConnectionClosed
    from meshapi_core.errors import RealtimeError as RealtimeError
    from meshapi_core.errors import RedirectError as RedirectError
    from meshapi_core.errors import ResponseDecodeError as ResponseDecodeError
    from meshapi_core.errors import ResponseWarning as ResponseWarning
    from meshapi_core.errors import StreamInterruptedError as StreamInterruptedError
    from meshapi_core.errors import StreamUsageError as StreamUsageError
    from meshapi_core.errors import UnprocessableEntityError as UnprocessableEntityError
    from meshapi_core.extras import Extras as Extras
    from meshapi_core.extras import hidden_values as hidden_values
    from meshapi_core.failures import Advice as Advice
    from meshapi_core.failures import failure_of as failure_of
    from meshapi_core.failures import hint_at_tls as hint_at_tls
    from meshapi_core.failures import timed_out as timed_out
    from meshapi_core.headers import Headers as Headers
    from meshapi_core.headers import find_request_id as find_request_id
    from meshapi_core.http11.connection import HTTP11Connection as HTTP11Connection
    from meshapi_core.http11.connection import ResponseHead as ResponseHead
    from meshapi_core.machines.actions import Abort as Abort
    from meshapi_core.machines.actions import Connect as Connect
    from meshapi_core.machines.actions import Finished as Finished
    from meshapi_core.machines.actions import GetToken as GetToken
    from meshapi_core.machines.actions import Item as Item
    from meshapi_core.machines.actions import Notify as Notify
    from meshapi_core.machines.actions import OpenFiles as OpenFiles
    from meshapi_core.machines.actions import Read as Read
    from meshapi_core.machines.actions import ReadBody as ReadBody
    from meshapi_core.machines.actions import Release as Release
    from meshapi_core.machines.actions import SendRequest as SendRequest
    from meshapi_core.machines.actions import Sleep as Sleep
    from meshapi_core.machines.actions import Write as Write
    from meshapi_core.machines.client_call import ClientAction as ClientAction
    from meshapi_core.machines.client_call import ClientCall as ClientCall
    from meshapi_core.machines.exchange import Done as Done
    from meshapi_core.machines.exchange import Exchange as Exchange
    from meshapi_core.machines.exchange import ExchangeUsageError as ExchangeUsageError
    from meshapi_core.machines.exchange import Send as Send
    from meshapi_core.machines.exchange import Wait as Wait
    from meshapi_core.machines.pace import BodyPace as BodyPace
    from meshapi_core.machines.pace import HeadPace as HeadPace
    from meshapi_core.machines.pipe_call import PipeAction as PipeAction
    from meshapi_core.machines.pipe_call import PipeCall as PipeCall
    from meshapi_core.machines.request_call import RequestCall as RequestCall
    from meshapi_core.messages import Failure as Failure
    from meshapi_core.messages import Origin as Origin
    from meshapi_core.messages import Request as Request
    from meshapi_core.messages import Response as Response
    from meshapi_core.messages import Stage as Stage
    from meshapi_core.messages import client_closed as client_closed
    from meshapi_core.messages import interrupted as interrupted
    from meshapi_core.messages import not_connected as not_connected
    from meshapi_core.messages import stream_closed as stream_closed
    from meshapi_core.params.wrong_names import no_such_parameter as no_such_parameter
    from meshapi_core.pool import Decision as Decision
    from meshapi_core.pool import PoolState as PoolState
    from meshapi_core.proxies.proxy import Proxy as Proxy
    from meshapi_core.proxies.routes import Proxies as Proxies
    from meshapi_core.proxies.routes import Route as Route
    from meshapi_core.raw_response import RawResponse as RawResponse
    from meshapi_core.raw_response import raw_call as raw_call
    from meshapi_core.realtime import MessageWait as MessageWait
    from meshapi_core.realtime import RealtimeAuth as RealtimeAuth
    from meshapi_core.realtime import RealtimeCall as RealtimeCall
    from meshapi_core.realtime import RealtimeConnected as RealtimeConnected
    from meshapi_core.realtime import RealtimeConnection as RealtimeConnection
    from meshapi_core.realtime import RealtimeExchange as RealtimeExchange
    from meshapi_core.realtime import RealtimeMessage as RealtimeMessage
    from meshapi_core.realtime import RealtimeOptions as RealtimeOptions
    from meshapi_core.realtime import Reconnect as Reconnect
    from meshapi_core.realtime import Reconnected as Reconnected
    from meshapi_core.request_changes import GatheredBody as GatheredBody
    from meshapi_core.request_changes import PassedAttempt as PassedAttempt
    from meshapi_core.response_meta import ResponseMeta as ResponseMeta
    from meshapi_core.retries import Outcome as Outcome
    from meshapi_core.retries import RetryPolicy as RetryPolicy
    from meshapi_core.retry_quota import RetryQuota as RetryQuota
    from meshapi_core.service import DEFAULT_BASE_URL as DEFAULT_BASE_URL
    from meshapi_core.service import Service as Service
    from meshapi_core.signals import END_OF_BODY as END_OF_BODY
    from meshapi_core.signals import END_OF_STREAM as END_OF_STREAM
    from meshapi_core.signals import NEED_DATA as NEED_DATA
    from meshapi_core.signals import EndOfBody as EndOfBody
    from meshapi_core.signals import EndOfStream as EndOfStream
    from meshapi_core.signals import NeedData as NeedData
    from meshapi_core.sockets import SocketOptions as SocketOptions
    from meshapi_core.sockets import dial_failure as dial_failure
    from meshapi_core.sse import ServerSentEvent as ServerSentEvent
    from meshapi_core.sse import SSEDecoder as SSEDecoder
    from meshapi_core.tls_settings import TLSSettings as TLSSettings
    from meshapi_core.tokens import TokenSource as TokenSource
    from meshapi_core.websocket.closing import Closed as Closed
    from meshapi_core.websocket.connection import WebSocketConnection as WebSocketConnection
else:
    from meshapi_core._face import EXPORTED as __all__
    from meshapi_core._face import __dir__, __getattr__
