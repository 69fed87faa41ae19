"""types.models: a catalogue that no odd row can break."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi_core.codec.decoding import decode
from meshapi_core.errors import InvalidParamsError, ResponseWarning
from meshapi_core.params.encoding import check
from meshapi_core.types.models import (
    ListModelsParams,
    ModelInfo,
    ModelPricing,
    ModelSearchFields,
    ModelSearchParams,
    ModelsPage,
)
from support.structs import json_values

ROWS = msgspec.json.Decoder(list[ModelInfo])
PAGE = msgspec.json.Decoder(ModelsPage)
GOOD: dict[str, Any] = {"id": "good", "name": "Good", "is_free": True}


def rows(*sent: Any) -> list[ModelInfo]:
    return decode(msgspec.json.encode(sent), ROWS)


def test_keywords_are_the_fields_of_the_params():
    assert set(ModelSearchFields.__annotations__) == set(ModelSearchParams.__struct_fields__)


class TestOneOddRowDoesNotBreakTheList:
    def test_a_null_name(self):
        assert [row.name for row in rows({**GOOD, "name": None}, GOOD)] == ["", "Good"]

    @pytest.mark.parametrize(
        ("price", "text"), [(0.15, "0.15"), (3, "3"), (0, "0"), (1e-7, "1e-07"), ("0.150", "0.150")]
    )
    def test_a_numeric_price_becomes_text(self, price, text):
        pricing = {"prompt_usd_per_1m": price, "notes": None}
        first, second = rows({**GOOD, "pricing": pricing}, GOOD)
        assert first.pricing == ModelPricing(prompt_usd_per_1m=text)
        assert first.raw["pricing"] == pricing
        assert second == ModelInfo(**GOOD)

    @pytest.mark.filterwarnings("ignore::meshapi_core.ResponseWarning")
    @given(st.sampled_from(ModelInfo.__struct_fields__), json_values)
    def test_any_value_in_any_field(self, name, odd):
        first, second = rows({**GOOD, name: odd}, GOOD)
        assert first.raw == {**GOOD, name: odd}
        assert second == ModelInfo(**GOOD)

    def test_rows_that_are_not_objects_are_left_out_with_a_warning(self):
        with pytest.warns(ResponseWarning, match=r"\[\]: expected dict, got int"):
            assert rows(5, GOOD, 5) == [ModelInfo(**GOOD)]
        with pytest.warns(ResponseWarning, match=r"items\[\]: expected dict, got None"):
            page = decode(b'{"items":[null,{"id":"a","name":7}],"total":2}', PAGE)
        assert page.items == [ModelInfo(id="a", name="7")]

    def test_a_row_that_is_a_name_is_that_model(self):
        assert rows("a", GOOD) == [ModelInfo(id="a"), ModelInfo(**GOOD)]


def test_prices_of_every_version_have_their_fields():
    """From the first gateways, from today's, and from those in between."""
    names = (
        "prompt_usd_per_1k prompt_usd_per_1k_discounted completion_usd_per_1k_discounted"
        " image_usd_per_image input_usd_per_unit output_usd_per_unit pricing_unit"
        " long_context_cache_write_input_usd_per_1m discount_pct"
    ).split()
    prices = {name: f"0.{number}" for number, name in enumerate(names)}
    assert msgspec.to_builtins(ModelPricing(**prices)) == prices
    assert all(field.default is None for field in msgspec.structs.fields(ModelPricing))


def test_facets_of_any_kind_are_kept():
    for facets in (None, {"brand": {"openai": 3}}, [1]):
        assert decode(msgspec.json.encode({"facets": facets}), PAGE).facets == facets


@pytest.mark.parametrize(
    ("kind", "fields", "message"),
    [
        (ListModelsParams, {"type": 5}, "type: expected str, got int"),
        (ListModelsParams, {"free": "yes"}, "free: expected bool, got str"),
        (ModelSearchParams, {"brand": "openai"}, "brand: expected list, got str"),
    ],
)
def test_the_wrong_kind_is_refused_by_name(kind, fields, message):
    with pytest.raises(InvalidParamsError) as caught:
        check(fields, kind)
    assert str(caught.value).startswith(message)


def test_models_can_be_sorted_by_price():
    assert check({"sort": "price"}, ModelSearchParams).sort == "price"
