"""One session for each test that asks for it."""

from collections.abc import Iterator

import pytest

from meshapi.testing import LocalGateway
from support.gateway_sessions import Session, opened


@pytest.fixture
def session(gateway: LocalGateway) -> Iterator[Session]:
    with opened(gateway) as opened_session:
        yield opened_session
