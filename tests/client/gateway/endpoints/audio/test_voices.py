"""/v1/audio/voices of the local gateway."""

from typing import Any

import pytest

from meshapi.testing import LocalGateway
from support.gateway_calls import get

PATH = "/v1/audio/voices"


def voices(gateway: LocalGateway, query: str = "") -> Any:
    response = get(gateway, f"{PATH}?{query}")
    assert response.status == 200
    return response.json()


def names(page: Any) -> list[str]:
    return [voice["name"] for voice in page["voices"]]


def test_pages_are_complete_and_end(gateway: LocalGateway) -> None:
    everything = names(voices(gateway, "page_size=100"))
    found, token = [], ""
    while True:
        page = voices(gateway, f"page_size=5&next_page_token={token}" if token else "page_size=5")
        found += names(page)
        assert page["total_count"] == len(everything)
        assert page["has_more"] is page["truncated"] is (page["next_page_token"] is not None)
        if not page["has_more"]:
            break
        token = page["next_page_token"]
    assert found == everything
    assert found == sorted(found)
    assert names(voices(gateway, "page_size=100&sort_direction=desc")) == everything[::-1]


def test_voices_are_searched_and_filtered(gateway: LocalGateway) -> None:
    assert names(voices(gateway, "search=ALLOY")) == ["Alloy"]
    assert names(voices(gateway, "category=cloned")) == ["Laura"]
    assert names(voices(gateway, "voice_ids=voice_nova&voice_ids=voice_aria")) == ["Aria", "Nova"]
    assert names(voices(gateway, "brand=sarvam")) == ["Anushka"]
    assert names(voices(gateway, "model=sarvam/bulbul-v2")) == ["Anushka"]
    assert names(voices(gateway, "search=nobody")) == []


def test_the_count_can_be_left_out(gateway: LocalGateway) -> None:
    assert voices(gateway, "include_total_count=false")["total_count"] is None
    assert voices(gateway, "include_total_count=true")["total_count"] == 12


def test_a_voice_is_got_by_its_id(gateway: LocalGateway) -> None:
    first = voices(gateway)["voices"][0]
    assert get(gateway, f"{PATH}/{first['voice_id']}").json() == first
    assert get(gateway, f"{PATH}/nobody").code == (404, "not_found")


@pytest.mark.parametrize("query", ["page_size=0", "page_size=x", "sort=size", "sort_direction=up"])
def test_bad_queries_are_refused(gateway: LocalGateway, query: str) -> None:
    ((_, where),) = get(gateway, f"{PATH}?{query}").faults
    assert where == ["query", query.partition("=")[0]]


def test_a_token_of_elsewhere_is_refused(gateway: LocalGateway) -> None:
    assert get(gateway, f"{PATH}?next_page_token=abc").code == (400, "invalid_request")
