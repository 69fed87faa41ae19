"""/v1/batches and the batch files of the local gateway."""

import json
from typing import Any, Optional

import pytest

from meshapi.testing import LocalGateway
from support.gateway_calls import Response, call, get, post

PATH = "/v1/batches"


def row(custom_id: str, question: str = "Hi", model: Optional[str] = "openai/gpt-4o") -> Any:
    body: dict[str, Any] = {"messages": [{"role": "user", "content": question}]}
    if model is not None:
        body["model"] = model
    return {"custom_id": custom_id, "body": body}


def create(gateway: LocalGateway, *rows: Any, **members: Any) -> Response:
    return post(gateway, PATH, {"requests": list(rows), **members})


def look(gateway: LocalGateway, batch_id: str, times: int = 1) -> Any:
    return [get(gateway, f"{PATH}/{batch_id}").json() for _ in range(times)][-1]


def cancel(gateway: LocalGateway, batch_id: str) -> Response:
    return post(gateway, f"{PATH}/{batch_id}/cancel", {})


class TestBatches:
    def test_complete_at_the_second_look(self, gateway: LocalGateway) -> None:
        rows = [row("a", "What is 2+2?"), row("b", "Count to 3", None)]
        batch = create(gateway, *rows, metadata={"job": "1"}).json()
        assert (batch["object"], batch["status"]) == ("batch", "validating")
        assert (batch["results"], batch["output_file_id"]) == (None, None)
        assert batch["request_counts"] == {"total": 2, "completed": 0, "failed": 0}
        assert look(gateway, batch["id"])["status"] == "in_progress"
        done = look(gateway, batch["id"])
        assert done["status"] == "completed"
        assert (done["model"], done["provider"]) == ("openai/gpt-4o", "openai")
        assert (done["metadata"], done["errors_detail"]) == ({"job": "1"}, [])
        assert done["completed_at"] >= done["created_at"]
        first = done["results"][0]
        assert (first["custom_id"], first["error"]) == ("a", None)
        assert first["response"]["status_code"] == 200
        said = first["response"]["body"]["choices"][0]["message"]["content"]
        assert said == "2 + 2 = 4."
        assert look(gateway, batch["id"], 3) == done

    def test_put_failed_requests_among_the_errors(self, gateway: LocalGateway) -> None:
        bad = {"custom_id": "bad", "body": {"messages": []}}
        unknown = create(gateway, row("a", model="acme/none"), bad).json()
        done = look(gateway, unknown["id"], 2)
        assert (done["status"], done["results"]) == ("completed", [])
        assert done["request_counts"] == {"total": 2, "completed": 0, "failed": 2}
        codes = [(entry["custom_id"], entry["error"]["code"]) for entry in done["errors_detail"]]
        assert codes == [("a", "model_not_found"), ("bad", "validation_error")]
        assert done["output_file_id"] is None
        lines = get(gateway, f"/v1/files/{done['error_file_id']}/content").body.splitlines()
        assert [json.loads(line) for line in lines] == done["errors_detail"]

    @pytest.mark.parametrize(
        ("model", "code"),
        [
            ("mesh/rate-limited", "rate_limit_exceeded"),
            ("mesh/flaky", "provider_not_available"),
            ("mesh/broken-stream", "upstream_error"),
            ("mesh/error-in-stream", "gateway_timeout"),
        ],
    )
    def test_fail_as_their_model_does(self, gateway: LocalGateway, model: str, code: str) -> None:
        batch = create(gateway, row("a", model=model)).json()
        (entry,) = look(gateway, batch["id"], 2)["errors_detail"]
        assert entry["error"]["code"] == entry["response"]["body"]["error"]["code"] == code

    def test_of_a_model_that_stalls_never_complete(self, gateway: LocalGateway) -> None:
        batch = create(gateway, row("a", model="mesh/stall")).json()
        assert look(gateway, batch["id"], 5)["status"] == "in_progress"

    def test_take_one_model_only(self, gateway: LocalGateway) -> None:
        response = create(gateway, row("a"), row("b", model="openai/o4-mini"))
        assert response.code == (400, "mixed_models")

    def test_are_open_ten_at_a_time(self, gateway: LocalGateway) -> None:
        batches = [create(gateway, row("a")).json() for _ in range(10)]
        assert create(gateway, row("a")).code == (429, "batch_limit_exceeded")
        look(gateway, batches[0]["id"], 2)
        assert create(gateway, row("a")).status == 200

    def test_are_cancelled_while_they_are_open(self, gateway: LocalGateway) -> None:
        batch = create(gateway, row("a")).json()
        assert cancel(gateway, batch["id"]).json()["status"] == "cancelling"
        assert cancel(gateway, batch["id"]).json()["status"] == "cancelling"
        assert look(gateway, batch["id"])["status"] == "cancelled"
        assert cancel(gateway, batch["id"]).code == (409, "conflict")
        done = create(gateway, row("a")).json()
        look(gateway, done["id"], 2)
        assert cancel(gateway, done["id"]).code == (409, "conflict")

    def test_are_listed_in_pages_the_newest_first(self, gateway: LocalGateway) -> None:
        assert get(gateway, PATH).json()["data"] == []
        ids = [create(gateway, row("a")).json()["id"] for _ in range(5)][::-1]
        page = get(gateway, f"{PATH}?limit=3").json()
        assert [batch["id"] for batch in page["data"]] == ids[:3]
        assert (page["object"], page["has_more"]) == ("list", True)
        assert (page["first_id"], page["last_id"]) == (ids[0], ids[2])
        rest = get(gateway, f"{PATH}?after={page['last_id']}&limit=100").json()
        assert [batch["id"] for batch in rest["data"]] == ids[3:]
        assert not rest["has_more"]
        # The list does not count as a look.
        assert {batch["status"] for batch in rest["data"]} == {"validating"}

    @pytest.mark.parametrize("limit", ["0", "101", "many", "-1"])
    def test_are_not_listed_for_a_bad_limit(self, gateway: LocalGateway, limit: str) -> None:
        ((_, where),) = get(gateway, f"{PATH}?limit={limit}").faults
        assert where == ["query", "limit"]

    def test_that_are_unknown_are_not_found(self, gateway: LocalGateway) -> None:
        for response in (get(gateway, f"{PATH}/x"), cancel(gateway, "x")):
            assert response.code == (404, "not_found")
        assert get(gateway, f"{PATH}?after=x").code == (404, "not_found")

    def test_with_faults_are_refused_as_a_whole(self, gateway: LocalGateway) -> None:
        at = ["body", "requests"]
        assert create(gateway).faults == [("too_short", at)]
        assert post(gateway, PATH, {}).faults == [("missing", at)]
        twice = create(gateway, row("a"), row("a")).faults
        assert twice == [("value_error", [*at, 1, "custom_id"])]
        other = {**row("a"), "url": "/v1/images/generations"}
        assert create(gateway, other).code == (501, "not_implemented")
        mixed = create(gateway, row("a"), {**row("b"), "url": "/v1/responses"})
        assert mixed.code == (400, "invalid_request")

    @pytest.mark.parametrize(
        ("url", "body", "model", "kind"),
        [
            ("/v1/responses", {"input": "What is 2+2?"}, "openai/gpt-4o-mini", "response"),
            ("/v1/embeddings", {"input": ["a", "b"]}, "openai/text-embedding-3-small", "list"),
            (
                "/v1/embeddings",
                {"input": "a", "model": "openai/text-embedding-3-large"},
                "openai/text-embedding-3-large",
                "list",
            ),
        ],
    )
    def test_have_any_of_three_endpoints(
        self, gateway: LocalGateway, url: str, body: Any, model: str, kind: str
    ) -> None:
        rows = [{"custom_id": name, "url": url, "body": body} for name in ("a", "b")]
        batch = create(gateway, *rows).json()
        assert (batch["endpoint"], batch["model"]) == (url, model)
        done = look(gateway, batch["id"], 2)
        direct = post(gateway, url, body).json()
        for entry in done["results"]:
            made = entry["response"]["body"]
            assert made["object"] == kind
            assert made["usage"] == direct["usage"]
            assert made["cost"] == direct["cost"]
            assert made.get("data") == direct.get("data")

    @pytest.mark.parametrize("url", ["/v1/responses", "/v1/embeddings"])
    @pytest.mark.parametrize(
        ("text", "status", "code"),
        [
            ("Fail: no", 500, "provider_job_failed"),
            ("Fail 429: no", 429, "rate_limit_exceeded"),
            ("fail 503:no", 503, "provider_not_available"),
            ("Fail 500 once: no", 500, "internal_error"),
        ],
    )
    def test_have_requests_that_fail_as_they_ask(
        self, gateway: LocalGateway, url: str, text: str, status: int, code: str
    ) -> None:
        made = create(gateway, {"custom_id": "a", "url": url, "body": {"input": text}}).json()
        (entry,) = look(gateway, made["id"], 2)["errors_detail"]
        assert entry["error"] == {"code": code, "message": "no"}
        assert entry["response"]["status_code"] == status

    def test_have_requests_that_fail_once(self, gateway: LocalGateway) -> None:
        counts: list[Any] = []
        for _ in range(3):
            rows = [row("a", "Fail 429 once: x"), row("b", "Fail 429: x"), row("c", "Fail 999: x")]
            done = look(gateway, create(gateway, *rows).json()["id"], 2)
            counts.append([entry["custom_id"] for entry in done["errors_detail"]])
        assert counts == [["a", "b"], ["b"], ["b"]]


