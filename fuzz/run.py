"""Runs a fuzz target: `python fuzz/run.py sse --seconds 60`.

A target is a file `fuzz_<name>.py` beside this one. README.md says what it holds.
"""

import argparse
import hashlib
import importlib
import importlib.util
import random
import re
import subprocess
import sys
import tempfile
import time
import traceback
from collections.abc import Sequence
from pathlib import Path
from typing import Callable, NamedTuple, Optional

FUZZ = Path(__file__).resolve().parent

# Pieces of this size reach every branch of a parser; longer inputs only make executions slower.
MAX_INPUT_SIZE = 4096

# What atheris watches for new branches.
INSTRUMENTED = ["meshapi_core", "h11", "wsproto"]


class Target(NamedTuple):
    """What a target file holds.

    Fields:
        one: Checks one input; whatever it raises, but for `accepted`, is a finding.
        accepted: The documented errors.
        dictionary: Byte strings of the format, worth putting into an input.
    """

    name: str
    one: Callable[[bytes], None]
    accepted: tuple[type[Exception], ...]
    dictionary: tuple[bytes, ...]

    def check(self, data: bytes) -> Optional[Exception]:
        """Return what is wrong with one input, or None."""
        try:
            self.one(data)
        except self.accepted:
            pass
        except Exception as exc:
            return exc
        return None


class Finding(NamedTuple):
    """An input that a target raises on."""

    data: bytes
    kind: str
    report: str


class Summary(NamedTuple):
    """What a run did."""

    executions: int
    seconds: float
    findings: list[Finding]


def target_names() -> list[str]:
    """Return the names of all targets."""
    return sorted(path.stem[len("fuzz_") :] for path in FUZZ.glob("fuzz_*.py"))


def load(name: str) -> Target:
    """Import a target by its name."""
    module = importlib.import_module(f"fuzz_{name}")
    return Target(name, module.one, module.ACCEPTED, getattr(module, "DICTIONARY", ()))


def seed_paths(name: str) -> list[Path]:
    """Return the corpus of a target and the inputs that once broke it."""
    return sorted(path for folder in _seed_folders(name) for path in folder.iterdir())


def _seed_folders(name: str) -> list[Path]:
    folders = (FUZZ / "corpus" / name, FUZZ / "regressions" / name)
    return [folder for folder in folders if folder.is_dir()]


def run_random(
    target: Target,
    seeds: Sequence[bytes],
    *,
    seed: int,
    seconds: float = float("inf"),
    executions: float = float("inf"),
) -> Summary:
    """Run a target on mutated seeds until it fails or a bound is reached.

    The same seed, seeds and target give the same inputs in the same order.
    """
    generator = random.Random(seed)
    start = time.monotonic()
    done = 0
    while done < executions and time.monotonic() - start < seconds:
        data = mutate(generator, seeds, target.dictionary)
        done += 1
        exc = target.check(data)
        if exc is not None:
            data = minimise(target, data, type(exc))
            return Summary(done, time.monotonic() - start, [_finding(target, data, exc)])
    return Summary(done, time.monotonic() - start, [])


def mutate(generator: random.Random, seeds: Sequence[bytes], dictionary: Sequence[bytes]) -> bytes:
    """Return one seed, or the halves of two, with one to eight changes."""
    data = bytearray(generator.choice(seeds))
    if generator.random() < 0.2:
        other = generator.choice(seeds)
        data = data[: _place(generator, data)] + other[_place(generator, other) :]
    for _ in range(generator.randint(1, 8)):
        _change(generator, data, dictionary)
    return bytes(data[:MAX_INPUT_SIZE])


def _change(generator: random.Random, data: bytearray, dictionary: Sequence[bytes]) -> None:
    start = _place(generator, data)
    end = min(len(data), start + generator.randint(1, 16))
    change = generator.randrange(6)
    if change == 0 and data:
        data[min(start, len(data) - 1)] = generator.randrange(256)
    elif change == 1:
        del data[start:end]
    elif change == 2:
        data[start:start] = data[start:end]
    elif change == 3:
        data.insert(start, generator.randrange(256))
    elif dictionary:
        # Twice as likely as each of the others: it finds what single bytes would need luck for.
        data[start:start] = generator.choice(dictionary)


def _place(generator: random.Random, data: Sequence[int]) -> int:
    return generator.randint(0, len(data))


def minimise(target: Target, data: bytes, kind: type[Exception]) -> bytes:
    """Return the input with every run of bytes left out that the failure does not need."""
    size = len(data) // 2
    while size:
        start = 0
        while start < len(data):
            shorter = data[:start] + data[start + size :]
            if isinstance(target.check(shorter), kind):
                data = shorter
            else:
                start += size
        size //= 2
    return data


