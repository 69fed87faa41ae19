"""`create()`: one at a time, by many tasks, by many threads; and answers with much in them."""

import threading


def blocking(run):
    create = run.caller("Blocking").create

    def work(times):
        for _ in range(times):
            create()

    run.repeat(work)


def threads(run):
    """Threads that share a client, each with its part of the calls."""
    create = run.caller("Blocking").create

    def work(times):
        def part():
            for _ in range(times // run.at_once):
                create()

        started = [threading.Thread(target=part) for _ in range(run.at_once)]
        for thread in started:
            thread.start()
        for thread in started:
            thread.join()

    run.repeat(work, least=run.at_once)


async def at_once(run):
    """Tasks that share a client and the calls; their start is part of the cost."""
    create = run.caller("Async").create

    async def work(times):
        left = iter(range(times))

        async def worker():
            for _ in left:
                await create()

        await run.together([worker] * run.at_once)

    await run.arepeat(work, least=run.at_once)


def embeddings(run):
    """256 vectors of 1,536 floats, as the response to one call."""
    caller = run.caller("Blocking")
    encoding = run.options["encoding"]

    def work(times):
        for _ in range(times):
            assert len(caller.embed(encoding).data) == 256

    run.repeat(work)
