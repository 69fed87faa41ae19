"""What pyproject.toml promises agrees with what the tests run with."""

import re
import sys
from typing import Any

from house.fresh import ROOT
from packaging.requirements import Requirement

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT: dict[str, Any] = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]

SECURITY_FLOORS = {
    "h11": "0.16",
    "wsproto": "1.3",
    "anyio": "4.14",
    "trio": "0.34",
    "python-multipart": "0.0.31",
}
"""Where Python is 3.10 or newer; 3.9 gets the last version that supports it."""


def run_time_requirements() -> list[Requirement]:
    extras = PROJECT["optional-dependencies"]
    lines = [*PROJECT["dependencies"]]
    for name in ("trio", "gateway", "http2", "socks", "aiohttp", "otel", "progress", "cli"):
        lines += extras[name]
    # Not ours to require, but the tests say from which version on they work.
    lines += [line for line in extras["dev"] if line.startswith("httpx")]
    return [Requirement(line) for line in lines]


def lowest() -> list[Requirement]:
    lines = (ROOT / "constraints" / "lowest.txt").read_text("utf-8").splitlines()
    return [Requirement(line) for line in lines if line and not line.startswith("#")]


def padded(version: str) -> tuple[int, ...]:
    numbers = [int(part) for part in version.split(".")]
    return tuple(numbers + [0] * (3 - len(numbers)))


def lowest_version(requirement: Requirement) -> tuple[int, ...]:
    (found,) = (each for each in requirement.specifier if each.operator in (">=", "=="))
    return padded(found.version)


def bound(requirement: Requirement) -> tuple[str, tuple[int, ...], str]:
    return (requirement.name, lowest_version(requirement), str(requirement.marker or ""))


def test_each_lower_bound_is_a_version_that_the_tests_are_run_with() -> None:
    assert {bound(r) for r in run_time_requirements()} == {bound(r) for r in lowest()}
    assert all(str(r.specifier).startswith("==") for r in lowest())


def test_only_what_is_used_beyond_its_documents_has_an_upper_bound() -> None:
    """Otherwise an application could not upgrade a dependency before we do."""
    bounded = {r.name for r in run_time_requirements() if len(r.specifier) > 1}
    assert bounded == {"wsproto"}


def test_lower_bounds_hold_the_security_fixes() -> None:
    for name, version in SECURITY_FLOORS.items():
        best = max(lowest_version(requirement) for requirement in named(name))
        assert best >= padded(version), name


def named(name: str) -> list[Requirement]:
    return [requirement for requirement in run_time_requirements() if requirement.name == name]


def test_every_supported_python_is_in_the_classifiers() -> None:
    classifiers = PROJECT["classifiers"]
    minors = sorted(
        int(found.group(1))
        for found in (re.fullmatch(r".* :: 3\.(\d+)", line) for line in classifiers)
        if found
    )
    assert minors == list(range(9, 15))
    assert PROJECT["requires-python"] == ">=3.9"
    assert "Typing :: Typed" in classifiers


def test_the_extras_are_the_ones_that_are_documented() -> None:
    extras = {"trio", "gateway", "http2", "socks", "aiohttp", "truststore", "otel", "hosts"}
    extras |= {"parquet", "progress", "cli"}
    assert set(PROJECT["optional-dependencies"]) == {*extras, "engines", "interop", "docs", "dev"}
    installed = "meshapi[trio,gateway,http2,socks,aiohttp,otel,progress,cli]"
    assert installed in PROJECT["optional-dependencies"]["dev"]


def test_everything_that_is_imported_at_run_time_is_a_dependency() -> None:
    names = {r.name for r in (Requirement(line) for line in PROJECT["dependencies"])}
    assert names == {"anyio", "h11", "msgspec", "typing_extensions", "wsproto"}
