"""Ask many questions in a batch: at a lower price, with the results within a day.

    python batch.py [SECONDS]      # the time between two looks at the batch; 30 by default

The program need not wait: with the ID of the batch, another one can get the results tomorrow. The
requests can also be in a file: `files.upload` returns its ID for
`batches.create(input_file_id=...)`.
"""

import sys
import time

from meshapi import BatchObject, ChatCompletionResponse, MeshAPI

MODEL = "openai/gpt-4o-mini"
QUESTIONS = {
    "sum": "What is 2+2?",
    "capital": "What is the capital of France?",
    "haiku": "Write a haiku.",
}


def wait(client: MeshAPI, batch_id: str, seconds: float) -> BatchObject:
    """Return the batch once it is over, whether it succeeded or failed."""
    while not (batch := client.batches.get(batch_id)).ended:
        print(f"{batch.id}: {batch.status}")
        time.sleep(seconds)
    return batch


def main(seconds: float = 30) -> None:
    with MeshAPI() as client:
        batch = client.batches.create(
            requests=[
                {
                    "custom_id": name,
                    "body": {"model": MODEL, "messages": [{"role": "user", "content": question}]},
                }
                for name, question in QUESTIONS.items()
            ]
        )
        batch = wait(client, batch.id, seconds)
    if batch.failed:
        sys.exit(f"{batch.id} ended as {batch.status}")
    for result in batch.results or []:
        response = ChatCompletionResponse.model_validate(result["response"]["body"])
        print(f"{result['custom_id']}: {response.choices[0].message.text}")
    for result in batch.errors_detail or []:
        print(f"{result['custom_id']} failed: {result['error']}")


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
