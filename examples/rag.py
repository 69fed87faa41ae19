"""Answer a question from a document: upload it, embed it, search it, and ask a model.

    python rag.py notes.txt "Which animal jumps?"

The model sees only the passages that the search has found.
"""

import sys
from pathlib import Path

from meshapi import JobFailedError, MeshAPI

MODEL = "openai/gpt-4o-mini"


def add(client: MeshAPI, path: Path) -> str:
    """Upload a document, and return its ID once it can be searched."""
    try:
        return client.rag.upload_and_embed(path).file_id
    except JobFailedError as exc:
        sys.exit(f"{path} cannot be searched: {exc.error_code}")


def main(path: Path, question: str) -> None:
    with MeshAPI() as client:
        file_id = add(client, path)
        found = client.rag.search(query=question, file_ids=[file_id], top_k=3).results
        for result in found:
            print(f"{result.score:.2f} {result.file_name}: {result.text}")

        passages = "\n\n".join(result.text for result in found)
        response = client.chat.completions.create(
            model=MODEL,
            messages=[
                {"role": "system", "content": f"Use nothing but these passages:\n\n{passages}"},
                {"role": "user", "content": question},
            ],
        )
        print(response.text)


if __name__ == "__main__":
    if len(sys.argv) < 3:
        sys.exit(__doc__)
    main(Path(sys.argv[1]), sys.argv[2])
