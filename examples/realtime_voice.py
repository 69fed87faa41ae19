"""Hold one turn of a spoken conversation: a question from one WAV file, the answer into another.

    python realtime_voice.py question.wav answer.wav

Sessions use PCM16 with one channel at 24 kHz, so the question must be a WAV file in that format.
The program prints the transcript while the audio arrives.
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


def show(text: str) -> None:
    print(text, end="", flush=True)


def main(source: str, target: str) -> None:
    question = read(source)
    with MeshAPI() as client, client.realtime.connect(model=MODEL) as session:
        # The turn ends at the end of the file, not when the gateway hears a pause.
        session.update({"audio": {"input": {"turn_detection": None}}})
        for start in range(0, len(question), RATE):
            session.send_audio(question[start : start + RATE])
        session.commit_audio()
        session.send({"type": "response.create"})
        turn = session.turns(on_text=show).receive()
    print()
    if turn.error is not None:
        sys.exit(str(turn.error))
    write(target, turn.audio)
    print(f"{target}: {len(turn.audio) / 2 / RATE:.1f} seconds")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(*sys.argv[1:3])
