"""The release tool changes nothing unless told to, and never does half of a release."""

import datetime
import re
import shutil
from pathlib import Path

import pytest
from house.fresh import ROOT

import release

TODAY = datetime.date(2030, 1, 2)
CHANGELOG = """# Changelog

## [Unreleased]

### Added

- A thing.

## [0.2.0] - 2026-11-20

The first version.
"""

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(shutil.which("git") is None, reason="git is not installed"),
]


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with one commit, independent of the user's git settings."""
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", str(tmp_path / "no settings"))
    monkeypatch.setenv("GIT_CONFIG_NOSYSTEM", "1")
    root = tmp_path / "repository"
    version_file = root / release.VERSION_FILE
    version_file.parent.mkdir(parents=True)
    version_file.write_text('"""The version."""\n\n__version__ = "0.2.0"\n')
    (root / release.CHANGELOG).write_text(CHANGELOG)
    release.git(root, "init", "--quiet")
    release.git(root, "config", "user.name", "Test")
    release.git(root, "config", "user.email", "test@example.com")
    release.git(root, "add", ".")
    release.git(root, "commit", "--quiet", "--message", "Begin")
    return root


def state(root: Path) -> tuple[str, ...]:
    """Everything that a release changes."""
    return (
        release.git(root, "rev-parse", "HEAD"),
        release.git(root, "tag", "--list"),
        release.git(root, "status", "--porcelain"),
        (root / release.CHANGELOG).read_text(),
    )


def test_nothing_is_done_unless_it_is_told_to_write(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = state(repository)
    assert release.main(["0.3.0"], repository, TODAY) == 0
    assert state(repository) == before
    assert "would make" in capsys.readouterr().out


def test_a_release_is_one_commit_and_one_tag(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert release.main(["0.3.0", "--write"], repository, TODAY) == 0
    assert "git push --atomic origin HEAD v0.3.0" in capsys.readouterr().out
    assert release.current_version(repository) == "0.3.0"
    assert (repository / release.CHANGELOG).read_text() == CHANGELOG.replace(
        "## [Unreleased]\n", "## [Unreleased]\n\n## [0.3.0] - 2030-01-02\n"
    )
    assert release.git(repository, "status", "--porcelain") == ""
    assert release.git(repository, "log", "--format=%s") == "Release 0.3.0\nBegin"
    assert release.git(repository, "tag", "--points-at", "HEAD") == "v0.3.0"
    assert release.git(repository, "cat-file", "-t", "v0.3.0") == "tag"
    assert release.main(["--check-tag", "v0.3.0"], repository) == 0


def refused(root: Path, capsys: pytest.CaptureFixture[str], *arguments: str) -> str:
    """Return the message with which a release is refused; nothing may have changed."""
    before = state(root)
    assert release.main([*arguments], root, TODAY) == 1
    assert state(root) == before
    return capsys.readouterr().err


@pytest.mark.parametrize("version", ["0.2.0", "0.1.9", "0.2.0rc1", "0.3", "v0.3.0", "0.3.0.dev1"])
def test_a_version_must_be_one_and_newer(
    version: str, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    words = refused(repository, capsys, version, "--write")
    assert "not newer than 0.2.0" in words or "is not a version" in words


def test_versions_are_ordered_as_installers_order_them() -> None:
    versions = ["0.9.0", "0.10.0a1", "0.10.0b1", "0.10.0rc1", "0.10.0rc2", "0.10.0", "1.0.0"]
    keys = [release.order(version) for version in versions]
    assert keys == sorted(set(keys))


def test_changes_that_are_not_committed_are_in_the_way(
    repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / "forgotten.py").write_text("")
    assert "forgotten.py" in refused(repository, capsys, "0.3.0", "--write")


def test_a_tag_is_not_made_twice(repository: Path, capsys: pytest.CaptureFixture[str]) -> None:
    release.git(repository, "tag", "v0.3.0")
    assert "the tag v0.3.0 already exists" in refused(repository, capsys, "0.3.0", "--write")


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("# Changelog\n\n## [0.2.0] - 2026-11-20\n", "no line '## [Unreleased]'"),
        (CHANGELOG.replace("### Added\n\n- A thing.\n\n", ""), "there are no entries under"),
        (CHANGELOG.replace("[0.2.0]", "[0.3.0]"), "already has a section for 0.3.0"),
    ],
    ids=["no heading", "nothing new", "already there"],
)
def test_the_changelog_must_have_something_to_say(
    text: str, words: str, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (repository / release.CHANGELOG).write_text(text)
    release.git(repository, "commit", "--quiet", "--all", "--message", "Change")
    assert words in refused(repository, capsys, "0.3.0", "--write")


@pytest.mark.parametrize(
    ("tag", "words"),
    [
        ("v0.3.0", "version in the source is 0.2.0"),
        ("v0.2.0", "still has unreleased entries"),
    ],
)
def test_a_tag_that_does_not_fit_is_refused(
    tag: str, words: str, repository: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert words in refused(repository, capsys, "--check-tag", tag)


def test_the_tool_reads_the_files_of_this_repository() -> None:
    assert re.fullmatch(r"\d+\.\d+\.\d+\w*", release.current_version(ROOT))
    changelog = (ROOT / release.CHANGELOG).read_text("utf-8")
    heading = "## [Unreleased]\n"
    changelog = changelog.replace(heading, f"{heading}\n- A thing.\n")
    assert "## [99.0.0] - 2030-01-02\n" in release.released(changelog, "99.0.0", TODAY)
