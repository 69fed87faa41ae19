"""Speak with a realtime model on trio: one task speaks, and another listens.

    python realtime_trio.py question.wav        # needs trio

Sessions use PCM16 with one channel at 24 kHz. The program prints the transcript while it arrives,
and stops when the model has responded. A user who speaks interrupts the model: the turn is then
"cancelled", and a program with a loudspeaker would stop playing here.
"""

import sys
import wave

import trio

from meshapi import AsyncMeshAPI, AsyncRealtimeSession, AsyncRealtimeTurns

MODEL = "openai/gpt-realtime-mini"


async def get_weather(city: str) -> str:
    """Return the weather in a city."""
    await trio.sleep(0.1)  # stands for a request to a weather service
    return f"18 degrees and sunny in {city}"


def show(text: str) -> None:
    print(text, end="", flush=True)


async def listen(turns: AsyncRealtimeTurns) -> None:
    async for turn in turns:
        if turn.status == "completed" and not turn.tool_calls:
            print(f" ({len(turn.audio) / 2 / turn.audio_rate:.1f} seconds)")
            break


async def speak(session: AsyncRealtimeSession, question: bytes) -> None:
    for start in range(0, len(question), 4800):
        await session.send_audio(question[start : start + 4800])
    await session.commit_audio()
    await session.send({"type": "response.create"})


async def main(path: str) -> None:
    with wave.open(path, "rb") as file:
        question = file.readframes(file.getnframes())
    async with (
        AsyncMeshAPI() as client,
        client.realtime.connect(model=MODEL) as session,
    ):
        # The turn ends at the end of the file, not when the gateway hears a pause.
        await session.update({"audio": {"input": {"turn_detection": None}}})
        # The tools come before the question.
        turns = session.turns(tools=[get_weather], on_text=show)
        async with trio.open_nursery() as nursery:
            nursery.start_soon(listen, turns)
            await speak(session, question)


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    trio.run(main, sys.argv[1])
