"""Turn text into speech, saved in a file while it arrives.

    python speech.py "Good morning!" morning.wav

The extension of the file chooses the format: mp3, wav, opus, flac, or another one that the model
supports.
"""

import sys
from pathlib import Path

from meshapi import MeshAPI


def main(text: str, path: Path) -> None:
    with MeshAPI() as client:
        saved = client.audio.synthesize_to(
            path, model="openai/tts-1", input=text, response_format=path.suffix[1:]
        )
    print(f"{saved.path}: {saved.size} bytes")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(sys.argv[1], Path(sys.argv[2]))
