"""One gateway for the programs of this folder, reset before each."""

from collections.abc import Iterator

import pytest
from interop.questions import TOKEN

from meshapi import MeshAPI
from meshapi.testing import LocalGateway


@pytest.fixture(scope="session")
def gateway() -> Iterator[LocalGateway]:
    with LocalGateway(token=TOKEN, words_per_second=0) as gateway:
        yield gateway


@pytest.fixture
def url(gateway: LocalGateway) -> str:
    gateway.reset()
    return gateway.url


@pytest.fixture
def client(url: str) -> Iterator[MeshAPI]:
    client = MeshAPI(base_url=url, token=TOKEN)
    yield client
    client.close()
