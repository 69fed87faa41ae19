"""Settings for all tests: how thorough they are, how many processes, how long each may take.

The settings of Hypothesis are registered here because a profile that is loaded after a test module
was imported does not change the tests that it decorated.
"""

import gc
import os
import re

import pytest
from hypothesis import HealthCheck, Phase, settings

from support import turns

# Whoever runs the tests may work behind a proxy: no test is to go through it.
for _name in [name for name in os.environ if re.fullmatch(r"(?i)(\w+_)?proxy", name)]:
    del os.environ[_name]

settings.register_profile(
    # The default: enough to notice that something is wrong, with new examples each time.
    "quick",
    max_examples=10,
    deadline=None,
    stateful_step_count=20,
    # A loaded machine makes data generation slow, which says nothing about the code.
    suppress_health_check=[HealthCheck.too_slow],
    # In CI, a change must not fail because of a new example that has nothing to do with it.
    derandomize=bool(os.environ.get("CI")),
    database=None if os.environ.get("CI") else settings.default.database,
    print_blob=bool(os.environ.get("CI")),
)
settings.register_profile(
    # The thorough profile; pytest -m '' runs every test.
    "gate",
    max_examples=100,
    deadline=None,
    derandomize=True,
    database=None,
    print_blob=True,
    stateful_step_count=50,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    # Half of it, for .ci/run: each example takes 2 ms, and those of the gate are two minutes more.
    "ci",
    parent=settings.get_profile("gate"),
    max_examples=50,
)
settings.register_profile(
    # For running the same tests again, on another Python or with other dependencies.
    "again",
    parent=settings.get_profile("gate"),
    max_examples=10,
    stateful_step_count=20,
)
settings.register_profile(
    # For mutants: nobody reads the failing example, so it need not be shrunk.
    "mutants",
    parent=settings.get_profile("gate"),
    max_examples=25,
    stateful_step_count=30,
    phases=[Phase.explicit, Phase.generate],
)
settings.register_profile(
    "nightly", max_examples=20_000, deadline=None, print_blob=True, stateful_step_count=200
)
PROFILE = os.environ.get("HYPOTHESIS_PROFILE") or "quick"
settings.load_profile(PROFILE)

# See support/turns.py.
TURN = int(os.environ["MESHAPI_TESTS_TURN"]) if "MESHAPI_TESTS_TURN" in os.environ else None

# The rule of 0.25 s holds for the profile with few examples only.
pytest_plugins = ["support.workers", *(["support.slow_rule"] if PROFILE == "quick" else [])]


def pytest_collection_modifyitems(config: pytest.Config, items: "list[pytest.Item]") -> None:
    """Leave rows to other flavours; mark exhaustive tests as slow, for `-m 'not slow'`."""
    others = set(turns.passed_over(items, TURN))
    if TURN is None:
        for item in others:
            item.add_marker("exhaustive")
    elif others:
        config.hook.pytest_deselected(items=[*others])
        items[:] = [item for item in items if item not in others]
    for item in items:
        if item.get_closest_marker("exhaustive") is not None:
            item.add_marker("slow")


def pytest_collection_finish() -> None:
    """Exclude the tests and modules that exist from the garbage collections that detect leaks.

    Without this, a collection takes 100 ms instead of 1, which was two thirds of the whole time.
    """
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    """Let pytest's last collections see the frozen objects again."""
    gc.unfreeze()
