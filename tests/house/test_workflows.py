"""The workflows name only what exists: sessions, Pythons, and actions by commit."""

import ast
import re
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml
from house.fresh import ROOT

if sys.version_info >= (3, 11):
    import tomllib
else:
    import tomli as tomllib

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
GITHUB = ROOT / ".github"
WORKFLOWS = sorted((GITHUB / "workflows").glob("*.yml"))
ACTION = re.compile(r"uses: ([\w./-]+)@(\S+)(.*)")
PINNED = re.compile(r"[0-9a-f]{40}")
TAGGED = re.compile(r" # v\d+\.\d+\.\d+")


def pythons() -> list[str]:
    """The supported versions, from the classifiers."""
    found = (re.fullmatch(r".* :: (3\.\d+)", line) for line in PROJECT["classifiers"])
    return [match[1] for match in found if match]


def sessions() -> set[str]:
    """The names of the sessions in noxfile.py, which is not run, because nox may be missing."""
    tree = ast.parse((ROOT / "noxfile.py").read_text("utf-8"))
    decorated = {
        node.name
        for node in tree.body
        if isinstance(node, ast.FunctionDef)
        and any(ast.unparse(one).startswith("nox.session") for one in node.decorator_list)
    }
    ours = {f"tests-{version}" for version in pythons()}
    return decorated | ours | {"tests-newest", f"lowest-{pythons()[0]}"}


def load(path: Path) -> dict[str, Any]:
    loaded: dict[str, Any] = yaml.safe_load(path.read_text("utf-8"))
    return loaded


def steps(workflow: dict[str, Any]) -> list[dict[str, Any]]:
    return [step for job in workflow["jobs"].values() for step in job.get("steps", ())]


def named_sessions(text: str) -> set[str]:
    """Return the sessions that a text names: after `nox -s`, and in the matrix of a workflow."""
    behind = re.findall(r"nox -s ((?:[a-z][\w.-]*(?: (?!--))?)+)", text)
    lists = re.findall(r"^ +session: \[(.*)\]$", text, re.MULTILINE)
    return {name for found in behind for name in found.split()} | {
        name.strip() for found in lists for name in found.split(",")
    }


def test_there_are_workflows_and_sessions() -> None:
    assert {path.stem for path in WORKFLOWS} == {"checks", "release", "tests"}
    assert {"tests", "thorough", "lint", "types", "docs", "wheel", "tests-3.9"} <= sessions()


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_a_workflow_may_do_no_more_than_it_must(path: Path) -> None:
    workflow = load(path)
    assert workflow["permissions"] in ({}, {"contents": "read"})
    assert workflow["concurrency"]["group"]
    for name, job in workflow["jobs"].items():
        allowed = job.get("permissions", workflow["permissions"])
        assert allowed in ({"contents": "read"}, {"id-token": "write"}), name
        if "uses" in job:
            # Another workflow of ours, whose own jobs are looked at in its place.
            assert ROOT / job["uses"] in WORKFLOWS, name
            assert "secrets" not in job, name
            continue
        assert job["timeout-minutes"] <= 60, name
        for step in job["steps"]:
            if step.get("uses", "").startswith("actions/checkout@"):
                assert step["with"]["persist-credentials"] is False, name
            # What somebody else has written must not become a part of a command.
            assert "github.event" not in step.get("run", ""), name
            assert "github.head_ref" not in step.get("run", ""), name


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.stem)
def test_actions_are_pinned_by_commit_and_say_their_version(path: Path) -> None:
    text = path.read_text("utf-8")
    found = ACTION.findall(text)
    ours = text.count("uses: ./.github/workflows/")
    assert len(found) == text.count("uses:") - ours > 0
    for action, commit, comment in found:
        assert PINNED.fullmatch(commit), action
        assert TAGGED.fullmatch(comment), action


def test_an_action_has_one_version_everywhere() -> None:
    pins: dict[str, set[str]] = {}
    for path in WORKFLOWS:
        for action, commit, comment in ACTION.findall(path.read_text("utf-8")):
            pins.setdefault(action, set()).add(commit + comment)
    assert {action: found for action, found in pins.items() if len(found) > 1} == {}


