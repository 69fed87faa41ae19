"""Retrieval: a document is uploaded and embedded, searched, and the passages go to a model.

python rag.py notes.txt "Who jumps over the dog?"
"""

import sys
from pathlib import Path

from meshapi import MeshAPI, MeshAPIError


def main(path: Path, question: str) -> None:
    with MeshAPI() as client:
        file_id = client.rag.upload_file(path).file_id
        # `wait=True` returns when the document can be searched, or raises JobFailedError.
        client.rag.embed(file_ids=[file_id], wait=True)
        found = client.rag.search(query=question, file_ids=[file_id], top_k=3).results
        for result in found:
            print(f"{result.score:.2f} {result.file_name}: {result.text}")

        passages = "\n\n".join(result.text for result in found)
        response = client.chat.completions.create(
            model="openai/gpt-4o-mini",
            messages=[
                {"role": "system", "content": f"Use nothing but these passages:\n\n{passages}"},
                {"role": "user", "content": question},
            ],
        )
        print(response.choices[0].message.content)


if __name__ == "__main__":
    try:
        main(Path(sys.argv[1]), sys.argv[2])
    except MeshAPIError as error:
        sys.exit(str(error))
