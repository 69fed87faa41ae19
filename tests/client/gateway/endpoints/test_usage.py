"""/v1/usage of the local gateway."""

import datetime
from decimal import Decimal
from typing import Any

import pytest

from meshapi.testing import LocalGateway
from support.gateway_calls import call, get, post

EMBEDDINGS = "/v1/embeddings"


def use(gateway: LocalGateway, *models: str) -> None:
    for model in models:
        post(gateway, EMBEDDINGS, {"input": "a", "model": model, "dimensions": 1})


def test_usage_counts_what_was_asked_and_costs_nothing(gateway: LocalGateway) -> None:
    use(gateway, "openai/text-embedding-3-small", "m", "m")
    get(gateway, "/v1/models")
    body = post(gateway, "/v1/usage", {}).json()
    assert body["total_requests"] == 3
    assert {row["model"]: row["requests"] for row in body["by_model"]} == {
        "openai/text-embedding-3-small": 1,
        "m": 2,
    }
    assert Decimal(body["total_cost_usd"]) == 0
    assert post(gateway, "/v1/usage", {"model": "m"}).json()["total_requests"] == 2


def test_events_come_newest_first_and_in_pages(gateway: LocalGateway) -> None:
    use(gateway, "a", "b", "c")
    body = post(gateway, "/v1/usage/events", {"limit": 2, "offset": 1}).json()
    assert [row["model"] for row in body["events"]] == ["b", "a"]
    assert (body["total"], body["limit"], body["offset"]) == (3, 2, 1)
    event = body["events"][0]
    assert event["endpoint"] == EMBEDDINGS
    attempts = get(gateway, f"/v1/usage/events/{event['id']}/attempts").json()
    assert attempts["event_id"] == event["id"]
    assert [attempt["model"] for attempt in attempts["data"]] == ["b"]


@pytest.mark.parametrize("body", [b"", b"{", b"[]", b'{"model": 5}'])
def test_a_request_without_a_readable_model_is_an_event_too(
    gateway: LocalGateway, body: bytes
) -> None:
    post(gateway, EMBEDDINGS, body)
    (event,) = post(gateway, "/v1/usage/events", {}).json()["events"]
    assert event["model"] is None


def test_an_unknown_event_is_a_404(gateway: LocalGateway) -> None:
    assert get(gateway, "/v1/usage/events/evt_9/attempts").code == (404, "not_found")


def test_the_spend_trend_has_a_row_for_each_day(gateway: LocalGateway) -> None:
    use(gateway, "a")
    rows = get(gateway, "/v1/usage/spend-trend?days=3").json()["data"]
    days = [datetime.date.fromisoformat(row["date"]) for row in rows]
    assert [later - day for day, later in zip(days, days[1:])] == [datetime.timedelta(days=1)] * 2
    assert [row["requests"] for row in rows] == [0, 0, 1]
    assert len(get(gateway, "/v1/usage/spend-trend").json()["data"]) == 30


@pytest.mark.parametrize(
    ("days", "kind"),
    [("0", "greater_than_equal"), ("366", "less_than_equal"), ("x", "int_parsing")],
)
def test_the_spend_trend_refuses_bad_days(gateway: LocalGateway, days: str, kind: str) -> None:
    response = get(gateway, f"/v1/usage/spend-trend?days={days}")
    assert response.faults == [(kind, ["query", "days"])]


@pytest.mark.parametrize(
    ("body", "kind", "name"),
    [({"limit": 0}, "greater_than_equal", "limit"), ({"offset": "x"}, "int_type", "offset")],
)
def test_events_refuse_a_bad_page(
    gateway: LocalGateway, body: dict[str, Any], kind: str, name: str
) -> None:
    assert post(gateway, "/v1/usage/events", body).faults == [(kind, ["body", name])]


def test_there_are_no_limits(gateway: LocalGateway) -> None:
    limits = get(gateway, "/v1/usage/rate-limits").json()
    assert {row["limit"] for row in limits["key"].values()} == {None}
    assert limits["org"] is limits["team"] is limits["member"] is None
    assert datetime.datetime.fromisoformat(limits["as_of"]).tzinfo is not None


def test_a_token_is_needed(gateway: LocalGateway) -> None:
    assert call(gateway, "GET", "/v1/usage/rate-limits", token="rsk_test_other").status == 401