def test_the_tests_run_on_every_python_of_the_classifiers() -> None:
    workflow = load(GITHUB / "workflows" / "tests.yml")
    matrix = workflow["jobs"]["tests"]["strategy"]["matrix"]
    assert matrix["python"] == pythons()
    others = {(row["os"], row["python"].rstrip("t")) for row in matrix["include"]}
    assert {python for _, python in others} <= set(pythons())
    assert {os.partition("-")[0] for os, _ in others} == {"macos", "ubuntu", "windows"}
    assert any(row["python"].endswith("t") for row in matrix["include"])


def test_a_release_is_tested_as_a_change_is() -> None:
    jobs = load(GITHUB / "workflows" / "release.yml")["jobs"]
    assert jobs["tests"]["uses"] == "./.github/workflows/tests.yml"
    assert (jobs["build"]["needs"], jobs["publish"]["needs"]) == ("tests", "build")
    # YAML 1.1 reads `on` as True.
    triggers: Any = load(GITHUB / "workflows" / "tests.yml")
    assert "workflow_call" in triggers[True]


def test_only_the_publishing_job_gets_a_token_of_the_index() -> None:
    jobs = load(GITHUB / "workflows" / "release.yml")["jobs"]
    writers = [name for name, job in jobs.items() if "id-token" in job.get("permissions", {})]
    assert writers == ["publish"]
    assert not [step for step in jobs["publish"]["steps"] if "run" in step]
    assert "secrets." not in (GITHUB / "workflows" / "release.yml").read_text("utf-8")


PLACES = [*WORKFLOWS, ROOT / "CONTRIBUTING.md", ROOT / "noxfile.py", ROOT / "pyproject.toml"]


@pytest.mark.parametrize("path", PLACES, ids=lambda path: path.name)
def test_the_sessions_that_are_named_are_there(path: Path) -> None:
    named = named_sessions(path.read_text("utf-8"))
    assert named - sessions() == set()
    assert named


def test_ci_runs_sessions_that_are_there() -> None:
    text = (ROOT / ".ci" / "run").read_text("utf-8")
    (steps_of_ci,) = re.findall(r"^STEPS=\((.*)\)$", text, re.MULTILINE)
    named = set(steps_of_ci.split()) - {"demo"}
    assert named - sessions() == set()
    assert {"tests", "thorough", "lint", "types", "docs", "wheel", "interop", "hosts"} <= named
    # The oldest Python with the lowest versions, and the newest one with the newest.
    assert {"tests-newest", "lowest", f"lowest-{pythons()[0]}"} <= named


@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("`nox -s tests -- -k pool`", {"tests"}),
        ("run: python -m nox -s tests wheel\n", {"tests", "wheel"}),
        ("nox -s tests-3.9     # the tests", {"tests-3.9"}),
        ("        session: [lint, tests-3.9]\n", {"lint", "tests-3.9"}),
        ("nox", set()),
    ],
)
def test_names_of_sessions_are_found(text: str, names: set[str]) -> None:
    assert named_sessions(text) == names


FORMS = sorted(path for path in GITHUB.rglob("*.yml") if path not in WORKFLOWS)


@pytest.mark.parametrize("path", [*FORMS, ROOT / ".pre-commit-config.yaml"], ids=lambda p: p.name)
def test_forms_and_settings_can_be_read(path: Path) -> None:
    loaded = load(path)
    if path.parent.name == "ISSUE_TEMPLATE" and path.name != "config.yml":
        assert loaded["name"]
        assert loaded["description"]
        kinds = {"markdown", "textarea", "input", "dropdown", "checkboxes"}
        assert {part["type"] for part in loaded["body"]} <= kinds
        ids = [part["id"] for part in loaded["body"] if part["type"] != "markdown"]
        assert len(ids) == len(set(ids)) > 0


def test_hooks_and_sessions_have_one_version_of_ruff() -> None:
    hooks = load(ROOT / ".pre-commit-config.yaml")["repos"][0]["hooks"]
    wanted = {
        dependency
        for hook in hooks
        for dependency in hook.get("additional_dependencies", [])
        if dependency.startswith("ruff")
    }
    dev = PROJECT["optional-dependencies"]["dev"]
    assert wanted == {line.partition(";")[0] for line in dev if line.startswith("ruff")}
