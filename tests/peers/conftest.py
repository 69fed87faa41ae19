"""The peers that modules share, and what they have logged if a test fails."""

import os
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from meshapi.testing import LocalGateway
from support.flavours import TOKEN


@pytest.fixture(scope="session")
def peers() -> Iterator[Callable[..., Any]]:
    """Return a program of this class and these options, which runs until all tests are done."""
    running: dict[Any, Any] = {}
    with ExitStack() as stack:

        def get(kind: Callable[..., Any], *args: Any, **options: Any) -> Any:
            key = (kind, args, tuple(sorted(options.items())))
            if key not in running:
                running[key] = stack.enter_context(kind(*args, **options))
            return running[key]

        yield get


@pytest.fixture(scope="session")
def gateway() -> Iterator[LocalGateway]:
    with LocalGateway(token=TOKEN, words_per_second=0) as gateway:
        yield gateway


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item) -> Any:
    report = yield
    if report.failed and "MESHAPI_PEERS" in os.environ:
        from peers.programs import RUNNING

        for program in RUNNING:
            report.sections.append((f"{program.name} on port {program.port}", program.logs()))
    return report
