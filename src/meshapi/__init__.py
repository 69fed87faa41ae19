"""Client for the MeshAPI gateway: one API for hundreds of models.

    from meshapi import MeshAPI

    with MeshAPI(token="rsk_...") as client:
        response = client.chat.completions.create(
            model="auto", messages=[{"role": "user", "content": "Hello!"}]
        )
        print(response.choices[0].message.text)

`AsyncMeshAPI` is the same with `await`, on asyncio and trio. Everything that goes wrong in a call
raises a `MeshAPIError`; a wrong argument raises a `TypeError` or `ValueError` before anything is
sent.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from meshapi._async_client import AsyncMeshAPI as AsyncMeshAPI
    from meshapi._blocking_client import MeshAPI as MeshAPI
    from meshapi._client_settings import ClientSettings as ClientSettings
    from meshapi._raw_clients import AsyncRawMeshAPI as AsyncRawMeshAPI
    from meshapi._raw_clients import RawMeshAPI as RawMeshAPI
    from meshapi._realtime import AsyncRealtimeResource as AsyncRealtimeResource
    from meshapi._realtime import AsyncRealtimeSession as AsyncRealtimeSession
    from meshapi._realtime import RealtimeResource as RealtimeResource
    from meshapi._realtime import RealtimeSession as RealtimeSession
    from meshapi._resources import AsyncAudioResource as AsyncAudioResource
    from meshapi._resources import AsyncModerationsResource as AsyncModerationsResource
    from meshapi._resources import AsyncRagResource as AsyncRagResource
    from meshapi._resources import AsyncRouterResource as AsyncRouterResource
    from meshapi._resources import AsyncVideosResource as AsyncVideosResource
    from meshapi._resources import AsyncWebResource as AsyncWebResource
    from meshapi._resources import AudioResource as AudioResource
    from meshapi._resources import ModerationsResource as ModerationsResource
    from meshapi._resources import RagResource as RagResource
    from meshapi._resources import RouterResource as RouterResource
    from meshapi._resources import VideosResource as VideosResource
    from meshapi._resources import WebResource as WebResource
    from meshapi._settings import NOT_GIVEN as NOT_GIVEN
    from meshapi._settings import NotGiven as NotGiven
    from meshapi.telemetry.options import OpenTelemetryMetrics as OpenTelemetryMetrics
    from meshapi.telemetry.options import OpenTelemetryOptions as OpenTelemetryOptions
    from meshapi.telemetry.options import OpenTelemetryTraces as OpenTelemetryTraces
    from meshapi_backends import Budget as Budget
    from meshapi_backends import Hooks as Hooks
    from meshapi_backends import UsageTracker as UsageTracker
    from meshapi_core import APIConnectionError as APIConnectionError
    from meshapi_core import APIStatusError as APIStatusError
    from meshapi_core import APITimeoutError as APITimeoutError
    from meshapi_core import AuthenticationError as AuthenticationError
    from meshapi_core import BadRequestError as BadRequestError
    from meshapi_core import Base64Error as Base64Error
    from meshapi_core import CassetteError as CassetteError
    from meshapi_core import ConflictError as ConflictError
    from meshapi_core import ContentFilterError as ContentFilterError
    from meshapi_core import ContentTooLargeError as ContentTooLargeError
    from meshapi_core import Headers as Headers
    from meshapi_core import InternalServerError as InternalServerError
    from meshapi_core import InvalidParamsError as InvalidParamsError
    from meshapi_core import JobFailedError as JobFailedError
    from meshapi_core import JobStatusError as JobStatusError
    from meshapi_core import JobTimeoutError as JobTimeoutError
    from meshapi_core import JournalError as JournalError
    from meshapi_core import Limits as Limits
    from meshapi_core import MeshAPIConfig as MeshAPIConfig
    from meshapi_core import MeshAPIError as MeshAPIError
    from meshapi_core import ModelRefusalError as ModelRefusalError
    from meshapi_core import NetworkBlockedError as NetworkBlockedError
    from meshapi_core import NotFoundError as NotFoundError
    from meshapi_core import OutputTruncatedError as OutputTruncatedError
    from meshapi_core import OutputValidationError as OutputValidationError
    from meshapi_core import ParamsWarning as ParamsWarning
    from meshapi_core import PaymentRequiredError as PaymentRequiredError
    from meshapi_core import PermissionDeniedError as PermissionDeniedError
    from meshapi_core import ProtocolError as ProtocolError
    from meshapi_core import Proxy as Proxy
    from meshapi_core import RateLimitError as RateLimitError
    from meshapi_core import RawResponse as RawResponse
    from meshapi_core import RealtimeAuth as RealtimeAuth
    from meshapi_core import RealtimeConnectionClosed as RealtimeConnectionClosed
    from meshapi_core import RealtimeError as RealtimeError
    from meshapi_core import RealtimeMessage as RealtimeMessage
    from meshapi_core import Reconnect as Reconnect
    from meshapi_core import Reconnected as Reconnected
    from meshapi_core import RedirectError as RedirectError
    from meshapi_core import ResponseDecodeError as ResponseDecodeError
    from meshapi_core import ResponseMeta as ResponseMeta
    from meshapi_core import ResponseWarning as ResponseWarning
    from meshapi_core import RetryPolicy as RetryPolicy
    from meshapi_core import SocketOptions as SocketOptions
    from meshapi_core import StreamInterruptedError as StreamInterruptedError
    from meshapi_core import StreamUsageError as StreamUsageError
    from meshapi_core import StructuredOutputError as StructuredOutputError
    from meshapi_core import Timeout as Timeout
    from meshapi_core import ToolArgumentsError as ToolArgumentsError
    from meshapi_core import ToolCallsPendingError as ToolCallsPendingError
    from meshapi_core import ToolLoopLimitError as ToolLoopLimitError
    from meshapi_core import UnprocessableEntityError as UnprocessableEntityError
    from meshapi_core import UnsupportedSchemaError as UnsupportedSchemaError
    from meshapi_core import __version__ as __version__
    from meshapi_core.bulk import AsyncMapRun as AsyncMapRun
    from meshapi_core.bulk import Estimate as Estimate
    from meshapi_core.bulk import MapItem as MapItem
    from meshapi_core.bulk import MapRun as MapRun
    from meshapi_core.bulk import MapSummary as MapSummary
    from meshapi_core.bulk import PerMinute as PerMinute
    from meshapi_core.bulk import SavedRows as SavedRows
    from meshapi_core.endpoints import AsyncChatCompletionStream as AsyncChatCompletionStream
    from meshapi_core.endpoints import AsyncCompareStream as AsyncCompareStream
    from meshapi_core.endpoints import AsyncConversation as AsyncConversation
    from meshapi_core.endpoints import AsyncConversationStream as AsyncConversationStream
    from meshapi_core.endpoints import AsyncImagesStream as AsyncImagesStream
    from meshapi_core.endpoints import (
        AsyncParsedChatCompletionStream as AsyncParsedChatCompletionStream,
    )
    from meshapi_core.endpoints import AsyncParsedResponsesStream as AsyncParsedResponsesStream
    from meshapi_core.endpoints import AsyncResponsesStream as AsyncResponsesStream
    from meshapi_core.endpoints import AsyncStream as AsyncStream
    from meshapi_core.endpoints import BatchItem as BatchItem
    from meshapi_core.endpoints import BatchSubmission as BatchSubmission
    from meshapi_core.endpoints import ChatCompletionStream as ChatCompletionStream
    from meshapi_core.endpoints import CompareStream as CompareStream
    from meshapi_core.endpoints import Conversation as Conversation
    from meshapi_core.endpoints import ConversationStream as ConversationStream
    from meshapi_core.endpoints import ImagesStream as ImagesStream
    from meshapi_core.endpoints import ParsedChatCompletionStream as ParsedChatCompletionStream
    from meshapi_core.endpoints import ParsedResponsesStream as ParsedResponsesStream
    from meshapi_core.endpoints import ResponsesStream as ResponsesStream
    from meshapi_core.endpoints import Stream as Stream
    from meshapi_core.flows import Progress as Progress
    from meshapi_core.flows import SavedFile as SavedFile
    from meshapi_core.observing import AttemptStarted as AttemptStarted
    from meshapi_core.observing import CallFailed as CallFailed
    from meshapi_core.observing import ItemReceived as ItemReceived
    from meshapi_core.observing import ResponseStarted as ResponseStarted
    from meshapi_core.observing import RetryPlanned as RetryPlanned
    from meshapi_core.streams import ChatEvent as ChatEvent
    from meshapi_core.streams import CompletionDone as CompletionDone
    from meshapi_core.streams import ContentDelta as ContentDelta
    from meshapi_core.streams import ContentDone as ContentDone
    from meshapi_core.streams import ReasoningDelta as ReasoningDelta
    from meshapi_core.streams import ReasoningDone as ReasoningDone
    from meshapi_core.streams import RefusalDelta as RefusalDelta
    from meshapi_core.streams import RefusalDone as RefusalDone
    from meshapi_core.streams import ToolCallDelta as ToolCallDelta
    from meshapi_core.streams import ToolCallDone as ToolCallDone
    from meshapi_core.streams import UsageDone as UsageDone
    from meshapi_core.tools import AnyTool as AnyTool
    from meshapi_core.tools import AsyncToolRun as AsyncToolRun
    from meshapi_core.tools import Deferred as Deferred
    from meshapi_core.tools import FunctionTool as FunctionTool
    from meshapi_core.tools import ModelResponded as ModelResponded
    from meshapi_core.tools import Refuse as Refuse
    from meshapi_core.tools import RequestedCall as RequestedCall
    from meshapi_core.tools import ToolCallBegun as ToolCallBegun
    from meshapi_core.tools import ToolCallDeferred as ToolCallDeferred
    from meshapi_core.tools import ToolCallEnded as ToolCallEnded
    from meshapi_core.tools import ToolRun as ToolRun
    from meshapi_core.tools import ToolRunResult as ToolRunResult
    from meshapi_core.turns import AsyncRealtimeTurns as AsyncRealtimeTurns
    from meshapi_core.turns import RealtimeToolCall as RealtimeToolCall
    from meshapi_core.turns import RealtimeTurn as RealtimeTurn
    from meshapi_core.turns import RealtimeTurns as RealtimeTurns
    from meshapi_core.types import *
    from meshapi_core.usage import BudgetExceededError as BudgetExceededError
    from meshapi_core.usage import TotalUsage as TotalUsage
else:
    from meshapi._face import EXPORTED as __all__
    from meshapi._face import __dir__, __getattr__
