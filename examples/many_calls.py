"""Make a call for each row of a file: within a budget, and from where it was if it is stopped.

    python many_calls.py ROWS.jsonl RESULTS.jsonl

A row is {"id": ..., "country": ...}. Results are recorded in a journal beside the result file. Stop
the program at any time, and start it again: what is recorded is not sent, or paid for, again.
"""

import json
import sys
from pathlib import Path

from meshapi import Budget, MeshAPI
from meshapi_core.endpoints import Completions

ASK = Completions.create.build(
    model="openai/gpt-4o-mini",
    messages=[{"role": "user", "content": "What is the capital of {country}?"}],
    max_tokens=50,
)


def main(source: str, target: str) -> None:
    rows = [json.loads(line) for line in Path(source).read_text("utf-8").splitlines()]
    with MeshAPI() as client:
        print(client.estimate(rows, template=ASK))
        run = client.map(
            rows, template=ASK, journal=f"{target}.journal", budget=Budget(cost_usd="1.00")
        )
        saved = run.to_jsonl(target)
    summary = run.summary()
    print(f"{saved.rows} results, {summary.failed} failed, {summary.recorded} were recorded")
    if run.stopped == "budget":
        print("The budget is used up: raise it, and start the program again.")


if __name__ == "__main__":
    main(*sys.argv[1:])
