"""What type checkers must say about conversations, on both clients. Checked, never run."""

from typing import Any

from typing_extensions import assert_type

from meshapi import (
    AsyncConversation,
    AsyncConversationStream,
    AsyncMeshAPI,
    ChatCompletionResponse,
    ContentDelta,
    Conversation,
    ConversationStream,
    MeshAPI,
    ModelResponded,
    ParsedChatCompletion,
    ToolCallEnded,
)


class City:
    name: str


def get_weather(city: str) -> str:
    return city


async def get_time(city: str) -> str:
    return city


def last(turns: "list[list[dict[str, Any]]]") -> "list[list[dict[str, Any]]]":
    return turns[-1:]


def blocking(client: MeshAPI) -> None:
    chat = client.chat.conversation(model="auto", system="a", tools=[get_weather], trim=last)
    assert_type(chat, Conversation)
    assert_type(chat.fork(), Conversation)
    assert_type(chat.send("Hi"), ChatCompletionResponse)
    assert_type(chat.send([{"type": "text", "text": "Hi"}]).text, str)
    assert_type(chat.parse("Hi", City), ParsedChatCompletion[City])
    assert_type(chat.parse("Hi", list[int], validation_retries=1).parsed, list[int])
    assert_type(chat.resume({"call_1": 1}), ChatCompletionResponse)
    assert_type(chat.messages, list[dict[str, Any]])
    chat.append({"role": "user", "content": "Hi"})
    stream = chat.stream("Hi")
    assert_type(stream, ConversationStream)
    with stream as same:
        assert_type(same, ConversationStream)
        for step in stream:
            if isinstance(step, ModelResponded):
                assert_type(step.response, ChatCompletionResponse)
            elif isinstance(step, (ContentDelta, ToolCallEnded)):
                pass
    for text in stream.text_stream:
        assert_type(text, str)
    assert_type(stream.get_final_completion(), ChatCompletionResponse)
    assert_type(stream.get_final_text(), str)
    client.chat.conversation(n="2")  # type: ignore[arg-type]
    client.chat.conversation(trim="all")  # type: ignore[arg-type]
    chat.send(1)  # type: ignore[arg-type]


async def on_a_loop(client: AsyncMeshAPI) -> None:
    chat = client.chat.conversation(model="auto", tools=[get_weather, get_time], trim=5)
    assert_type(chat, AsyncConversation)
    assert_type(chat.fork(), AsyncConversation)
    assert_type(await chat.send("Hi"), ChatCompletionResponse)
    assert_type(await chat.parse("Hi", City), ParsedChatCompletion[City])
    assert_type(await chat.resume(), ChatCompletionResponse)
    stream = chat.stream("Hi")
    assert_type(stream, AsyncConversationStream)
    async with stream:
        async for step in stream:
            if isinstance(step, ModelResponded):
                assert_type(step.response, ChatCompletionResponse)
    async for text in stream.text_stream:
        assert_type(text, str)
    assert_type(await stream.get_final_text(), str)
