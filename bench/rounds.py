"""The contenders of a row take turns: one sample of each, then the next of each.

A contender is a process that has made itself ready and measures when it is told to. Because all of
a row are ready at the same time, what the machine does besides reaches their samples alike, and a
ratio is taken of two that were measured within a second or so. They are started again, in another
order, for the second half: where a process has its memory, and the like, is a matter of luck.
"""

import json
import os
import subprocess
import threading
import time
from contextlib import ExitStack
from typing import NamedTuple

from bench.environments import HOME, ROOT
from bench.servers import KINDS, server


class Pace(NamedTuple):
    """How much is measured.

    Fields:
        processes: that a contender is started, and `fresh` ones, which give one sample each.
        samples: of each process.
        seconds: of CPU that one sample takes, where a case can be repeated.
        budget: seconds that the samples of one process may take together; one is always taken.
        patience: seconds for imports, a thousand connections and a first round of all calls; and
            for a sample.
        megabytes: of a transfer.
    """

    processes: int
    fresh: int
    samples: int
    seconds: float
    budget: float
    patience: float
    megabytes: int


FULL = Pace(processes=2, fresh=3, samples=4, seconds=0.1, budget=4, patience=180, megabytes=1024)
QUICK = Pace(processes=1, fresh=1, samples=3, seconds=0.04, budget=1, patience=30, megabytes=50)


class Failed(Exception):
    """A contender that gives no samples; its text is fit for a page."""


class Process:
    """A contender at work."""

    def __init__(self, row, contender, python, port, pace, authority):
        task = {
            "case": row.case,
            "peer": contender.peer,
            "options": {**row.options, **contender.options},
            "port": port,
            "seconds": pace.seconds,
            "megabytes": pace.megabytes,
            "authority": authority,
        }
        logs = HOME / "logs"
        logs.mkdir(parents=True, exist_ok=True)
        self.spent = 0.0
        self.patience = pace.patience
        with open(logs / f"{row.name}-{contender.label}.txt".replace(" ", "-"), "w") as log:
            self.process = subprocess.Popen(
                [python, "-m", "bench.contender", json.dumps(task)],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=log,
                text=True,
                cwd=ROOT,
                env=environment(),
            )

    def answer(self):
        """What it says next."""
        timer = threading.Timer(self.patience, self.process.kill)
        timer.start()
        try:
            line = self.process.stdout.readline()
        finally:
            over = not timer.is_alive()
            timer.cancel()
        if not line:
            raise Failed(f"took more than {self.patience} s" if over else "ended without a word")
        answer = json.loads(line)
        if "error" in answer:
            raise Failed(answer["error"])
        return answer

    def sample(self):
        started = time.monotonic()
        try:
            self.process.stdin.write("\n")
            self.process.stdin.flush()
        except OSError:
            raise Failed("ended without a word") from None
        answer = self.answer()
        self.spent += time.monotonic() - started
        return answer

    def close(self):
        try:
            self.process.stdin.close()
        except OSError:
            pass
        try:
            self.process.wait(10)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.process.stdout.close()


def environment():
    """Nothing that leads elsewhere, and the same hashes for all."""
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.lower().endswith("_proxy") and not name.startswith(("PYTHON", "MESHAPI"))
    }
    # litellm asks the network for prices while it is imported, unless it is told not to.
    return {**kept, "PYTHONHASHSEED": "0", "LITELLM_LOCAL_MODEL_COST_MAP": "True"}


def measure(row, pythons, missing, pace, certificates):
    """Measure a row.

    Args:
        pythons: interpreters by the names of environments.
        missing: why there is none, by name.
        certificates: paths of an authority, and of a key with its certificates.

    Returns:
        For each contender by its label `{"samples": [...]}`, or `{"reason": ...}`. Samples of the
        same `round` belong together.
    """
    results = {each.label: {"samples": []} for each in row.contenders}
    for contender in row.contenders:
        if contender.environment in missing:
            results[contender.label] = {"reason": missing[contender.environment]}
    count = min(pace.fresh, row.at_most) if row.fresh else pace.processes
    for number in range(count):
        going = [each for each in row.contenders if "reason" not in results[each.label]]
        turn = number % max(1, len(going))
        with ExitStack() as stack:
            ports = Ports(stack, pythons["server"], certificates[1])
            order = going[turn:] + going[:turn]
            once(row, order, pythons, pace, certificates[0], ports, results, number * pace.samples)
    return results


class Ports(dict):
    """The port of each kind of server, which is started when somebody wants it."""

    def __init__(self, stack, python, own):
        super().__init__()
        self.start = lambda name, *args: stack.enter_context(server(name, *args, python=python))
        self.own = own

    def __missing__(self, kind):
        names = KINDS[kind] if kind else ()
        arguments = [self.own if each == "CERTIFICATES" else each for each in names]
        self[kind] = self.start(*arguments) if kind else 0
        return self[kind]


def once(row, contenders, pythons, pace, authority, ports, results, first):
    """Start the contenders, take their samples in turns, end them; `first` numbers the rounds."""
    processes = {}
    with ExitStack() as stack:

        def attempt(label, step):
            try:
                return step()
            except Failed as exc:
                processes.pop(label, None)
                results[label] = {"reason": str(exc)}
                return None

        def start(each):
            port = ports[each.server or row.server]
            python = pythons[each.environment]
            processes[each.label] = Process(row, each, python, port, pace, authority)
            stack.callback(processes[each.label].close)

        for each in contenders:
            start(each)
            if row.fresh:
                # One after the other: some measure while they get ready.
                attempt(each.label, lambda each=each: ready(processes[each.label]))
                take(each.label, processes, attempt, results, first)
                if each.label in processes:
                    processes.pop(each.label).close()
        for label in list(processes):
            attempt(label, lambda label=label: ready(processes[label]))
        for number in range(0 if row.fresh else pace.samples):
            for label in list(processes):
                if processes[label].spent < pace.budget:
                    take(label, processes, attempt, results, first + number)


def ready(process):
    if process.answer() != {"ready": True}:
        raise Failed("said something else than that it is ready")


def take(label, processes, attempt, results, number):
    if label not in processes:
        return
    sample = attempt(label, processes[label].sample)
    if sample is not None:
        results[label]["samples"].append({"round": number, **sample})
