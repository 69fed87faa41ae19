"""endpoints.account: keywords are sent as given, and responses of any shape are read."""

import json

import pytest
from hypothesis import given

from meshapi_core.endpoints.account import APIVersions, Balance, Usage
from meshapi_core.errors import InvalidParamsError
from meshapi_core.headers import Headers
from meshapi_core.messages import Response
from meshapi_core.types.account import UsageEvents
from support.structs import json_objects

JSON = Headers([("content-type", "application/json")])


@given(json_objects)
def test_any_filter_is_sent_but_none(fields):
    wire = {name: value for name, value in fields.items() if value is not None}
    assert json.loads(Usage.query.build(**fields).body) == wire
    assert json.loads(Usage.events.build(**fields).body) == wire


@pytest.mark.parametrize("build", [Usage.query.build, Usage.events.build, Usage.spend_trend.build])
def test_what_json_cannot_hold_is_refused_before_anything_is_sent(build):
    with pytest.raises(InvalidParamsError, match="model: expected a JSON value, got set"):
        build(model={"a"})


def test_an_object_has_no_place_in_a_query():
    with pytest.raises(InvalidParamsError, match="filter: expected text, a number or a bool"):
        Usage.rate_limits.build(filter={"a": 1})


@pytest.mark.filterwarnings("ignore::meshapi_core.ResponseWarning")
@pytest.mark.parametrize(
    "call",
    [
        Balance.get.build(),
        Usage.query.build(),
        Usage.events.build(),
        Usage.attempts.build("e"),
        Usage.spend_trend.build(),
        Usage.rate_limits.build(),
    ],
)
@pytest.mark.parametrize("body", [b"{}", b'{"data":[1]}', b"[1]", b"null", b"5"])
def test_any_json_is_in_raw(call, body):
    response = call.read(Response(200, JSON, body))
    assert type(response) is call.reader.kind
    assert response.raw == json.loads(body)


@pytest.mark.filterwarnings("ignore::meshapi_core.ResponseWarning")
def test_one_odd_field_does_not_cost_the_others():
    body = b'{"events":[{"id":"e"},null],"total":"many","limit":2.0}'
    response = Usage.events.build().read(Response(200, JSON, body))
    assert response == UsageEvents(events=[{"id": "e"}], limit=2)
    assert response.raw["total"] == "many"


@pytest.mark.filterwarnings("ignore::meshapi_core.ResponseWarning")
def test_versions_of_any_kind_are_a_list():
    body = b'[{"label":"2026-08","capabilities":null,"new":1},"2026-09"]'
    (version,) = APIVersions.list.build().read(Response(200, JSON, body))
    assert (version.label, version.capabilities, version.new) == ("2026-08", None, 1)
    assert APIVersions.list.build().read(Response(200, JSON, b"null")) == []


@pytest.mark.parametrize("bad", ["", ".", "..", None])
def test_an_id_that_leads_elsewhere_is_refused(bad):
    """Other clients sent an empty ID to the collection, and `..` to another endpoint."""
    with pytest.raises(InvalidParamsError, match=r"^event_id: "):
        Usage.attempts.build(bad)
