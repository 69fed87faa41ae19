"""The checks of a change, each in its own environment; `nox -l` lists them.

    nox                        tests, lint and types: must pass before a change goes in
    nox -s tests -- -k pool    arguments after `--` go to pytest
    nox -s tests-3.9           the tests on another Python, if it is installed

`.ci/run` runs them on a clean checkout, and the workflows run them on other systems.
`tests/house/test_workflows.py` checks that sessions which are named elsewhere exist here.
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
"""The official package to compare with, and older ones for what it has lost since."""
OFFICIAL_OLDER = ("0.1.3", "0.1.7")

PYODIDE = "314.0.7"
"""The version on npm; the platform of its wheels, below, changes with it."""
PYODIDE_PLATFORM = "pyemscripten_2026_0_wasm32"

nox.needs_version = ">=2025.2.9"
nox.options.default_venv_backend = "venv"
nox.options.reuse_venv = "yes"
nox.options.sessions = ["tests", "lint", "types"]


@nox.session
def tests(session: nox.Session) -> None:
    """The tests as `pytest` runs them: quickly, and on all cores."""
    # Only here are Parquet files written: pyarrow is larger than all the rest.
    session.install("-e", ".[dev,parquet]")
    pytest(session)


@nox.session
def thorough(session: nox.Session) -> None:
    """The tests with many examples, the same ones each time, and nothing left out."""
    session.install("-e", ".[dev]")
    pytest(session, "-m", "", profile=os.environ.get("HYPOTHESIS_PROFILE") or "gate")


@nox.session
def lint(session: nox.Session) -> None:
    """Ruff on everything, and whether generated files match their sources."""
    # The package is needed, because the diagrams are drawn from its tables.
    session.install("-e", ".", *requirements("ruff"))
    session.run("ruff", "check", ".")
    session.run("ruff", "format", "--check", ".")
    session.run("python", "tools/mirror.py")
    session.run("python", "tools/faces.py")
    session.run("python", "tools/diagrams.py")


@nox.session
def types(session: nox.Session) -> None:
    """Mypy and pyright, both as strict as they can be."""
    session.install("-e", ".[dev]")
    session.run("mypy", "--strict")
    session.run("basedpyright", "--pythonpath", str(Path(session.bin) / "python"))


@nox.session
def docs(session: nox.Session) -> None:
    """The documentation: it builds without a warning, programs run and are typed, links work."""
    session.install("-e", ".[dev,docs]")
    session.run("mypy", "--strict", "tools/docs_griffe.py")
    session.run("python", "tools/docs.py")
    names = ("docs", "links", "new_endpoint", "readme", "typed_programs")
    house = [f"tests/house/test_{name}.py" for name in names]
    examples = [f"tests/examples/test_{name}.py" for name in ("programs", "other_sdk")]
    pytest(session, "-m", "", *house, *examples)


@nox.session
def coverage(session: nox.Session) -> None:
    """Show which lines and branches the tests reach; there is no threshold."""
    session.install("-e", ".[dev]")
    pytest(session, "--cov", "--cov-report=term", "--cov-report=html:.nox/coverage")


@nox.session
def fuzz(session: nox.Session) -> None:
    """Each fuzz target for 20 seconds, or for N with `-- --seconds N`."""
    session.install("-e", ".[dev]")
    for path in sorted(ROOT.glob("fuzz/fuzz_*.py")):
        target = path.stem[len("fuzz_") :]
        session.run("python", "fuzz/run.py", target, *(session.posargs or ("--seconds", "20")))


@nox.session
def wheel(session: nox.Session) -> None:
    """The distributions: they contain what they should, and work without a checkout."""
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
            session.error(f"{path.name} differs when it is built again")

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
    """The official package and this one make the same calls: same bytes, same responses.

    The official package has the same import name, so it gets its own environment.
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
    """The examples for other event loops and HTTP clients, which need many large libraries."""
    session.install("-e", ".[dev,hosts]")
    environment, found = {}, "no Pyodide: node or npm is missing"
    if shutil.which("node") and shutil.which("npm"):
        environment = {"MESHAPI_PYODIDE": str(pyodide(session))}
        found = f"Pyodide {PYODIDE}"
    files = ("tests/examples", "tests/house/test_typed_programs.py")
    pytest(session, "-rs", "-m", "", *files, env=environment)
    tell(session, f"passed with {found}")


@nox.session
def engines(session: nox.Session) -> None:
    """The programs for Ray Data, Dask and Daft, with two workers, one of which is killed."""
    if sys.version_info < (3, 10):
        tell(session, f"NOT RUN: Ray and Daft need Python 3.10, not {THIS}")
        session.skip("the engines do not support this Python")
    # Not the extra `dev`: what these tests need is small, and the engines are large enough.
    names = ("hypothesis", "mypy", "pytest", "pytest-trio", "pytest-xdist", "trustme")
    session.install("-e", ".[gateway,engines]", *requirements(*names))
    pytest(session, "-rs", "-m", "", "tests/engines", env={"MESHAPI_ENGINES": "1"})
    tell(session, "passed with Ray, Dask and Daft")


