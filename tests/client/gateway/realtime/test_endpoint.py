"""The upgrade at /v1/realtime: which requests get it, and how others are refused."""

from urllib.parse import quote

import pytest

from meshapi.testing import LocalGateway
from support.gateway_calls import TOKEN, get, post
from support.gateway_sessions import MODEL, upgrade


class TestUpgrade:
    @pytest.mark.parametrize(
        ("query", "header"),
        [
            (f"&api_key={TOKEN}", "X-Test: 1"),
            ("", f"Authorization: Bearer {TOKEN}"),
            ("", f"Sec-WebSocket-Protocol: openai-realtime, Bearer {TOKEN}"),
            ("", f"Sec-WebSocket-Protocol: Bearer {TOKEN}"),
            # As browsers send it to OpenAI.
            ("", f"Sec-WebSocket-Protocol: realtime, openai-insecure-api-key.{TOKEN}"),
            # The subprotocol takes precedence over the query.
            ("&api_key=rsk_test_wrong", f"Sec-WebSocket-Protocol: openai-realtime, Bearer {TOKEN}"),
        ],
    )
    def test_takes_the_token_from_three_places(
        self, gateway: LocalGateway, query: str, header: str
    ) -> None:
        response = upgrade(gateway, f"/v1/realtime?model={MODEL}{query}", header)
        assert response.status == 101
        assert response.headers["sec-websocket-accept"] == "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
        assert response.headers["x-request-id"].startswith("req_")
        known = [name for name in ("openai-realtime", "realtime") if name in header]
        assert response.headers["sec-websocket-protocol"] == (known[0] if known else None)

    @pytest.mark.parametrize(
        ("query", "header"),
        [
            ("", "X-Test: 1"),
            ("&api_key=", "X-Test: 1"),
            ("&api_key=rsk_test_wrong", "X-Test: 1"),
            ("", "Authorization: Bearer rsk_test_wrong"),
            (f"&api_key={TOKEN}", "Sec-WebSocket-Protocol: openai-realtime, Bearer rsk_test_wrong"),
            ("", "Sec-WebSocket-Protocol: realtime, openai-insecure-api-key.rsk_test_wrong"),
        ],
    )
    def test_refuses_a_wrong_token(self, gateway: LocalGateway, query: str, header: str) -> None:
        response = upgrade(gateway, f"/v1/realtime?model={MODEL}{query}", header)
        assert response.code == (401, "unauthorized")
        assert response.headers["www-authenticate"] == "Bearer"

    @pytest.mark.parametrize(
        ("query", "status", "code"),
        [
            ("model=acme/none", 404, "model_not_found"),
            ("model=auto", 404, "model_not_found"),
            ("model=openai/gpt-4o", 400, "model_capability_not_supported"),
            ("model=", 400, "invalid_request"),
            ("", 400, "invalid_request"),
            ("model=mesh/rate-limited", 429, "rate_limit_exceeded"),
        ],
    )
    def test_refuses_a_model_that_cannot_speak(
        self, gateway: LocalGateway, query: str, status: int, code: str
    ) -> None:
        response = upgrade(gateway, f"/v1/realtime?{query}&api_key={TOKEN}", "X-Request-Id: mine")
        assert response.code == (status, code)
        assert response.headers.get_all("x-request-id") == ["mine"]
        assert response.headers["retry-after"] == ("1" if status == 429 else None)

    def test_of_a_flaky_model_fails_twice(self, gateway: LocalGateway) -> None:
        target = f"/v1/realtime?model=mesh/flaky&api_key={TOKEN}"
        assert [upgrade(gateway, target).status for _ in range(4)] == [503, 503, 101, 503]

    def test_is_asked_for_by_whoever_does_not(self, gateway: LocalGateway) -> None:
        response = get(gateway, f"/v1/realtime?model={MODEL}")
        assert response.code == (426, "upgrade_required")
        assert response.headers["upgrade"] == "websocket"
        assert post(gateway, "/v1/realtime", {}).code == (405, "method_not_allowed")

    @pytest.mark.parametrize("path", ["/", "/v1/realtime/", "/v1/chat/completions"])
    def test_is_there_only(self, gateway: LocalGateway, path: str) -> None:
        response = upgrade(gateway, f"{path}?model={MODEL}&api_key={TOKEN}")
        assert response.code == (404, "not_found")

    @pytest.mark.parametrize(
        "header", ["Sec-WebSocket-Protocol: \xe9", "Sec-WebSocket-Extensions: \xe9"]
    )
    def test_with_other_letters_is_a_bad_request(
        self, gateway: LocalGateway, header: str, caplog: pytest.LogCaptureFixture
    ) -> None:
        assert upgrade(gateway, f"/v1/realtime?model={MODEL}", header).status == 400
        assert upgrade(gateway, f"/v1/realtime?model={MODEL}", key="").status == 400
        assert not caplog.records

    def test_is_recorded(self, gateway: LocalGateway) -> None:
        target = f"/v1/realtime?model={quote(MODEL, safe='')}&api_key={TOKEN}"
        upgrade(gateway, target, "Sec-WebSocket-Protocol: openai-realtime", "X-Test: 1")
        upgrade(gateway, "/v1/realtime?model=x")
        request, refused = gateway.requests
        assert (request.method, request.path) == ("GET", "/v1/realtime")
        assert f"{request.path}?{request.query}" == target
        assert (request.headers["x-test"], request.size) == ("1", 0)
        assert request.headers["sec-websocket-protocol"] == "openai-realtime"
        assert refused.query == "model=x"
        assert TOKEN not in repr(gateway.requests)