class TestFiles:
    def upload(self, gateway: LocalGateway, *rows: Any) -> Any:
        response = post(gateway, "/v1/files", {"purpose": "batch", "requests": list(rows)})
        assert response.status == 200
        return response.json()

    def test_are_uploaded_as_json_and_come_back_as_lines(self, gateway: LocalGateway) -> None:
        made = self.upload(gateway, row("a"), row("é"))
        assert (made["object"], made["purpose"], made["status"]) == ("file", "batch", "processed")
        path = f"/v1/files/{made['id']}"
        assert get(gateway, path).json() == made
        content = get(gateway, f"{path}/content")
        assert content.headers["content-type"] == "application/jsonl"
        assert [json.loads(line) for line in content.body.splitlines()] == [row("a"), row("é")]
        assert len(content.body) == made["bytes"]

    def test_are_the_requests_of_a_batch(self, gateway: LocalGateway) -> None:
        made = self.upload(gateway, row("a", "What is 1+1?"))
        body = {
            "input_file_id": made["id"],
            "endpoint": "/v1/chat/completions",
            "completion_window": "24h",
        }
        batch = post(gateway, PATH, body).json()
        assert batch["input_file_id"] == made["id"]
        assert call(gateway, "DELETE", f"/v1/files/{made['id']}").status == 204
        done = look(gateway, batch["id"], 2)
        content = get(gateway, f"/v1/files/{done['output_file_id']}/content").body
        assert [json.loads(line) for line in content.splitlines()] == done["results"]
        output = get(gateway, f"/v1/files/{done['output_file_id']}").json()
        assert output["purpose"] == "batch_output"
        from_output = post(gateway, PATH, {**body, "input_file_id": output["id"]})
        assert from_output.code == (400, "invalid_request")

    def test_of_a_batch_have_to_be_there(self, gateway: LocalGateway) -> None:
        body = {"input_file_id": "file-x", "endpoint": "/v1/web/search", "completion_window": "24h"}
        assert post(gateway, PATH, body).code == (404, "not_found")
        made = self.upload(gateway, row("a"))
        wrong = post(gateway, PATH, {**body, "input_file_id": made["id"]})
        assert wrong.code == (501, "not_implemented")
        both = post(gateway, PATH, {**body, "input_file_id": made["id"], "requests": []})
        assert both.faults == [("extra_forbidden", ["body", "requests"])]
        brief = post(gateway, PATH, {"input_file_id": made["id"]})
        assert {where[-1] for _, where in brief.faults} == {"endpoint", "completion_window"}

    def test_can_be_deleted_once(self, gateway: LocalGateway) -> None:
        path = f"/v1/files/{self.upload(gateway, row('a'))['id']}"
        assert call(gateway, "DELETE", path).status == 204
        assert call(gateway, "DELETE", path).code == (404, "not_found")
        assert get(gateway, path).code == (404, "not_found")
        assert get(gateway, f"{path}/content").code == (404, "not_found")

    def test_of_another_purpose_are_refused(self, gateway: LocalGateway) -> None:
        body = {"purpose": "fine-tune", "requests": [row("a")]}
        assert post(gateway, "/v1/files", body).faults == [("literal_error", ["body", "purpose"])]
