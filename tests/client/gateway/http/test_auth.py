"""The token of the local gateway."""

from typing import Optional

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from meshapi.gateway.http.auth import check_token, is_token
from meshapi.gateway.http.errors import GatewayError
from meshapi.gateway.state import GatewayState
from support.gateway_calls import TOKEN


@given(st.text())
@example("")
@example(TOKEN[:-1])
@example(TOKEN + " ")
@example("\ud800")
def test_no_other_text_is_the_token(text: str) -> None:
    assert is_token(TOKEN, text) is (text == TOKEN)


@pytest.mark.parametrize("token", [None, "", "rsk_test_wrong"])
def test_without_the_token_there_is_an_error(token: Optional[str]) -> None:
    state = GatewayState(TOKEN, 0)
    check_token(state, TOKEN)
    with pytest.raises(GatewayError) as raised:
        check_token(state, token)
    assert (raised.value.status, raised.value.error["code"]) == (401, "unauthorized")
