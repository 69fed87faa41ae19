"""The command line: environments, then row after row, then the page and the pictures."""

import argparse
import json
import os
import platform
import subprocess
import sys
import tempfile
import time

from bench import environments, report, run
from bench.environments import HOME, ROOT
from bench.rounds import FULL, QUICK, measure
from bench.rows import selected, thinned
from bench.servers import certificates
from bench.table import ROWS

RESULTS = "results.json"
PLOTTING = 120
"""Seconds that drawing may take."""


def main(arguments=None):
    parser = argparse.ArgumentParser(
        description=run.__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--quick", action="store_true", help="few and short samples")
    parser.add_argument("--only", nargs="+", default=[], metavar="NAME", help="some rows")
    parser.add_argument("--update", action="store_true", help="keep the other rows, and write all")
    parser.add_argument("--report", action="store_true", help="measure nothing, write it again")
    parser.add_argument("--list", action="store_true", help="names of the rows")
    args = parser.parse_args(arguments)
    if args.list:
        print("\n".join(f"{row.name:22} {row.title}" for row in ROWS))
        return 0
    try:
        rows = selected(ROWS, args.only)
    except ValueError as exc:
        parser.error(str(exc))
    whole = args.update or not (args.only or args.quick)
    folder = ROOT / "bench" if whole else HOME / "last"
    kept = HOME / ("whole" if whole else "last") / RESULTS
    if args.report:
        write(json.loads(kept.read_text("utf-8")), folder, kept)
        return 0
    if args.quick and not args.only:
        rows = list(thinned(rows))
    data = measured(rows, QUICK if args.quick else FULL)
    data["quick"] = args.quick
    if args.update:
        before = json.loads(kept.read_text("utf-8"))
        data["rows"] = {**before["rows"], **data["rows"]}
        data["versions"] = {**before["versions"], **data["versions"]}
        data["machine"]["minutes"] = before["machine"]["minutes"]
    write(data, folder, kept)
    if not whole:
        print((folder / "RESULTS.md").read_text("utf-8"))
    return 0


def measured(rows, pace):
    """Measure rows; what came of it, and where."""
    wanted = [each.environment for row in rows for each in row.contenders]
    say("environments ...")
    pythons, missing = environments.make(["server", "ours", *wanted])
    for name in ("server", "ours"):
        if name in missing:
            sys.exit(f"bench: the environment {name}: {missing[name]}")
    data = {"rows": {}, "machine": machine()}
    started = time.monotonic()
    with tempfile.TemporaryDirectory() as folder:
        paths = certificates(folder, pythons["server"])
        for row in rows:
            before = time.monotonic()
            results = measure(row, pythons, missing, pace, paths)
            seconds = time.monotonic() - before
            data["rows"][row.name] = {"results": results, "seconds": round(seconds, 1)}
            say(f"{seconds:6.1f} s  {row.name}{failures(results)}")
    data["machine"]["minutes"] = (time.monotonic() - started) / 60
    data["versions"] = {
        name: environments.versions(path) for name, path in pythons.items() if name != "server"
    }
    return data


def failures(results):
    return "".join(
        f"\n          {label}: {result['reason']}"
        for label, result in results.items()
        if "reason" in result
    )


def write(data, folder, kept):
    """The figures, the pictures where they can be drawn, and the page."""
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text(json.dumps(data, indent=1), "utf-8")
    folder.mkdir(parents=True, exist_ok=True)
    text = report.page(data, ROWS, drawn(kept, folder / "plots"))
    (folder / "RESULTS.md").write_text(text, "utf-8")


def drawn(results, folder):
    """Titles and paths of the pictures; none where matplotlib is not to be had."""
    pythons, missing = environments.make(["plots"])
    if missing:
        say(f"no plots: {missing['plots']}")
        return []
    command = [pythons["plots"], "-m", "bench.pictures", str(results), str(folder)]
    try:
        done = subprocess.run(
            command, cwd=ROOT, stdout=subprocess.PIPE, text=True, check=True, timeout=PLOTTING
        )
    except subprocess.SubprocessError as exc:
        say(f"no plots: {type(exc).__name__}")
        return []
    return [tuple(pair) for pair in json.loads(done.stdout)]


def machine():
    """What a reader must know of the machine, without its name."""
    return {
        "date": time.strftime("%Y-%m-%d", time.gmtime()),
        "commit": commit(),
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": platform.system(),
        "processor": processor(),
        "cores": os.cpu_count(),
    }


def commit():
    command = ["git", "-C", str(ROOT), "describe", "--always", "--dirty", "--exclude=*"]
    try:
        done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True)
    except (OSError, subprocess.SubprocessError):
        return "unknown"
    return done.stdout.strip()


def processor():
    try:
        with open("/proc/cpuinfo") as file:
            for line in file:
                if line.startswith("model name"):
                    return line.partition(":")[2].strip()
    except OSError:
        pass
    return platform.machine()


def say(text):
    print(text, file=sys.stderr, flush=True)
