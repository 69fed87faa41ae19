"""A program that asks Acme in all three flavours; see `acme.py`.

python ask.py blocking       # or asyncio, or trio; with ACME_BASE_URL and ACME_TOKEN
"""

import os
import sys

from acme import Acme, AsyncAcme, RerankFields

from meshapi_core.types import ChatCompletionFields

URL, TOKEN = os.environ.get("ACME_BASE_URL"), os.environ["ACME_TOKEN"]
QUESTION: ChatCompletionFields = {
    "model": "acme-1",
    "messages": [{"role": "user", "content": "What is 2+2?"}],
}
QUERY: RerankFields = {"model": "acme-1", "query": "fox", "documents": ["a dog", "a fox"]}


def ask() -> None:
    with Acme(TOKEN, URL) as client:
        response = client.chat.completions.create(**QUESTION)
        print("chat:", response.choices[0].message.content)
        with client.chat.completions.stream(**QUESTION) as stream:
            print("stream:", *(c.choices[0].delta.content for c in stream if c.choices))
        for found in client.rerank.create(**QUERY).results:
            print("rerank:", found.index, found.relevance_score)


async def ask_async() -> None:
    async with AsyncAcme(TOKEN, URL) as client:
        response = await client.chat.completions.create(**QUESTION)
        print("chat:", response.choices[0].message.content)
        async with client.chat.completions.stream(**QUESTION) as stream:
            print("stream:", *[c.choices[0].delta.content async for c in stream if c.choices])
        for found in (await client.rerank.create(**QUERY)).results:
            print("rerank:", found.index, found.relevance_score)


if sys.argv[1] == "blocking":
    ask()
elif sys.argv[1] == "asyncio":
    import asyncio

    asyncio.run(ask_async())
else:
    import trio

    trio.run(ask_async)
