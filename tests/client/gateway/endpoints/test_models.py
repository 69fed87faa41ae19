"""/v1/models of the local gateway."""

from typing import Any

import pytest

from meshapi.gateway.models import CHAT_MODELS, FAILING_MODELS, FAILING_REALTIME_MODELS, MODELS
from meshapi.testing import LocalGateway
from support.gateway_calls import call, get, post


def ids(rows: list[dict[str, Any]]) -> list[str]:
    return [row["id"] for row in rows]


def search(gateway: LocalGateway, query: str) -> Any:
    response = get(gateway, f"/v1/models/search?{query}")
    assert response.status == 200, response.body
    return response.json()


class TestLists:
    def test_are_bare_arrays_of_all_free_or_paid_models(self, gateway: LocalGateway) -> None:
        every, free, paid = (
            get(gateway, f"/v1/models{below}").json() for below in ("", "/free", "/paid")
        )
        assert sorted(ids(every)) == sorted(ids(free) + ids(paid))
        assert free
        assert all(row["is_free"] for row in free)
        assert not any(row["is_free"] for row in paid)
        assert get(gateway, "/v1/models?free=true").json() == free
        assert get(gateway, "/v1/models?free=false").json() == paid
        assert not FAILING_MODELS & set(ids(every))

    def test_have_prices_in_text(self, gateway: LocalGateway) -> None:
        for row in get(gateway, "/v1/models").json():
            assert row["pricing"]
            assert all(isinstance(price, str) for price in row["pricing"].values())
        mini = get(gateway, "/v1/models/openai/gpt-4o-mini").json()["pricing"]
        assert (mini["prompt_usd_per_1m"], mini["prompt_usd_per_1k"]) == ("0.15", "0.00015")

    @pytest.mark.parametrize("kind", ["text", "embedding", "image", "audio", "video"])
    def test_can_be_of_one_kind(self, gateway: LocalGateway, kind: str) -> None:
        rows = get(gateway, f"/v1/models?type={kind}").json()
        assert rows
        assert {row["model_type"] for row in rows} == {kind}

    def test_can_be_of_one_provider(self, gateway: LocalGateway) -> None:
        rows = get(gateway, "/v1/models?provider=openai&free=false").json()
        assert {row["provider"] for row in rows} == {"openai"}
        assert get(gateway, "/v1/models?provider=acme").json() == []

    @pytest.mark.parametrize(
        ("query", "kind", "name"),
        [("free=maybe", "bool_parsing", "free"), ("type=smell", "literal_error", "type")],
    )
    def test_refuse_a_bad_query(
        self, gateway: LocalGateway, query: str, kind: str, name: str
    ) -> None:
        assert get(gateway, f"/v1/models?{query}").faults == [(kind, ["query", name])]


