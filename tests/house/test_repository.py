"""The repository has nothing that does not belong in it, and nothing is missing."""

import os
import re
import stat
import subprocess
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest
from house.fresh import ROOT, SRC

# They read every file there is.
pytestmark = pytest.mark.slow

PACKAGES = ("meshapi_core", "meshapi_backends", "meshapi")
TEXT_SUFFIXES = {
    ".css",
    ".jinja",
    ".svg",
    ".py",
    ".md",
    ".toml",
    ".txt",
    ".cfg",
    ".ini",
    ".yml",
    ".yaml",
    ".json",
    ".sh",
    "",
}
SKIPPED_FOLDERS = {
    ".cache",
    ".git",
    ".hypothesis",
    ".mypy_cache",
    ".nox",
    ".pytest_cache",
    ".ruff_cache",
    "__pycache__",
    "build",
    "corpus",
    "regressions",
    "site",
    "dist",
    "node_modules",
    "tmp",
}

# Written in pieces, so that this file does not find itself.
MACHINE_PATHS = re.compile(r"/(?:ho" r"me|Us" r"ers|ro" r"ot|wo" r"rk)/[\w.-]|[A-Z]:\\Us" r"ers")
KEYS = re.compile(r"\b(?:rs" r"k|sk|ma" r"k|pk)_?(?:live|prod)?[-_](?P<body>[A-Za-z0-9]{16,})\b")
HOSTS = re.compile(
    r"\b(?:pypi" r"\.org|files\.pythonhosted" r"\.org|registry\.npmjs" r"\.org|index-" r"url)\b"
)
UNFINISHED = re.compile(r"\b(?:TO" r"DO|FIX" r"ME|XX" r"X)\b")
MERGE = re.compile(r"^(?:<{7}|>{7}) ", re.MULTILINE)

ALLOWED_AT_THE_TOP = {
    ".ci",
    ".github",
    ".gitignore",
    ".pre-commit-config.yaml",
    "ARCHITECTURE.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    # In a source distribution, where building has added it.
    "PKG-INFO",
    "README.md",
    "SECURITY.md",
    "bench",
    "constraints",
    "docs",
    "examples",
    "fuzz",
    "mkdocs.yml",
    "noxfile.py",
    "pyproject.toml",
    "src",
    "tests",
    "tools",
}
NEEDED = ALLOWED_AT_THE_TOP - {"PKG-INFO", "examples"}


@cache
def files() -> list[Path]:
    every = _committed() or _found()
    return sorted(path for path in every if path.is_file() and not _is_skipped(path))


def _is_skipped(path: Path) -> bool:
    parts = path.relative_to(ROOT).parts
    return any(part in SKIPPED_FOLDERS or part.startswith(".venv") for part in parts)


def _found() -> Iterator[Path]:
    for folder, folders, names in os.walk(ROOT):
        folders[:] = [name for name in folders if not _is_skipped(Path(folder, name))]
        yield from (Path(folder, name) for name in names)


def _committed() -> list[Path]:
    """Return the files that git knows or would add; nothing outside a checkout."""
    command = ["git", "-C", str(ROOT), "ls-files", "-z", "-co", "--exclude-standard"]
    try:
        done = subprocess.run(command, capture_output=True, check=True, text=True)
    except (OSError, subprocess.CalledProcessError):
        return []
    return [ROOT / name for name in done.stdout.split("\0") if name]


@cache
def texts() -> list[tuple[str, str]]:
    return [
        (str(path.relative_to(ROOT)), path.read_text("utf-8"))
        for path in files()
        if path.suffix in TEXT_SUFFIXES
    ]


def lines_with(pattern: "re.Pattern[str]") -> list[str]:
    return [
        f"{name}:{number}: {line.strip()[:100]}"
        for name, text in texts()
        for number, line in enumerate(text.splitlines(), 1)
        if pattern.search(line)
    ]


