"""One local gateway for all tests of a module; commands find it by their environment."""

import io
from collections.abc import Iterator

import pytest

from meshapi.testing import LocalGateway
from support.commands import TOKEN


@pytest.fixture(scope="module")
def served() -> Iterator[LocalGateway]:
    with LocalGateway(token=TOKEN, words_per_second=0) as gateway:
        yield gateway


@pytest.fixture
def gateway(served: LocalGateway, monkeypatch: pytest.MonkeyPatch) -> LocalGateway:
    monkeypatch.setenv("MESHAPI_BASE_URL", served.url)
    monkeypatch.setenv("MESHAPI_TOKEN", TOKEN)
    served.reset()
    return served


@pytest.fixture(autouse=True)
def no_input(monkeypatch: pytest.MonkeyPatch) -> None:
    """Commands read what is piped in; here, nothing is."""
    monkeypatch.setattr("sys.stdin", io.StringIO())
