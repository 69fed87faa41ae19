"""types.account: amounts of money are text, and no field is lost."""

import msgspec
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.codec.decoding import decode
from meshapi_core.types import account
from meshapi_core.types._base import OpenResponseModel, attach
from meshapi_core.types.account import AccountBalance, RateLimits, UsageEvents, UsageSummary
from support.metas import meta_with
from support.structs import json_objects

DECODER = msgspec.json.Decoder(AccountBalance)
KINDS = [getattr(account, name) for name in account.__all__]


@given(st.sampled_from(KINDS), json_objects)
def test_everything_is_an_attribute_and_in_raw(kind, unknown):
    new = {f"new_{name}": value for name, value in unknown.items()}
    body = msgspec.json.encode(new)
    response = attach(decode(body, msgspec.json.Decoder(kind)), body, meta_with(""))
    assert isinstance(response, OpenResponseModel)
    assert response == kind(**new)
    assert all(getattr(response, name) == value for name, value in new.items())
    assert new.items() <= response.model_dump().items()


def test_money_is_text_even_if_the_server_sends_a_number():
    balance = decode(b'{"balance_usd":1.5,"available_usd":"1.50"}', DECODER)
    assert (balance.balance_usd, balance.available_usd) == ("1.5", "1.50")
    assert balance.reserved_usd is None


def test_what_is_missing_is_none_and_lists_are_empty():
    assert UsageSummary().total_requests is None
    assert UsageEvents().events == []
    assert RateLimits().key is None
