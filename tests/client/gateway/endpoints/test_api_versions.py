"""/v1/api-versions of the local gateway."""

from meshapi.testing import LocalGateway
from support.gateway_calls import call, get


def test_the_versions_are_an_array_with_one_baseline_and_one_latest(gateway: LocalGateway) -> None:
    versions = get(gateway, "/v1/api-versions").json()
    assert [row["label"] for row in versions] == ["2026-08", "2026-09"]
    assert [row["label"] for row in versions if row["baseline"]] == ["2026-08"]
    assert [row["label"] for row in versions if row["latest"]] == ["2026-09"]
    members = {"label", "status", "baseline", "latest", "capabilities", "sunset_on", "notes_url"}
    assert all(set(row) == members for row in versions)


def test_a_token_is_needed(gateway: LocalGateway) -> None:
    assert call(gateway, "GET", "/v1/api-versions", token="rsk_test_other").status == 401
