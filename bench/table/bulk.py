"""Many calls as one run, beside what programs write themselves and other libraries."""

from bench.rows import Contender, Goal, Row, contender

RUN = {"wall": "µs a call", "cpu": "µs of CPU a call", "rss": "MiB of RSS more at most"}

TASKS = "meshapi, create() in tasks"
SEMAPHORE = "meshapi, create() and a semaphore"
EXECUTOR = "meshapi, create() and ThreadPoolExecutor"


def recipe(label, how, loop=None):
    return Contender(label, "ours", {"how": how, **({"loop": loop} if loop else {})})


def rate(label):
    """At least 0.9 of the calls a second of another."""
    return Goal(1 / 0.9, label, "wall")


BULK = [
    Row(
        "bulk",
        "100,000 calls on asyncio, 500 at once",
        "bulk.on_a_loop",
        (contender("ours"), recipe(TASKS, "tasks"), recipe(SEMAPHORE, "semaphore")),
        RUN,
        {"at_once": 500, "calls": 100_000},
        (rate(TASKS), Goal(30, figure="rss")),
        fresh=True,
        note="`map()`, and plain calls. The tasks of the first recipe share the calls; in the"
        " second, each call has a task, and its response is kept.",
    ),
    Row(
        "bulk-later",
        "The same, with responses 50 ms later",
        "bulk.on_a_loop",
        (contender("ours"), recipe(TASKS, "tasks"), recipe(SEMAPHORE, "semaphore")),
        RUN,
        {"at_once": 500, "calls": 20_000, "prefix": "/later/50"},
        (rate(TASKS),),
        fresh=True,
        note="20,000 calls. 500 at once cannot be more than 10,000 a second.",
    ),
    Row(
        "bulk-peers",
        "Other libraries on asyncio, 500 at once",
        "bulk.on_a_loop",
        (
            contender("ours"),
            Contender("async-batch-llm on openai", "asyncbatch"),
            Contender("async-batch-llm on meshapi", "asyncbatch", {"over": "ours"}),
        ),
        RUN,
        {"at_once": 500, "calls": 5000},
        fresh=True,
        note="5,000 calls, where the start of a run counts more.",
    ),
    Row(
        "bulk-threads",
        "Blocking, 500 at once, in threads",
        "bulk.in_threads",
        (
            contender("ours"),
            recipe(EXECUTOR, "executor"),
            Contender("litellm, batch_completion", "litellm"),
        ),
        RUN,
        {"at_once": 500, "calls": 5000},
        (rate(EXECUTOR),),
        fresh=True,
        note="5,000 calls.",
    ),
    Row(
        "bulk-trio",
        "On trio, 500 at once",
        "bulk.on_a_loop",
        (contender("ours on trio"), recipe(f"{TASKS}, on trio", "tasks", "trio")),
        RUN,
        {"at_once": 500, "calls": 20_000},
        (rate(f"{TASKS}, on trio")._replace(of="meshapi on trio"),),
        fresh=True,
        note="20,000 calls.",
    ),
]
