"""Chat completions: `POST /v1/chat/completions`, whole and streamed.

Source: https://developers.meshapi.ai/docs (chat completions)
"""

from typing import Optional

import msgspec
from typing_extensions import Unpack

from meshapi_core.accumulators import ChatAccumulator
from meshapi_core.calls import Call, StreamCall
from meshapi_core.codec import decode
from meshapi_core.endpoints._descriptor import R_co, Resource, endpoint, stream_endpoint
from meshapi_core.params import encode_params
from meshapi_core.types.chat import (
    ChatCompletionChunk,
    ChatCompletionChunkChoice,
    ChatCompletionChunkDelta,
    ChatCompletionFields,
    ChatCompletionMessage,
    ChatCompletionParams,
    ChatCompletionResponse,
    ToolCallChunk,
    ToolCallFunctionChunk,
)

_PATH = "/v1/chat/completions"
_RESPONSE = msgspec.json.Decoder(ChatCompletionResponse)
_CHUNK = msgspec.json.Decoder(ChatCompletionChunk)


class Completions(Resource[R_co]):
    """Answers to a conversation."""

    @endpoint
    def create(
        self,
        params: Optional[ChatCompletionParams] = None,
        /,
        **fields: Unpack[ChatCompletionFields],
    ) -> Call[ChatCompletionResponse]:
        """Return one completion, whole.

        Args:
            params: the parameters as one object, or
            fields: the same by keyword: `create(model="auto", messages=[{"role": "user", ...}])`.
                Messages and tools may be plain dicts.

        Returns:
            The answer; the text is in `.choices[0].message.content`. `.raw` has everything the
            server sent.

        Raises:
            InvalidParamsError: a parameter is missing, unknown or of the wrong kind; nothing was
                sent. A TypeError and a ValueError.
            APIStatusError: the gateway refused, in the class of its status: RateLimitError,
                AuthenticationError, NotFoundError, ...
            APIConnectionError, APITimeoutError: no answer.
            ResponseDecodeError: an answer that is not the JSON it should be.
        """
        body = encode_params(
            ChatCompletionParams, params, fields, {"stream": False}, hint="use stream()"
        )
        return Call(method="POST", path=_PATH, body=body, decoder=_RESPONSE)

    @stream_endpoint
    def stream(
        self,
        params: Optional[ChatCompletionParams] = None,
        /,
        **fields: Unpack[ChatCompletionFields],
    ) -> StreamCall[ChatCompletionChunk]:
        """Return one completion as a stream of chunks.

        Args:
            params, fields: as for `create`.

        Returns:
            An iterator of chunks that is a context manager, too. Text is in
            `.choices[0].delta.content`; the last chunk may have no choices and the usage. The
            request is sent when it is entered or first iterated.

        Raises:
            InvalidParamsError: at once, as for `create`.
            APIStatusError, APIConnectionError, APITimeoutError: when the stream is entered or
                iterated; also later, for an error that the gateway sends within the stream.
            StreamInterruptedError: the stream broke off; `.partial` has the answer so far.
        """
        body = encode_params(
            ChatCompletionParams, params, fields, {"stream": True}, hint="use create()"
        )
        return StreamCall(
            method="POST",
            path=_PATH,
            body=body,
            decoder=_CHUNK,
            accumulator=ChatAccumulator,
            from_answer=_chunk_from_answer,
            marker=b'"choices"',
        )


class Chat(Resource[R_co]):
    """Chat endpoints."""

    def __init__(self, runner: R_co) -> None:
        super().__init__(runner)
        self.completions: Completions[R_co] = Completions(runner)


def _chunk_from_answer(body: bytes) -> ChatCompletionChunk:
    answer = decode(body, _RESPONSE)
    return ChatCompletionChunk(
        id=answer.id,
        object="chat.completion.chunk",
        created=answer.created,
        model=answer.model,
        choices=[
            ChatCompletionChunkChoice(
                index=choice.index,
                delta=_delta(choice.message),
                finish_reason=choice.finish_reason,
            )
            for choice in answer.choices
        ],
        usage=answer.usage,
    )


def _delta(message: Optional[ChatCompletionMessage]) -> Optional[ChatCompletionChunkDelta]:
    if message is None:
        return None
    content = message.content
    if not (content is None or isinstance(content, str)):
        # Parts have no form in a delta: their texts are put together, the rest is in `.raw`.
        content = "".join(getattr(part, "text", None) or "" for part in content)
    calls = [
        ToolCallChunk(
            index=index,
            id=call.id,
            type="function",
            function=ToolCallFunctionChunk(
                name=call.function.name, arguments=call.function.arguments
            ),
        )
        for index, call in enumerate(message.tool_calls or ())
    ]
    return ChatCompletionChunkDelta(
        role=message.role,
        content=content,
        tool_calls=calls or None,
        reasoning_content=message.reasoning_content,
        refusal=message.refusal,
    )
