"""A virtual environment for each peer, made once, below `.venv-bench/`, which git ignores.

The official package has the import name of ours, so no two libraries share an environment. All
that is compared is pinned here; what it brings along is as pip finds it, and `versions` says what
that was.
"""

import hashlib
import json
import subprocess
import sys
import venv
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

try:
    import fcntl
except ImportError:
    fcntl = None

ROOT = Path(__file__).resolve().parents[1]
HOME = ROOT / ".venv-bench"

BELOW = ["h11==0.16.0", "anyio==4.16.0"]
TRIO = "trio==0.35.0"
PYDANTIC = "pydantic==2.14.4"
UVLOOP = "uvloop==0.23.0"
WEBSOCKETS = "websockets==17.4"
HTTPCORE = "httpcore==1.0.9"
HTTPCORE2 = "httpcore2==2.16.2"
HTTPX2 = "httpx2==2.16.2"
OFFICIAL = "meshapi[realtime]==0.1.11"
OPENAI = "openai==3.57.0"
OURS = ["-e", f"{ROOT}", "msgspec==0.23.0", "wsproto==1.3.2", *BELOW]

REQUIREMENTS = {
    # This checkout, with what it needs and nothing compiled but msgspec, which everyone gets.
    "ours": [*OURS, TRIO, UVLOOP],
    "official": [OFFICIAL, "httpx==0.28.1", HTTPCORE, *BELOW, PYDANTIC, WEBSOCKETS],
    "openai": [OPENAI, HTTPX2, HTTPCORE2, *BELOW, PYDANTIC],
    "anthropic": ["anthropic==2.14.0", HTTPX2, HTTPCORE2, *BELOW, PYDANTIC],
    "httpcore": [HTTPCORE, *BELOW, TRIO],
    "httpcore2": [HTTPCORE2, *BELOW, TRIO],
    "httpx2": [HTTPX2, HTTPCORE2, *BELOW, TRIO],
    "aiohttp": ["aiohttp==3.14.5"],
    "niquests": ["niquests==3.21.2", "urllib3-future==2.25.904"],
    # With ours, to see what it costs on the same client.
    "asyncbatch": ["async-batch-llm==0.28.0", OPENAI, HTTPX2, HTTPCORE2, PYDANTIC, *OURS],
    "litellm": ["litellm==1.110.2", OPENAI, PYDANTIC],
    # For `engines.py`.
    "engines": [
        "-e",
        f"{ROOT}",
        "daft==0.7.26",
        "dask==2026.8.0",
        "distributed==2026.8.0",
        "psutil==7.2.2",
        "pyarrow==25.0.1",
        "ray[data]==2.60.0",
        *BELOW,
    ],
    # Not measured: what the servers run in, and what draws.
    "server": [WEBSOCKETS, "trustme==1.2.1", UVLOOP],
    "plots": ["matplotlib==3.11.2"],
}

INSTALLING = 900
"""Seconds that pip may take for one of them."""


class Unavailable(Exception):
    """An environment that could not be made; its text is fit for a page."""


def python(name):
    """Return the interpreter of an environment, which is made if it is not there."""
    folder = HOME / name
    interpreter = folder / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    stamp = folder / "made-of.txt"
    if not (stamp.exists() and stamp.read_text("utf-8") == made_of(name)):
        venv.create(folder, clear=True, with_pip=True)
        install(name, interpreter)
        stamp.write_text(made_of(name), "utf-8")
    return str(interpreter)


def made_of(name):
    """What an environment must be made of, to be used as it is."""
    lines = [sys.version, *sorted(REQUIREMENTS[name])]
    if "-e" in REQUIREMENTS[name]:
        lines.append(hashlib.sha256((ROOT / "pyproject.toml").read_bytes()).hexdigest())
    return "\n".join(lines) + "\n"


def install(name, interpreter):
    command = [str(interpreter), "-m", "pip", "install", "-q", "--disable-pip-version-check"]
    try:
        done = subprocess.run(
            [*command, *REQUIREMENTS[name]],
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=INSTALLING,
        )
    except subprocess.TimeoutExpired:
        raise Unavailable("pip took too long") from None
    if done.returncode:
        print(f"{name}:\n{done.stdout}", file=sys.stderr)
        raise Unavailable("pip could not install it")


def make(names):
    """Make environments, two at a time; return interpreters by name, and reasons why not."""

    def attempt(name):
        try:
            return python(name), None
        except (Unavailable, OSError, subprocess.SubprocessError) as exc:
            return None, str(exc) if isinstance(exc, Unavailable) else type(exc).__name__

    names = list(dict.fromkeys(names))
    with alone(), ThreadPoolExecutor(2) as pool:
        results = dict(zip(names, pool.map(attempt, names)))
    made = {name: path for name, (path, _) in results.items() if path}
    return made, {name: reason for name, (_, reason) in results.items() if reason}


@contextmanager
def alone():
    """Keep another run from making the same environments at the same time."""
    HOME.mkdir(exist_ok=True)
    with open(HOME / "lock", "w") as lock:
        if fcntl is not None:
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield


LIST = """
import importlib.metadata, json
print(json.dumps({d.metadata["Name"]: d.version for d in importlib.metadata.distributions()}))
"""


def versions(interpreter):
    """Return the version of each distribution in an environment."""
    done = subprocess.run([interpreter, "-c", LIST], stdout=subprocess.PIPE, check=True, text=True)
    found = json.loads(done.stdout)
    return {name: found[name] for name in sorted(found, key=str.lower)}
