"""Check the built distributions: `python tests/house/check_wheel.py dist`.

A wheel is what users run, so it must contain the three packages as they are in `src/`, and nothing
else: no tests, no `.pth` file, no data folder, no compiled file.
"""

import base64
import csv
import hashlib
import io
import sys
import tarfile
import zipfile
from email.parser import Parser
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("meshapi", "meshapi_backends", "meshapi_core")
DIST_INFO = {"METADATA", "WHEEL", "RECORD", "entry_points.txt", "licenses/LICENSE"}


def check(condition: bool, message: str) -> None:
    if not condition:
        sys.exit(f"check_wheel: {message}")


def expected_files() -> dict[str, bytes]:
    """Return the name in the wheel and the bytes of every source file."""
    return {
        path.relative_to(ROOT / "src").as_posix(): path.read_bytes()
        for package in PACKAGES
        for path in (ROOT / "src" / package).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }


def check_wheel(path: Path) -> None:
    with zipfile.ZipFile(path) as archive:
        content = {name: archive.read(name) for name in archive.namelist()}
    (info,) = {name.partition("/")[0] for name in content if ".dist-info/" in name}
    packaged = {name: data for name, data in content.items() if not name.startswith(info)}
    check(packaged == expected_files(), f"not src/: {set(packaged) ^ set(expected_files())}")
    for package in PACKAGES:
        check(f"{package}/py.typed" in packaged, f"{package} is not marked as typed")
    check({name[len(info) + 1 :] for name in content} & DIST_INFO == DIST_INFO, "dist-info")
    extra = {name for name in content if name.startswith(info)} - {
        f"{info}/{name}" for name in DIST_INFO
    }
    check(not extra, f"unexpected: {sorted(extra)}")
    check_record(content, info)
    check_metadata(content[f"{info}/METADATA"].decode("utf-8"))


def check_record(content: dict[str, bytes], info: str) -> None:
    rows = csv.reader(io.StringIO(content[f"{info}/RECORD"].decode("utf-8")))
    recorded = {name: (digest, size) for name, digest, size in rows}
    check(set(recorded) == set(content), "RECORD does not list what is there")
    for name, (digest, size) in recorded.items():
        if not name.endswith("/RECORD"):
            encoded = base64.urlsafe_b64encode(hashlib.sha256(content[name]).digest())
            check(digest == f"sha256={encoded.rstrip(b'=').decode()}", f"{name}: digest")
            check(int(size) == len(content[name]), f"{name}: size")


def check_metadata(text: str) -> None:
    metadata = Parser().parsestr(text)
    version: dict[str, str] = {}
    exec((ROOT / "src/meshapi_core/_version.py").read_text("utf-8"), version)
    check(metadata["Name"] == "meshapi", "name")
    check(metadata["Version"] == version["__version__"], "version")
    check(metadata["License-Expression"] == "MIT", "license")
    check(metadata["Requires-Python"] == ">=3.9", "requires-python")
    check(set(metadata.get_all("Provides-Extra", [])) >= {"trio", "gateway"}, "extras")
    for requirement in metadata.get_all("Requires-Dist", []):
        check(" @ " not in requirement, f"depends on an address: {requirement}")


def check_sdist(path: Path) -> None:
    with tarfile.open(path) as archive:
        names = {name.partition("/")[2] for name in archive.getnames()}
    vectors = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests/vectors").glob("*.*")}
    check(bool(vectors) and vectors <= names, "vectors are missing")
    others = (
        "tests/conftest.py",
        "docs/index.md",
        "docs/diagrams/exchange.svg",
        "mkdocs.yml",
        "examples/other_sdk/acme.py",
        ".ci/run",
        ".github/workflows/tests.yml",
        ".pre-commit-config.yaml",
    )
    for needed in ("pyproject.toml", "README.md", "LICENSE", "PKG-INFO", *others):
        check(needed in names, f"the source distribution lacks {needed}")
    check({f"src/{name}" for name in expected_files()} <= names, "sources are missing")
    check(not [name for name in names if name.endswith((".pyc", ".pth"))], "compiled files")
    check(not [name for name in names if name.startswith(("site/", "build/"))], "a built site")


def main() -> None:
    folder = Path(sys.argv[1])
    (wheel,) = folder.glob("*.whl")
    (sdist,) = folder.glob("*.tar.gz")
    check(wheel.name.endswith("-py3-none-any.whl"), "the wheel is not for every platform")
    check_wheel(wheel)
    check_sdist(sdist)
    print(f"{wheel.name} and {sdist.name} hold what they should")


if __name__ == "__main__":
    main()