def _finding(target: Target, data: bytes, exc: Exception) -> Finding:
    exc = target.check(data) or exc
    report = "".join(traceback.format_exception(type(exc), exc, exc.__traceback__))
    return Finding(data, type(exc).__name__, report)


def run_atheris(name: str, *, seed: int, seconds: float) -> Summary:
    """Run a target under atheris, in a process of its own: libFuzzer ends the one that it is in."""
    with tempfile.TemporaryDirectory() as folder:
        scratch = Path(folder)
        (scratch / "new").mkdir()
        (scratch / "found").mkdir()
        (scratch / "dictionary").write_text(_libfuzzer_dictionary(load(name).dictionary))
        command = [
            sys.executable,
            str(FUZZ / "run.py"),
            name,
            "--libfuzzer",
            f"-max_total_time={max(1, round(seconds))}",
            f"-max_len={MAX_INPUT_SIZE}",
            f"-seed={seed}",
            f"-dict={scratch / 'dictionary'}",
            f"-artifact_prefix={scratch / 'found'}/",
            "-timeout=5",
            "-rss_limit_mb=512",
            "-use_value_profile=1",
            "-print_final_stats=1",
            # What libFuzzer adds to its corpus goes to the first folder, so never into ours.
            str(scratch / "new"),
            *(str(path) for path in _seed_folders(name)),
        ]
        start = time.monotonic()
        done = subprocess.run(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False
        )
        elapsed = time.monotonic() - start
        report = done.stdout.decode("utf-8", "replace")
        findings = [
            Finding(path.read_bytes(), path.name.split("-")[0], report)
            for path in (scratch / "found").iterdir()
        ]
    if done.returncode and not findings:
        raise SystemExit(f"{report}\n{name}: atheris ended with status {done.returncode}")
    executions = re.search(r"stat::number_of_executed_units:\s*(\d+)", report)
    return Summary(int(executions[1]) if executions else 0, elapsed, findings)


def _libfuzzer_dictionary(words: Sequence[bytes]) -> str:
    return "".join('"' + "".join(f"\\x{byte:02x}" for byte in word) + '"\n' for word in words)


def _become_libfuzzer(name: str, flags: Sequence[str]) -> None:
    import atheris  # type: ignore[import-untyped]

    with atheris.instrument_imports(include=INSTRUMENTED):
        target = load(name)

    def one(data: bytes) -> None:
        exc = target.check(data)
        if exc is not None:
            raise exc

    atheris.Setup([sys.argv[0], *flags], one)
    atheris.Fuzz()


def save(name: str, finding: Finding) -> Path:
    """Keep an input that broke a target, for pytest to replay."""
    folder = FUZZ / "regressions" / name
    folder.mkdir(parents=True, exist_ok=True)
    digest = hashlib.sha256(finding.data).hexdigest()[:16]
    path = folder / f"{finding.kind.lower()}-{digest}"
    path.write_bytes(finding.data)
    return path


def main(arguments: Sequence[str]) -> int:
    """Run one target and return the exit status: 1 when it was broken."""
    if arguments[1:2] == ["--libfuzzer"]:
        _become_libfuzzer(arguments[0], arguments[2:])
    options = _parser().parse_args(arguments)
    if options.engine == "atheris":
        summary = run_atheris(options.target, seed=options.seed, seconds=options.seconds)
    else:
        seeds = [path.read_bytes() for path in seed_paths(options.target)]
        target = load(options.target)
        summary = run_random(target, seeds or [b""], seed=options.seed, seconds=options.seconds)
    for finding in summary.findings:
        print(finding.report)
        print(f"saved {save(options.target, finding).relative_to(FUZZ)}: {finding.data!r}")
    print(
        f"{options.target}: {summary.executions:,} executions in {summary.seconds:.1f} s"
        f" ({options.engine}, seed {options.seed}), {len(summary.findings)} findings"
    )
    return 1 if summary.findings else 0


def _parser() -> argparse.ArgumentParser:
    have_atheris = importlib.util.find_spec("atheris") is not None
    parser = argparse.ArgumentParser(description="Run one fuzz target.")
    parser.add_argument("target", choices=target_names())
    parser.add_argument("--seconds", type=float, default=60.0)
    parser.add_argument(
        "--engine",
        choices=["atheris", "random"],
        default="atheris" if have_atheris else "random",
        help="default: atheris where it is installed",
    )
    parser.add_argument("--seed", type=int, default=1)
    return parser


if __name__ == "__main__":
    raise SystemExit(main(sys.argv[1:]))