class TestSearch:
    def test_without_a_query_finds_everything(self, gateway: LocalGateway) -> None:
        page = search(gateway, "")
        assert (page["total"], page["offset"]) == (len(MODELS), 0)
        assert ids(page["items"]) == sorted(model.id for model in MODELS)[: page["limit"]]
        assert page["brands"] == sorted({model.brand for model in MODELS})

    def test_finds_words_in_any_case(self, gateway: LocalGateway) -> None:
        found = ids(search(gateway, "q=CLAUDE")["items"])
        assert found
        assert all(name.startswith("anthropic/") for name in found)

    def test_pages_hold_each_model_once(self, gateway: LocalGateway) -> None:
        total = search(gateway, "limit=1")["total"]
        seen: list[str] = []
        for offset in range(0, total, 7):
            page = search(gateway, f"limit=7&offset={offset}&sort=context_length&order=desc")
            assert (page["limit"], page["offset"], page["total"]) == (7, offset, total)
            seen += ids(page["items"])
        assert sorted(seen) == sorted(model.id for model in MODELS)
        assert search(gateway, f"offset={total}")["items"] == []

    @pytest.mark.parametrize("key", ["brand", "name", "id"])
    def test_sorts_both_ways(self, gateway: LocalGateway, key: str) -> None:
        up = [row[key] for row in search(gateway, f"sort={key}&order=asc&limit=200")["items"]]
        down = [row[key] for row in search(gateway, f"sort={key}&order=desc&limit=200")["items"]]
        assert up == sorted(up)
        assert down == up[::-1]

    def test_sorts_by_price(self, gateway: LocalGateway) -> None:
        rows = search(gateway, "sort=price&type=text&free=false&limit=200")["items"]
        prices = [
            float(row["pricing"]["prompt_usd_per_1m"])
            for row in rows
            if "prompt_usd_per_1m" in row["pricing"]
        ]
        assert len(set(prices)) > 2
        assert prices == sorted(prices)

    def test_brands_may_be_repeated_and_are_all_offered(self, gateway: LocalGateway) -> None:
        page = search(gateway, "brand=anthropic&brand=sarvam&limit=200")
        assert {row["brand"] for row in page["items"]} == {"anthropic", "sarvam"}
        assert {"openai", "google"} <= set(page["brands"])

    def test_modalities_must_all_be_there(self, gateway: LocalGateway) -> None:
        rows = search(gateway, "input_modality=text&input_modality=image&output_modality=text")
        assert rows["items"]
        for row in rows["items"]:
            assert {"text", "image"} <= set(row["input_modalities"])
            assert row["output_modalities"] == ["text"]

    def test_finds_free_and_discounted_ones(self, gateway: LocalGateway) -> None:
        assert all(row["is_free"] for row in search(gateway, "free=true")["items"])
        discounted = search(gateway, "discounted=true")["items"]
        assert discounted
        assert all(row["pricing"]["discount_pct"] for row in discounted)
        rest = search(gateway, "discounted=false")
        assert rest["total"] + len(discounted) == len(MODELS)

    @pytest.mark.parametrize(
        ("query", "kind", "name"),
        [
            ("limit=0", "greater_than_equal", "limit"),
            ("limit=201", "less_than_equal", "limit"),
            ("limit=1.5", "int_parsing", "limit"),
            ("offset=-1", "greater_than_equal", "offset"),
            ("sort=colour", "literal_error", "sort"),
            ("order=up", "literal_error", "order"),
            ("free=2", "bool_parsing", "free"),
        ],
    )
    def test_refuses_a_bad_query(
        self, gateway: LocalGateway, query: str, kind: str, name: str
    ) -> None:
        response = get(gateway, f"/v1/models/search?{query}")
        assert response.faults == [(kind, ["query", name])]

    def test_names_every_fault_of_a_query(self, gateway: LocalGateway) -> None:
        assert len(get(gateway, "/v1/models/search?limit=x&sort=y&free=z").faults) == 3


class TestOneModel:
    @pytest.mark.parametrize("path", ["openai/gpt-4o", "openai%2Fgpt-4o"])
    def test_is_found_by_its_id(self, gateway: LocalGateway, path: str) -> None:
        found = get(gateway, f"/v1/models/{path}").json()
        assert found in get(gateway, "/v1/models").json()
        assert found["id"] == "openai/gpt-4o"
        providers = get(gateway, f"/v1/models/{path}/providers").json()
        assert providers["model"] == "openai/gpt-4o"
        assert [row["provider"] for row in providers["providers"]] == ["openai"]

    @pytest.mark.parametrize("below", ["", "/providers"])
    def test_that_is_unknown_is_a_404_with_a_detail(
        self, gateway: LocalGateway, below: str
    ) -> None:
        response = get(gateway, f"/v1/models/acme/none{below}")
        assert response.status == 404
        assert list(response.json()) == ["detail"]
        assert "acme/none" in response.json()["detail"]

    def test_that_chat_knows_is_in_the_catalogue(self, gateway: LocalGateway) -> None:
        for name in CHAT_MODELS | FAILING_MODELS:
            assert get(gateway, f"/v1/models/{name}").json()["supports_completions_api"], name
        for name in FAILING_REALTIME_MODELS:
            assert get(gateway, f"/v1/models/{name}").json()["supports_realtime"], name
        for name in CHAT_MODELS:
            body = {"model": name, "messages": [{"role": "user", "content": "Hi"}]}
            assert post(gateway, "/v1/chat/completions", body).json()["model"] == name


@pytest.mark.parametrize("path", ["/v1/models", "/v1/models/search", "/v1/models/openai/gpt-4o"])
def test_a_token_is_needed(gateway: LocalGateway, path: str) -> None:
    assert call(gateway, "GET", path, token="rsk_test_other").status == 401
