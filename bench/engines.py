"""Calls from Ray Data, Dask and Daft, beside those of one process. `python bench/engines.py`

    python bench/engines.py --rows=20000 --batch 1000 --at-once 500 --repeat 3 map ray dask daft

Each engine has two workers on this machine, and each of them makes half of the calls at once that
`client.map` makes in one process. The rows are in memory, and so are the results. Every engine, and
`map`, runs in processes of its own, which are started anew for each repetition, in turn.

- `start`: seconds from the start of the program until two batches have come back, and `run` those
  of two more batches: Ray and Daft start processes for each run.
- `calls/s`: by the clock, of the rows that a longer run has more than a short one.
- `CPU`: of these rows in µs each, of the program and of all processes of the engine.
- `without calls`: CPU of the same with a function that only adds a column.

"At once" is a server that responds as soon as it can; it takes part of the same processors.
"""

import argparse
import json
import os
import platform
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import environments
from servers import server

HERE = Path(__file__).resolve().parent
WORKERS = 2
PATIENCE = 600.0

QUIET = {
    "DAFT_ANALYTICS_ENABLED": "0",
    "DO_NOT_TRACK": "1",
    "RAY_DATA_DISABLE_PROGRESS_BARS": "1",
    "RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0",
    "RAY_USAGE_STATS_ENABLED": "0",
}
CASES = {"at once": "", "200 ms": "/later/200"}


# In the processes of the engines


class Nothing:
    """What `Calls` is to an engine, without the calls."""

    def __call__(self, batch):
        if isinstance(batch, dict):
            return {**batch, "result": batch["text"]}
        return [{**row, "result": row["text"]} for row in batch]


