"""One gateway for the tests of a module, fresh for each of them."""

from collections.abc import Iterator

import pytest

from meshapi.testing import LocalGateway
from support.gateway_calls import TOKEN


@pytest.fixture(scope="module")
def shared_gateway() -> Iterator[LocalGateway]:
    with LocalGateway(token=TOKEN, words_per_second=0) as gateway:
        yield gateway


@pytest.fixture
def gateway(shared_gateway: LocalGateway) -> LocalGateway:
    shared_gateway.reset()
    return shared_gateway
