"""Count what calls use and cost, from several threads, and stop at a budget.

    python cost.py [DOLLARS]

The gateway says what each call costs. For models that name no cost, its prices give an estimate.
"""

import sys
from concurrent.futures import ThreadPoolExecutor

from meshapi import Budget, BudgetExceededError, MeshAPI, MeshAPIError, UsageTracker

MODELS = ["openai/gpt-4o-mini", "anthropic/claude-haiku-4.5"]
COUNTRIES = ["France", "Japan", "Kenya", "Brazil"]


def ask(client: MeshAPI, usage: UsageTracker, model: str, country: str) -> str:
    question = f"What is the capital of {country}?"
    with usage:  # a thread of a pool does not know the block that it was started in
        try:
            response = client.chat.completions.create(
                model=model, messages=[{"role": "user", "content": question}]
            )
        except BudgetExceededError as error:
            return f"not asked: {error.limit} is used up"
        except MeshAPIError as error:
            return f"failed: {error}"
    return response.text


def main(dollars: str) -> None:
    with MeshAPI() as client:
        prices = client.models.list()
        budget = Budget(cost_usd=dollars, requests=100, prices=prices)
        with (
            client.track_usage(budget=budget, prices=prices) as usage,
            ThreadPoolExecutor(3) as threads,
        ):
            jobs = [
                threads.submit(ask, client, usage, model, country)
                for country in COUNTRIES
                for model in MODELS
            ]
            for job in jobs:
                print(job.result())
    print(usage.table())
    if usage.unpriced:
        print(f"{usage.unpriced} requests have a cost that is not known")


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "0.50")
