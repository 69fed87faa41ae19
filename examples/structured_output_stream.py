"""Structured output on asyncio: the text as it arrives, and the value at its end.

    python structured_output_stream.py "This week, Anna wrote 3 letters."

The class of the value makes the schema that the model is held to.
"""

import asyncio
import sys
from dataclasses import dataclass

from meshapi import AsyncMeshAPI, StructuredOutputError


@dataclass
class Writer:
    name: str
    letters: int


async def main(text: str) -> None:
    async with AsyncMeshAPI() as client:
        async with client.chat.completions.stream(
            model="openai/gpt-4o-mini",
            messages=[{"role": "user", "content": text}],
            response_format=list[Writer],
        ) as stream:
            async for piece in stream.text_stream:
                print(piece, end="", flush=True)
            print()
        try:
            writers = stream.parsed
        except StructuredOutputError as error:
            sys.exit(str(error))
    for writer in writers:
        print(f"{writer.name}: {writer.letters}")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    asyncio.run(main(sys.argv[1]))
