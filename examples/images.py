"""Draw a picture, and save it.

    python images.py "a fox in the snow" fox.png

A file appears when all of it has arrived. A download that breaks off goes on from there.
"""

import sys

from meshapi import MeshAPI


def main(prompt: str, path: str) -> None:
    with MeshAPI() as client:
        response = client.images.generate(model="openai/gpt-image-1", prompt=prompt)
        saved = client.images.save(response.data[0], path)
    print(f"{saved.path}: {saved.size} bytes, {saved.content_type}")


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(sys.argv[1], sys.argv[2])
