"""Iterate over lists: all rows, or page by page.

    python lists.py claude

The next page is asked for when the one before is used up.
"""

import sys

from meshapi import MeshAPI


def main(words: str) -> None:
    with MeshAPI() as client:
        for model in client.models.search(q=words, limit=2):
            print(model.id)

        page = client.models.search(limit=10)
        print(f"{len(page.items)} of {len(page)} models are on the first page")

        for number, page in enumerate(client.models.search(limit=10).pages(), 1):
            print(f"page {number} begins with {page.items[0].id}")


if __name__ == "__main__":
    if len(sys.argv) < 2:
        sys.exit(__doc__)
    main(sys.argv[1])