class Bench:
    """The rows, and what is done with them."""

    def __init__(self, arguments):
        from meshapi_core.endpoints import Completions

        self.batch = arguments.batch
        self.at_once = arguments.at_once
        self.port = arguments.port
        message = {"role": "user", "content": "Summarise in a sentence: {text}"}
        self.template = Completions.create.build(model="auto", messages=[message])

    def client(self, case):
        from meshapi import Limits, MeshAPI

        limits = Limits(max_connections=self.at_once)
        url = f"http://127.0.0.1:{self.port}{CASES[case]}"
        return MeshAPI(base_url=url, limits=limits)

    def options(self, case):
        """The arguments of `Calls` after the template."""
        options = {"workers": WORKERS, "concurrency": self.at_once // WORKERS, "rate_limit": None}
        return {"client": self.client(case).settings(), **options}

    def rows(self, count):
        return [{"id": str(number), "text": f"text {number}"} for number in range(count)]


def with_map(bench):
    import asyncio

    from meshapi import AsyncMeshAPI

    async def run(count, case):
        async with AsyncMeshAPI.from_settings(bench.client(case).settings()) as client:
            options = {"concurrency": bench.at_once, "rate_limit": None}
            items = client.map(bench.rows(count), template=bench.template, **options)
            return sum([item.error is None async for item in items])

    def work(count, case):
        return len(bench.rows(count)) if case is None else asyncio.run(run(count, case))

    yield work


def with_ray(bench):
    import ray

    from meshapi.engines import Calls

    ray.init(num_cpus=2)

    def work(count, case):
        rows = ray.data.from_items(bench.rows(count), override_num_blocks=count // bench.batch)
        pool = ray.data.ActorPoolStrategy(size=WORKERS)
        options = {"compute": pool, "batch_size": bench.batch, "num_cpus": 0.1}
        if case is None:
            return rows.map_batches(Nothing, **options).materialize().count()
        options["fn_constructor_args"] = [bench.template]
        options["fn_constructor_kwargs"] = bench.options(case)
        return rows.map_batches(Calls, **options).materialize().count()

    yield work
    ray.shutdown()


def with_dask(bench):
    import dask.bag
    from dask.distributed import Client, LocalCluster

    from meshapi.engines import Calls

    cluster = LocalCluster(n_workers=WORKERS, threads_per_worker=1, dashboard_address=None)
    with cluster, Client(cluster):

        def work(count, case):
            calls = Nothing() if case is None else Calls(bench.template, **bench.options(case))
            bag = dask.bag.from_sequence(bench.rows(count), partition_size=bench.batch)
            return bag.map_partitions(calls).count().compute()

        yield work


def with_daft(bench):
    import daft

    from meshapi.engines import Calls

    @daft.func.batch(return_dtype=daft.DataType.string(), batch_size=bench.batch)
    def nothing(text):
        return text

    def work(count, case):
        rows = bench.rows(count)
        frame = daft.from_pydict({name: [row[name] for row in rows] for name in ("id", "text")})
        if case is None:
            result = nothing(frame["text"])
        else:
            calls = Calls(bench.template, **bench.options(case))
            result = calls.column(frame["id"], frame["text"], batch_size=bench.batch)
        return frame.with_column("result", result).collect().count_rows()

    yield work


ENGINES = {"map": with_map, "ray": with_ray, "dask": with_dask, "daft": with_daft}


def cpu_of_session():
    """Seconds of CPU of all processes that this one has started, and of those that have ended."""
    import psutil

    total = 0.0
    for number in psutil.pids():
        try:
            if os.getsid(number) == os.getsid(0):
                times = psutil.Process(number).cpu_times()
                total += times.user + times.system + times.children_user + times.children_system
        except (OSError, psutil.Error):
            continue
    return total


def timed(work, count, case):
    """Return the seconds of a run by the clock, and those of CPU."""
    cpu, before = cpu_of_session(), time.perf_counter()
    assert work(count, case) == count
    return time.perf_counter() - before, cpu_of_session() - cpu


def measure(arguments):
    """Measure one engine, in this process and those that it starts; print the figures as JSON."""
    bench = Bench(arguments)
    steps = ENGINES[arguments.engine](bench)
    work = next(steps)
    few = WORKERS * bench.batch
    found = {}
    for case in (*CASES, None):
        small = timed(work, few, case)
        if not found:
            found["start"] = time.time() - arguments.began
            # Whatever is made once has been made.
            small = timed(work, few, case)
        large = timed(work, few + arguments.rows, case)
        seconds, cpu = large[0] - small[0], large[1] - small[1]
        found[case or "without calls"] = {
            "run": small[0],
            "rate": arguments.rows / seconds,
            "cpu": cpu / arguments.rows * 1e6,
        }
    next(steps, None)
    print(f"\nFOUND {json.dumps(found)}", flush=True)


# In the process that compares them


def run_once(engine, arguments, port):
    with tempfile.TemporaryDirectory(prefix="engines-", dir="/tmp") as folder:
        command = [environments.python("engines"), __file__, "--engine", engine]
        for name in ("rows", "batch", "at_once"):
            command += [f"--{name.replace('_', '-')}", str(getattr(arguments, name))]
        command += ["--port", str(port), "--began", str(time.time())]
        places = {"HOME": folder, "RAY_TMPDIR": folder, "MESHAPI_TOKEN": "rsk_test_bench"}
        process = subprocess.Popen(
            command,
            cwd=folder,
            env={**os.environ, **QUIET, **places, "PYTHONPATH": str(HERE)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )
        output = ""
        try:
            output, _ = process.communicate(timeout=PATIENCE)
        finally:
            end_session(process.pid)
        lines = [line for line in output.splitlines() if line.startswith("FOUND ")]
        if not lines:
            sys.exit(f"{engine} has failed:\n{output}")
        return json.loads(lines[-1][len("FOUND ") :])


def end_session(number):
    """End what an engine has left, by the session that all its processes are in."""
    for entry in Path("/proc").iterdir():
        try:
            if entry.name.isdigit() and os.getsid(int(entry.name)) == number:
                os.kill(int(entry.name), signal.SIGKILL)
        except OSError:
            continue


def report(found):
    titles = ["", "start, s", "run, s"]
    titles += [f"{case}: {what}" for case in CASES for what in ("calls/s", "CPU")]
    titles += ["without calls: CPU"]
    print(f"\n| {' | '.join(titles)} |\n|---{'|---:' * (len(titles) - 1)}|")
    for engine, runs in found.items():
        cells = [[run["start"] for run in runs], [run["at once"]["run"] for run in runs]]
        cells += [[run[case][what] for run in runs] for case in CASES for what in ("rate", "cpu")]
        cells += [[run["without calls"]["cpu"] for run in runs]]
        print(f"| {engine} | {' | '.join(map(spread, cells))} |")


def spread(values):
    """The median, and the smallest and the largest value."""
    digits = 1 if max(values) < 100 else 0
    shown = statistics.median(values), min(values), max(values)
    return "{:,.{d}f} ({:,.{d}f} to {:,.{d}f})".format(*shown, d=digits)


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("engines", nargs="*", default=[*ENGINES])
    parser.add_argument("--rows", type=int, default=20_000)
    parser.add_argument("--batch", type=int, default=1_000)
    parser.add_argument("--at-once", type=int, default=500)
    parser.add_argument("--repeat", type=int, default=3)
    for name, kind in (("engine", str), ("port", int), ("began", float)):
        parser.add_argument(f"--{name}", type=kind, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.engine:
        measure(arguments)
        return
    python = environments.python("engines")
    found = {engine: [] for engine in arguments.engines}
    for _ in range(arguments.repeat):
        for engine in arguments.engines:
            load = os.getloadavg()[0]
            with server("server.py", python=python) as port:
                found[engine].append(run_once(engine, arguments, port))
            print(f"{engine}: load {load:.1f}, {json.dumps(found[engine][-1])}", flush=True)
    print(f"\nPython {platform.python_version()}, {os.cpu_count()} cores, {WORKERS} workers,")
    print(f"{arguments.rows} rows, batches of {arguments.batch}, {arguments.at_once} at once")
    report(found)


if __name__ == "__main__":
    main()
