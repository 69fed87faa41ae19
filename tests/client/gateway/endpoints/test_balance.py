"""/v1/balance of the local gateway."""

from decimal import Decimal

from meshapi.testing import LocalGateway
from support.gateway_calls import call, get


def test_the_balance_is_an_amount_of_dollars(gateway: LocalGateway) -> None:
    body = get(gateway, "/v1/balance").json()
    assert Decimal(body["balance_usd"]) == Decimal(body["available_usd"]) > 0
    assert Decimal(body["reserved_usd"]) == 0


def test_a_token_is_needed(gateway: LocalGateway) -> None:
    assert call(gateway, "GET", "/v1/balance", token="rsk_test_other").status == 401