def test_there_are_no_machine_paths() -> None:
    assert lines_with(MACHINE_PATHS) == []


def test_there_are_no_registry_hosts() -> None:
    assert lines_with(HOSTS) == []


def test_there_is_nothing_that_looks_like_a_key() -> None:
    """Keys in tests begin with `rsk_test_`, or obviously are not keys."""
    found = [
        f"{name}: {match.group()[:12]}..."
        for name, text in texts()
        for match in KEYS.finditer(text)
        if any(c.isdigit() for c in match.group("body"))
    ]
    assert found == []


@pytest.mark.parametrize("text", ["rsk_" + "01J8ZQ4T7N3V5X9Y2B6C", "sk-" + "a1" * 12])
def test_the_search_for_keys_finds_one(text: str) -> None:
    assert KEYS.search(f'token = "{text}"')


def test_nothing_is_left_for_later() -> None:
    assert lines_with(UNFINISHED) == []
    assert [name for name, text in texts() if MERGE.search(text)] == []


def test_text_files_are_plain() -> None:
    """UTF-8 without a byte order mark, line feeds, no tabs in Python, one line feed at the end."""
    for name, text in texts():
        assert not text.startswith("\ufeff"), name
        assert "\r" not in text, name
        assert not text or (text.endswith("\n") and not text.endswith("\n\n")), name
        if name.endswith(".py"):
            assert "\t" not in text, name


def test_the_top_folder_holds_what_is_needed_and_no_more() -> None:
    present = {path.relative_to(ROOT).parts[0] for path in files()}
    assert present - ALLOWED_AT_THE_TOP == set()
    assert NEEDED - present == set()


def test_there_are_no_stray_kinds_of_files() -> None:
    kinds = {
        path.name if path.suffix == ".json" else path.suffix
        for path in files()
        if "vectors" not in path.parts
    }
    known = {
        ".css",
        ".html",
        ".jinja",
        ".py",
        ".md",
        ".mjs",
        ".toml",
        ".txt",
        ".typed",
        ".yml",
        ".yaml",
        ".dict",
        "",
    }
    # What is counted, and pictures of what is measured.
    known |= {"costs.json", ".png", ".svg"}
    assert kinds <= known, kinds - known


def test_no_file_is_large() -> None:
    assert [str(path) for path in files() if path.stat().st_size > 512 * 1024] == []


@pytest.mark.parametrize("package", PACKAGES)
def test_each_package_is_marked_as_typed(package: str) -> None:
    assert (SRC / package / "py.typed").read_bytes() == b""


def test_every_folder_of_the_source_is_a_package() -> None:
    folders = {path.parent for path in SRC.rglob("*.py")}
    assert [str(folder) for folder in folders if not (folder / "__init__.py").exists()] == []


def test_the_version_is_written_once() -> None:
    import meshapi
    import meshapi_core

    version = meshapi_core.__version__
    assert meshapi.__version__ == version
    assert re.fullmatch(r"\d+\.\d+\.\d+(?:(?:a|b|rc)\d+)?", version)
    quoted = re.compile(rf"""["'=/]{re.escape(version)}\b""")
    found = {name for name, text in texts() if name.startswith("src/") and quoted.search(text)}
    assert found == {"src/meshapi_core/_version.py"}
    assert version not in (ROOT / "pyproject.toml").read_text("utf-8")


def test_the_changelog_speaks_of_this_version() -> None:
    import meshapi_core

    text = (ROOT / "CHANGELOG.md").read_text("utf-8")
    assert f"## [{meshapi_core.__version__}]" in text


def test_programs_can_be_run() -> None:
    script = ROOT / ".ci" / "run"
    assert script.stat().st_mode & stat.S_IXUSR
    assert script.read_text("utf-8").startswith("#!")


def test_no_test_folder_is_a_package() -> None:
    """`--import-mode=importlib` needs none, and two of the same name would clash."""
    assert [str(path) for path in (ROOT / "tests").rglob("__init__.py")] == []
