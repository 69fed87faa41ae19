"""What is run on a change, each in an environment of its own; `nox -l` lists it.

    nox                        tests, lint and types: what a change needs before it goes in
    nox -s tests -- -k pool    what follows `--` goes to pytest
    nox -s tests-3.9           the tests on another Python, where it is installed

`.ci/run` runs them on a clean checkout, and the workflows on other systems. Names of sessions that
stand elsewhere are held against this file by `tests/house/test_workflows.py`.
"""

import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Optional

import nox

ROOT = Path(__file__).resolve().parent
PYPROJECT = nox.project.load_toml("pyproject.toml")
PYTHONS = nox.project.python_versions(PYPROJECT)
THIS = f"{sys.version_info.major}.{sys.version_info.minor}"

OFFICIAL = "0.1.11"
"""The official package that this one is compared with, and where it lost something, older ones."""
OFFICIAL_OLDER = ("0.1.3", "0.1.7")

PYODIDE = "314.0.7"
"""Of npm; the platform of the wheels that fit it must be changed with it."""
PYODIDE_PLATFORM = "pyemscripten_2026_0_wasm32"

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "venv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["tests", "lint", "types"]


@nox.session
def tests(session: nox.Session) -> None:
    """The tests as `pytest` runs them: quick, and on all cores."""
    session.install("-e", ".[dev]")
    pytest(session)


@nox.session
def thorough(session: nox.Session) -> None:
    """The tests with many examples, the same ones each time, and nothing left out."""
    session.install("-e", ".[dev]")
    pytest(session, "-m", "", profile="gate")


