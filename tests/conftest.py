"""What holds for all tests: settings of hypothesis, and what the garbage collector looks at.

The settings are registered here because a profile that is loaded after a test module was imported
does not change the tests that it decorated.
"""

import gc
import os

from hypothesis import HealthCheck, Phase, settings

settings.register_profile("dev", max_examples=100, deadline=None, stateful_step_count=30)
settings.register_profile(
    "gate",
    max_examples=100,
    deadline=None,
    derandomize=True,
    database=None,
    print_blob=True,
    stateful_step_count=50,
    # A loaded machine makes data generation slow, which says nothing about the code.
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile(
    # For the same tests once more, on another Python or with other dependencies.
    "again",
    parent=settings.get_profile("gate"),
    max_examples=25,
    stateful_step_count=30,
)
settings.register_profile(
    # For bugs that are put in on purpose: nobody reads the example, so it need not be small.
    "mutants",
    parent=settings.get_profile("again"),
    phases=[Phase.explicit, Phase.generate],
)
settings.register_profile(
    "nightly", max_examples=20_000, deadline=None, print_blob=True, stateful_step_count=200
)
settings.load_profile(
    os.environ.get("HYPOTHESIS_PROFILE") or ("gate" if os.environ.get("CI") else "dev")
)


def pytest_collection_finish() -> None:
    """Leave ten thousand tests and all modules out of the collections by which tests find leaks.

    Without this a collection takes 100 ms and not 1, which was two thirds of all time.
    """
    gc.collect()
    gc.freeze()


def pytest_sessionfinish() -> None:
    """Let pytest's last collections find what was left while it was frozen."""
    gc.unfreeze()
