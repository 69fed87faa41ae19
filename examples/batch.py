"""Ask many questions in a batch: at a lower price, with the results within a day.

    python batch.py [SECONDS]      # the time between two looks at the batch

The program need not wait: the submission can be stored as JSON, and another program can get the
results tomorrow.
"""

import sys
from typing import Optional

from meshapi import MeshAPI, Progress
from meshapi_core.endpoints import Completions

MODEL = "openai/gpt-4o-mini"
QUESTIONS = {
    "sum": "What is 2+2?",
    "capital": "What is the capital of France?",
    "haiku": "Write a haiku.",
}


def tell(progress: Progress) -> None:
    print(f"{progress.job_id}: {progress.what}")


def main(seconds: Optional[float] = None) -> None:
    calls = [
        Completions.create.build(model=MODEL, messages=[{"role": "user", "content": question}])
        for question in QUESTIONS.values()
    ]
    with MeshAPI() as client:
        submission = client.batches.submit(calls)
        items = client.batches.results(submission, poll_interval=seconds, on_progress=tell)
        for name, item in zip(QUESTIONS, items):
            if item.error:
                print(f"{name} failed: {item.error}")
            else:
                print(f"{name}: {item.result().text}")


if __name__ == "__main__":
    main(*map(float, sys.argv[1:]))