@nox.session
def lint(session: nox.Session) -> None:
    """What ruff says of the whole, and whether generated files are as their source says."""
    session.install(*requirements("ruff"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("python", "tools/mirror.py")
    session.run("python", "tools/faces.py")


@nox.session
def types(session: nox.Session) -> None:
    """What mypy and pyright say, both as strict as they can be."""
    session.install("-e", ".[dev]")
    session.run("mypy", "--strict")
    session.run("basedpyright", "--pythonpath", str(Path(session.bin) / "python"))


@nox.session
def docs(session: nox.Session) -> None:
    """The documents: each snippet runs, each link and each named file is there."""
    session.install("-e", ".[dev]")
    pytest(session, "-m", "", "tests/house/test_readme.py", "tests/examples/test_other_sdk.py")


@nox.session
def coverage(session: nox.Session) -> None:
    """Which lines and branches the tests reach; shown, and no number must be met."""
    session.install("-e", ".[dev]")
    pytest(session, "--cov", "--cov-report=term", "--cov-report=html:.nox/coverage")


@nox.session
def fuzz(session: nox.Session) -> None:
    """Each fuzz target for 20 seconds, or as long as `-- --seconds N` says."""
    session.install("-e", ".[dev]")
    for path in sorted(ROOT.glob("fuzz/fuzz_*.py")):
        target = path.stem[len("fuzz_") :]
        session.run("python", "fuzz/run.py", target, *(session.posargs or ("--seconds", "20")))


@nox.session
def wheel(session: nox.Session) -> None:
    """The distributions hold what they should, and work where there is no checkout."""
    session.install(*requirements("build", "hatchling", "mypy"))
    dist, tmp = emptied(ROOT / "dist"), emptied(Path(session.create_tmp()))
    session.run("python", "-m", "build", "--no-isolation", "--outdir", str(dist), ".")
    (sdist,), (built,) = dist.glob("*.tar.gz"), dist.glob("*.whl")
    session.run("python", "tests/house/check_wheel.py", str(dist))

    # Another time zone, umask and folder must not change a byte.
    shutil.unpack_archive(sdist, tmp / "unpacked")
    (source,) = (tmp / "unpacked").iterdir()
    with umask(0o077):
        command = ("python", "-m", "build", "--no-isolation", "--outdir", str(tmp / "again"))
        session.run(*command, str(source), env={"TZ": "Asia/Tokyo"}, silent=True)
    for path in (sdist, built):
        if path.read_bytes() != (tmp / "again" / path.name).read_bytes():
            session.error(f"{path.name} is not the same when it is built again")

    session.run("python", "-m", "venv", str(tmp / "venv"))
    python = str(program(tmp / "venv", "python"))
    session.run(python, "-m", "pip", "install", "-q", f"{built}[gateway,trio]", external=True)
    elsewhere = emptied(tmp / "elsewhere")
    for path in (*ROOT.glob("tests/typing/*.py"), ROOT / "tests/house/smoke_wheel.py"):
        shutil.copy(path, elsewhere)
    with session.chdir(elsewhere):
        session.run(python, "-I", "smoke_wheel.py", external=True)
        # The types must reach users, not only this checkout.
        session.run("mypy", "--strict", "--config-file=", "--python-executable", python, "api.py")


@nox.session
def interop(session: nox.Session) -> None:
    """The same calls by the official package and by this one: the same bytes, the same responses.

    The official package has the same import name, so it gets an environment of its own.
    """
    session.install("-e", ".[dev,interop]")
    official = emptied(Path(session.create_tmp())) / "official"
    session.run("python", "-m", "venv", str(official))
    pip = (str(program(official, "python")), "-m", "pip", "install", "-q")
    session.run(*pip, f"meshapi[realtime]=={OFFICIAL}", external=True)
    for version in OFFICIAL_OLDER:
        target = str(official / "older" / version)
        session.run(*pip, "--no-deps", "--target", target, f"meshapi=={version}", external=True)
    environment = {
        "MESHAPI_OFFICIAL_PYTHON": str(program(official, "python")),
        "MESHAPI_OFFICIAL_OLDER": str(official / "older"),
    }
    pytest(session, "-rs", "-m", "", "tests/interop", env=environment)
    tell(session, f"passed with meshapi {OFFICIAL}")


@nox.session
def hosts(session: nox.Session) -> None:
    """The examples of other event loops and HTTP clients, whose libraries are many and large."""
    session.install("-e", ".[dev,hosts]")
    environment, found = {}, "no Pyodide: node or npm is missing"
    if shutil.which("node") and shutil.which("npm"):
        environment = {"MESHAPI_PYODIDE": str(pyodide(session))}
        found = f"Pyodide {PYODIDE}"
    pytest(session, "-rs", "-m", "", "tests/examples", env=environment)
    tell(session, f"passed with {found}")


def pyodide(session: nox.Session) -> Path:
    """Return a folder with Pyodide, and the wheels that this library needs there."""
    folder = emptied(Path(session.create_tmp()))
    with session.chdir(folder):
        install = ("npm", "install", "--silent", "--no-audit", "--no-fund", "--no-save")
        session.run(*install, f"pyodide@{PYODIDE}", external=True)
    download = ("python", "-m", "pip", "download", "-q", "--no-deps", "-d", str(folder))
    session.run(*download, "h11", "typing_extensions")
    platform = ("--only-binary=:all:", "--platform", PYODIDE_PLATFORM)
    python = ("--python-version", "3.14", "--implementation", "cp", "--abi", "cp314")
    session.run(*download, *platform, *python, "msgspec")
    return folder


@nox.session
def lowest(session: nox.Session) -> None:
    """The tests with the lowest versions that pyproject.toml allows."""
    with_lowest(session, "-m", "not exhaustive and not slow", "tests/backends", "tests/client")


def with_lowest(session: nox.Session, *arguments: str) -> None:
    session.install("-c", "constraints/lowest.txt", "-e", ".[dev]")
    once_more(session, *arguments)


def once_more(session: nox.Session, *arguments: str) -> None:
    """Run the tests for what another Python or another dependency can change: fewer examples do."""
    pytest(session, *arguments, profile="again")
    version = "import platform; print(platform.python_version())"
    found = session.run("python", "-c", version, silent=True)
    tell(session, f"passed on {str(found).strip()}")


@functools.cache
def interpreter(version: str) -> Optional[str]:
    """Return an interpreter of this version that runs; a shim on the PATH may not."""
    if version == THIS:
        return sys.executable
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    candidates = [str(path) for path in sorted(pyenv.glob(f"versions/{version}.*/bin/python"))]
    # Last, as pyenv's shims are slow where they work.
    candidates.append(f"python{version}")
    check = f"""import ensurepip, ssl, sys, venv
sys.exit('%d.%d' % sys.version_info[:2] != '{version}')"""
    for candidate in filter(None, map(shutil.which, candidates)):
        try:
            subprocess.run([candidate, "-c", check], check=True, capture_output=True, timeout=30)
        except (OSError, subprocess.SubprocessError):
            continue
        return candidate
    return None


def on_python(version: str, name: str, run: Callable[[nox.Session], None]) -> None:
    """Add a session for this Python; where there is none, it says so and passes.

    In a workflow that is an error.
    """
    python = interpreter(version)

    @nox.session(name=name, python=python, venv_backend="venv" if python else "none")
    @functools.wraps(run)
    def session(session: nox.Session) -> None:
        if python is None and "GITHUB_ACTIONS" in os.environ:
            # The workflow has asked for it, and nobody reads there that nothing was run.
            session.error(f"python{version} is missing: the workflow must set it up")
        if python is None:
            tell(session, f"NOT RUN: no python{version}")
            session.skip(f"python{version} is not installed here: nothing was run on it")
        run(session)


def on_this_python(session: nox.Session) -> None:
    """The tests once more, on this Python."""
    session.install("-e", ".[dev]")
    once_more(session, "-m", "not exhaustive")


def lowest_on_this_python(session: nox.Session) -> None:
    """The tests that are not of the house, with the lowest versions for this Python."""
    with_lowest(session, "-m", "not exhaustive and not slow", "--ignore", "tests/house")


def on_the_newest_python(session: nox.Session) -> None:
    """The quick ones of the tests, on the newest Python that is found."""
    if NEWEST == THIS:
        tell(session, f"NOT RUN: no python newer than {THIS}")
        session.skip("`nox -s tests` has this Python")
    session.install("-e", ".[dev]")
    once_more(session, "-m", "not exhaustive and not slow")


for _version in PYTHONS:
    on_python(_version, f"tests-{_version}", on_this_python)
NEWEST = next(filter(interpreter, reversed(PYTHONS)), PYTHONS[-1])
on_python(NEWEST, "tests-newest", on_the_newest_python)
on_python(PYTHONS[0], f"lowest-{PYTHONS[0]}", lowest_on_this_python)


def pytest(
    session: nox.Session,
    *arguments: str,
    profile: Optional[str] = None,
    env: Optional[dict[str, str]] = None,
) -> None:
    """Run pytest: with these arguments, then with those that follow `--`."""
    environment = {**(env or {}), **({"HYPOTHESIS_PROFILE": profile} if profile else {})}
    session.run("python", "-m", "pytest", *arguments, *session.posargs, env=environment)


def requirements(*names: str) -> list[str]:
    """Return what the `dev` extra asks for under these names, for sessions that need no more."""
    lines = PYPROJECT["project"]["optional-dependencies"]["dev"]
    found = [line for line in lines if line.startswith(tuple(f"{name}>" for name in names))]
    if len(found) != len(names):
        raise ValueError(f"the dev extra does not name each of {names} once: {found}")
    return found


def program(environment: "str | Path", name: str) -> Path:
    """Return the path of a program of a virtual environment."""
    folder = Path(environment)
    return (folder / "Scripts" / f"{name}.exe") if os.name == "nt" else (folder / "bin" / name)


def emptied(folder: Path) -> Path:
    """Return this folder, with nothing in it."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def tell(session: nox.Session, words: str) -> None:
    """Say how a session ended, for the table of `.ci/run` where that has asked."""
    session.log(words)
    if "CI_RESULT" in os.environ:
        Path(os.environ["CI_RESULT"]).write_text(f"{words}\n", "utf-8")


@contextmanager
def umask(mask: int) -> Generator[None, None, None]:
    """Let new files have no other permissions than these."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)