@nox.session
def peers(session: nox.Session) -> None:
    """Servers and proxies that are not ours: nginx, squid, tinyproxy, dante, hypercorn.

    The programs are those of the system; what it does not have is unpacked from Debian's packages.
    """
    session.install("-e", ".[dev]")
    folder = emptied(Path(session.create_tmp()))
    fetch = ("python", "tests/peers/packages.py", str(folder))
    missing = str(session.run(*fetch, silent=True, stderr=None)).split()
    if missing and "GITHUB_ACTIONS" in os.environ:
        # Nobody would notice what was not run.
        session.error(f"not installed, and apt has none: {', '.join(missing)}")
    pytest(session, "-rs", "-m", "", "tests/peers", env={"MESHAPI_PEERS": str(folder)})
    tell(session, f"NOT RUN: no {', '.join(missing)}" if missing else "passed")


@nox.session
def browser(session: nox.Session) -> None:
    """The local gateway's page, in a headless Chromium.

    The browser is that of the system; where there is none, root installs Debian's package.
    """
    session.install("-e", ".[dev]")
    names = ("chromium", "chromium-headless-shell", "chromium-browser", "google-chrome")
    if not any(map(shutil.which, names)) and shutil.which("apt-get") and os.geteuid() == 0:
        session.run("apt-get", "update", "-qq", external=True, success_codes=range(256))
        install = ("apt-get", "install", "-y", "-qq", "--no-install-recommends", names[0])
        session.run(*install, external=True, silent=True, success_codes=range(256))
    found = next(filter(None, map(shutil.which, names)), None)
    if found is None:
        if "GITHUB_ACTIONS" in os.environ:
            session.error("there is no Chromium: the workflow must install it")
        tell(session, "NOT RUN: no Chromium")
        session.skip("there is no Chromium here")
    pytest(session, "-rs", "-m", "", "tests/browser", env={"MESHAPI_BROWSER": found})
    tell(session, "passed with Chromium")


def pyodide(session: nox.Session) -> Path:
    """Return a folder with Pyodide and the wheels that this library needs in it."""
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
    """What lower versions than on the oldest Python are about: the backends and the local gateway.

    The oldest Python gets all tests with its lowest versions. Those of this one differ for anyio,
    trio, httpcore2 and httpx2, which the backends use, and python-multipart and wsproto, which the
    gateway uses.
    """
    parts = ("tests/backends", "tests/client/gateway")
    with_lowest(session, "-m", "not exhaustive and not slow", *parts)


def with_lowest(session: nox.Session, *arguments: str) -> None:
    session.install("-c", "constraints/lowest.txt", "-e", ".[dev]")
    once_more(session, *arguments)


def once_more(session: nox.Session, *arguments: str) -> None:
    """Run the tests with fewer examples: enough for another Python or other dependencies."""
    pytest(session, *arguments, profile="again")
    version = "import platform; print(platform.python_version())"
    found = session.run("python", "-c", version, silent=True)
    tell(session, f"passed on {str(found).strip()}")


@functools.cache
def interpreter(version: str) -> Optional[str]:
    """Return a working interpreter of this version; a shim on the PATH may not work."""
    if version == THIS:
        return sys.executable
    pyenv = Path(os.environ.get("PYENV_ROOT") or Path.home() / ".pyenv")
    candidates = [str(path) for path in sorted(pyenv.glob(f"versions/{version}.*/bin/python"))]
    # Last, because pyenv's shims are slow even if they work.
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
    """Add a session for this Python. If it is not installed, the session says so and passes.

    In a workflow, a missing Python is an error.
    """
    python = interpreter(version)

    @nox.session(name=name, python=python, venv_backend="venv" if python else "none")
    @functools.wraps(run)
    def session(session: nox.Session) -> None:
        if python is None and "GITHUB_ACTIONS" in os.environ:
            # The workflow asked for it, and nobody would notice that nothing was run.
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
    """The tests once more, on this Python, with the lowest versions that it can have.

    On the oldest Python, these are nearly the newest ones, too: most libraries have left it behind.
    """
    with_lowest(session, "-m", "not exhaustive")


def on_the_newest_python(session: nox.Session) -> None:
    """The quick tests outside `tests/house`, on the newest installed Python."""
    if NEWEST == THIS:
        tell(session, f"NOT RUN: no python newer than {THIS}")
        session.skip("`nox -s tests` uses the newest Python already")
    session.install("-e", ".[dev]")
    once_more(session, "-m", "not exhaustive and not slow", "--ignore", "tests/house")


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
    """Run pytest with these arguments, followed by those after `--`."""
    environment = {**(env or {}), **({"HYPOTHESIS_PROFILE": profile} if profile else {})}
    session.run("python", "-m", "pytest", *arguments, *session.posargs, env=environment)


def requirements(*names: str) -> list[str]:
    """Return the requirements with these names from the `dev` extra, which has many more."""
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
    """Return this folder, emptied."""
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def tell(session: nox.Session, words: str) -> None:
    """Say how a session ended, also for the table of `.ci/run` if that asks."""
    session.log(words)
    if "CI_RESULT" in os.environ:
        Path(os.environ["CI_RESULT"]).write_text(f"{words}\n", "utf-8")


@contextmanager
def umask(mask: int) -> Generator[None, None, None]:
    """Create files with this umask."""
    before = os.umask(mask)
    try:
        yield
    finally:
        os.umask(before)
