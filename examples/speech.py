"""Turn text into speech, written to a file while it arrives.

    python speech.py "Good morning!" morning.wav

The extension of the file chooses the format: mp3, wav, opus, flac, or another one that the model
supports.
"""

import sys
from pathlib import Path

from meshapi import MeshAPI


def main(text: str, path: Path) -> None:
    with (
        MeshAPI() as client,
        client.audio.stream(
            model="openai/tts-1", input=text, response_format=path.suffix[1:]
        ) as stream,
        path.open("wb") as file,
    ):
        for piece in stream:
            file.write(piece)
    print(f"{path}: {path.stat().st_size} bytes")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(sys.argv[1], Path(sys.argv[2]))
