"""Make a release of this checkout: its version, changelog and tag.

    python tools/release.py 0.3.0                 says what it would do, or what prevents it
    python tools/release.py 0.3.0 --write         makes one commit and one tag, and pushes neither
    python tools/release.py --check-tag v0.3.0    checks that a tag fits the version and changelog

It pushes and uploads nothing. Pushing the tag starts `.github/workflows/release.yml`, which builds
and publishes the release.
"""

import argparse
import datetime
import re
import subprocess
import sys
from pathlib import Path
from typing import Optional

ROOT = Path(__file__).resolve().parents[1]
VERSION_FILE = "src/meshapi_core/_version.py"
CHANGELOG = "CHANGELOG.md"

_VERSION = re.compile(r"(\d+)\.(\d+)\.(\d+)(?:(a|b|rc)(\d+))?")
_ASSIGNMENT = re.compile(r'^__version__ = "(.*)"$', re.MULTILINE)
_UNRELEASED = "## [Unreleased]\n"
_FINAL = "z"  # behind a, b and rc


class NotReady(Exception):
    """What prevents the release."""


def current_version(root: Path) -> str:
    """Return the version in the source."""
    found = _ASSIGNMENT.search((root / VERSION_FILE).read_text("utf-8"))
    if found is None:
        raise NotReady(f'{VERSION_FILE} has no line like: __version__ = "1.2.3"')
    return found[1]


def order(version: str) -> tuple[int, int, int, str, int]:
    """Return a key that sorts versions.

    Raises:
        NotReady: the version is not of the form 1.2.3 or 1.2.3rc4.
    """
    found = _VERSION.fullmatch(version)
    if found is None:
        raise NotReady(f"{version!r} is not a version: expected one like 1.2.3 or 1.2.3rc4")
    major, minor, patch, kind, number = found.groups()
    return int(major), int(minor), int(patch), kind or _FINAL, int(number or 0)


def released(changelog: str, version: str, date: datetime.date) -> str:
    """Return the changelog with the unreleased entries moved under this version."""
    if f"## [{version}]" in changelog:
        raise NotReady(f"{CHANGELOG} already has a section for {version}")
    before, heading, rest = changelog.partition(_UNRELEASED)
    if not heading:
        raise NotReady(f"{CHANGELOG} has no line {_UNRELEASED.strip()!r}")
    if not unreleased(changelog):
        raise NotReady(f"there are no entries under {_UNRELEASED.strip()!r} in {CHANGELOG}")
    return f"{before}{heading}\n## [{version}] - {date.isoformat()}\n{rest}"


def unreleased(changelog: str) -> str:
    """Return the unreleased entries."""
    return changelog.partition(_UNRELEASED)[2].partition("\n## [")[0].strip()


def check(root: Path, version: str) -> None:
    """Check everything that can prevent a release.

    Raises:
        NotReady: something prevents it.
    """
    current = current_version(root)
    if order(version) <= order(current):
        raise NotReady(f"{version} is not newer than {current}")
    changes = git(root, "status", "--porcelain")
    if changes:
        raise NotReady(f"commit or stash these changes first:\n{changes}")
    if git(root, "tag", "--list", f"v{version}"):
        raise NotReady(f"the tag v{version} already exists")
    released((root / CHANGELOG).read_text("utf-8"), version, datetime.date.min)


def write(root: Path, version: str, date: datetime.date) -> None:
    """Write the version and the changelog, commit both, and tag the commit."""
    for name, text in (
        (VERSION_FILE, with_version((root / VERSION_FILE).read_text("utf-8"), version)),
        (CHANGELOG, released((root / CHANGELOG).read_text("utf-8"), version, date)),
    ):
        (root / name).write_bytes(text.encode("utf-8"))
    git(root, "commit", "--quiet", "--message", f"Release {version}", "--", VERSION_FILE, CHANGELOG)
    git(root, "tag", "--annotate", "--message", f"meshapi {version}", f"v{version}")


def with_version(source: str, version: str) -> str:
    """Return the text of the version file with another version."""
    return _ASSIGNMENT.sub(f'__version__ = "{version}"', source)


def check_tag(root: Path, tag: str) -> None:
    """Check that a tag fits the version in this checkout, and that the changelog has that version.

    Raises:
        NotReady: one of them does not fit.
    """
    version = current_version(root)
    if tag != f"v{version}":
        raise NotReady(f"the tag is {tag}, but the version in the source is {version}")
    changelog = (root / CHANGELOG).read_text("utf-8")
    heading = rf"^## \[{re.escape(version)}\] - \d{{4}}-\d\d-\d\d$"
    if not re.search(heading, changelog, re.MULTILINE):
        raise NotReady(f"{CHANGELOG} has no section with a date for {version}")
    if unreleased(changelog):
        raise NotReady(f"{CHANGELOG} still has unreleased entries")


def git(root: Path, *arguments: str) -> str:
    """Return what git prints.

    Raises:
        NotReady: git failed; the message is git's.
    """
    done = subprocess.run(["git", "-C", str(root), *arguments], capture_output=True, text=True)
    if done.returncode:
        raise NotReady(f"git {arguments[0]}: {done.stderr.strip()}")
    return done.stdout.strip()


def main(arguments: list[str], root: Path = ROOT, today: Optional[datetime.date] = None) -> int:
    """Do what the arguments say; return the exit status."""
    parser = argparse.ArgumentParser(description="Make a release of this checkout.")
    parser.add_argument("version", nargs="?", help="the new version, such as 1.2.3 or 1.2.3rc4")
    parser.add_argument("--write", action="store_true", help="commit and tag; else only check")
    parser.add_argument("--check-tag", metavar="TAG", help="compare a tag with this checkout")
    options = parser.parse_args(arguments)
    if (options.version is None) == (options.check_tag is None):
        parser.error("give either a version or --check-tag")
    date = today or datetime.datetime.now(datetime.timezone.utc).date()
    try:
        if options.check_tag is not None:
            check_tag(root, options.check_tag)
            print(f"{options.check_tag} fits the version and the changelog of this checkout")
            return 0
        check(root, options.version)
        if options.write:
            write(root, options.version, date)
    except NotReady as exc:
        print(exc, file=sys.stderr)
        return 1
    verb = "made" if options.write else "would make"
    print(f"{verb} the commit 'Release {options.version}' and the tag v{options.version}")
    if options.write:
        print(f"to publish it: git push --atomic origin HEAD v{options.version}")
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
