"""One turn of a spoken conversation: a question from a WAV file, the spoken answer into another.

    python realtime_voice.py question.wav answer.wav

Sessions speak PCM16 with one channel at 24 kHz, so the question must be a WAV file of that kind.
The transcript is printed while the response arrives.
"""

import sys
import wave

from meshapi import MeshAPI

MODEL = "openai/gpt-realtime-mini"
RATE = 24_000


def read(path: str) -> bytes:
    with wave.open(path, "rb") as file:
        kind = file.getnchannels(), file.getsampwidth(), file.getframerate()
        if kind != (1, 2, RATE):
            sys.exit(f"{path}: expected one channel, 16 bits and {RATE} Hz")
        return file.readframes(file.getnframes())


def write(path: str, samples: bytes) -> None:
    with wave.open(path, "wb") as file:
        file.setnchannels(1)
        file.setsampwidth(2)
        file.setframerate(RATE)
        file.writeframes(samples)


def main(source: str, target: str) -> None:
    question, response = read(source), bytearray()
    with MeshAPI() as client, client.realtime.connect(model=MODEL) as session:
        # The turn ends where the file does, and not where the gateway hears a pause.
        session.update({"audio": {"input": {"turn_detection": None}}})
        for start in range(0, len(question), RATE):
            session.send_audio(question[start : start + RATE])
        session.commit_audio()
        session.send({"type": "response.create"})
        for message in session:
            response += message.audio or b""
            if message.type == "response.output_audio_transcript.delta":
                print(message.event["delta"], end="", flush=True)
            elif message.type == "response.done":
                break
    print()
    write(target, bytes(response))
    print(f"{target}: {len(response) / 2 / RATE:.1f} seconds")


if __name__ == "__main__":
    main(*sys.argv[1:3])
