"""One gateway for the commands of a module, which find it in their environment."""

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
