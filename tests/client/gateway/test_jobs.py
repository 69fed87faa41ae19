"""Jobs that end in every way that jobs can end, and lists that never end."""

import json
from typing import Any, Callable, Optional

import pytest

from meshapi.testing import LocalGateway
from support.gateway_calls import Response, call, get, post

LOOKS = 5

BATCHES = "/v1/batches"
VIDEOS = "/v1/video/generations"
DOCUMENTS = "/v1/documents"
RESPONSES = "/v1/responses"
FILES = "/v1/files"


def rows(model: str, *questions: str) -> list[dict[str, Any]]:
    return [
        {
            "custom_id": str(number),
            "body": {"model": model, "messages": [{"role": "user", "content": question}]},
        }
        for number, question in enumerate(questions)
    ]


def batch(gateway: LocalGateway, model: str, *questions: str) -> str:
    asked = {"requests": rows(model, *(questions or ("Hi",)))}
    return f"{BATCHES}/{post(gateway, BATCHES, asked).json()['id']}"


def video(gateway: LocalGateway, model: str) -> str:
    asked = {"model": model, "content": [{"type": "text", "text": "A cat"}]}
    return f"{VIDEOS}/{post(gateway, VIDEOS, asked).json()['id']}"


def document(gateway: LocalGateway, model: str) -> str:
    asked = {"model": model, "format": "csv", "prompt": "x"}
    made = post(gateway, f"{DOCUMENTS}/generate", asked).json()
    return f"{DOCUMENTS}/{made['document_id']}"


def response(gateway: LocalGateway, model: str) -> str:
    asked = {"model": model, "input": "Hi", "background": True}
    return f"{RESPONSES}/{post(gateway, RESPONSES, asked).json()['id']}"


def upload(gateway: LocalGateway, model: str) -> str:
    name = f"{model.replace('/', '-')}.txt"
    asked = {"file_name": name, "mime_type": "text/plain", "embed": True}
    made = post(gateway, FILES, asked).json()
    path = made["signed_url"][len(gateway.url) :]
    assert call(gateway, "PUT", path, b"words", content_type="text/plain").status == 200
    return f"{FILES}/{made['file_id']}"


JOBS: dict[str, Callable[[LocalGateway, str], str]] = {
    "batch": batch,
    "video": video,
    "document": document,
    "response": response,
    "file": upload,
}


def status_of(job: Any) -> Any:
    return job.get("embedding_status") or job["status"]


def look(gateway: LocalGateway, path: str, times: int = LOOKS) -> list[Response]:
    return [get(gateway, path) for _ in range(times)]


class TestJobs:
    @pytest.mark.parametrize("kind", JOBS)
    @pytest.mark.parametrize(
        ("model", "end"),
        [
            ("mesh/job-failed", "failed"),
            ("mesh/job-expired", "expired"),
            ("mesh/job-cancelled", "cancelled"),
            ("mesh/job-unknown-status", "paused"),
        ],
    )
    def test_end_as_their_names_say(
        self, gateway: LocalGateway, kind: str, model: str, end: str
    ) -> None:
        seen = [one.json() for one in look(gateway, JOBS[kind](gateway, model))]
        # The service knows no other end for an embedding.
        expected = "failed" if kind == "file" and end in ("expired", "cancelled") else end
        assert [status_of(job) for job in seen[-2:]] == [expected] * 2
        assert kind == "document" or status_of(seen[0]) != expected

    def test_that_fail_say_why(self, gateway: LocalGateway) -> None:
        model = "mesh/job-failed"
        done = {kind: look(gateway, make(gateway, model))[-1].json() for kind, make in JOBS.items()}
        code = "provider_job_failed"
        assert [error["code"] for error in done["batch"]["errors_detail"]] == [code]
        assert done["batch"]["request_counts"] == {"total": 1, "completed": 0, "failed": 1}
        assert done["batch"]["results"] is None
        assert done["video"]["error"]["code"] == code
        assert done["document"]["failure_reason"]
        assert done["response"]["error"]["code"] == code
        assert done["response"]["output"] == []
        assert done["file"]["last_error_code"] == code

    @pytest.mark.parametrize("kind", JOBS)
    def test_stay_as_they_are_if_their_model_stalls(self, gateway: LocalGateway, kind: str) -> None:
        seen = [one.json() for one in look(gateway, JOBS[kind](gateway, "mesh/stall"))]
        unfinished = ("in_progress", "running", "processing")
        assert status_of(seen[-2]) == status_of(seen[-1]) in unfinished

    @pytest.mark.parametrize("kind", JOBS)
    def test_can_say_when_to_look_again(self, gateway: LocalGateway, kind: str) -> None:
        seen = look(gateway, JOBS[kind](gateway, "mesh/job-retry-after"))
        assert seen[0].headers["retry-after"] == "1"
        assert seen[-1].headers["retry-after"] is None
        assert status_of(seen[-1].json()) in ("completed", "succeeded", "ready")
        usual = look(gateway, JOBS[kind](gateway, "openai/gpt-4o" if kind != "video" else VEO))
        assert [one.headers["retry-after"] for one in usual] == [None] * LOOKS

    def test_of_a_refusal_are_completed_responses(self, gateway: LocalGateway) -> None:
        done = look(gateway, response(gateway, "mesh/refusal"))[-1].json()
        assert (done["status"], done["output"][0]["content"][0]["type"]) == ("completed", "refusal")

    def test_embed_as_their_names_say_at_once(self, gateway: LocalGateway) -> None:
        file_id = upload(gateway, "mesh/job-failed").rpartition("/")[2]
        asked = {"file_ids": [file_id], "wait": True}
        (result,) = post(gateway, f"{FILES}/embed", asked).json()["results"]
        assert (result["embedding_status"], result["error"]) == ("failed", "provider_job_failed")


VEO = "google/veo-3.0-generate"


class TestBatches:
    def test_fail_in_single_rows(self, gateway: LocalGateway) -> None:
        path = batch(gateway, "openai/gpt-4o", "Hi", "Fail: no luck", "What is 1+1?")
        done = look(gateway, path, 2)[-1].json()
        assert done["status"] == "completed"
        assert [row["custom_id"] for row in done["results"]] == ["0", "2"]
        (failed,) = done["errors_detail"]
        assert (failed["custom_id"], failed["response"]["status_code"]) == ("1", 500)
        assert failed["error"] == {"code": "provider_job_failed", "message": "no luck"}

    def test_have_results_in_another_order(self, gateway: LocalGateway) -> None:
        path = batch(gateway, "mesh/unordered", "Repeat: a", "Repeat: b", "Repeat: c")
        done = look(gateway, path, 2)[-1].json()
        assert [row["custom_id"] for row in done["results"]] == ["2", "1", "0"]
        lines = get(gateway, f"{FILES}/{done['output_file_id']}/content").body.splitlines()
        assert [json.loads(line) for line in lines] == done["results"]
        texts = [
            row["response"]["body"]["choices"][0]["message"]["content"] for row in done["results"]
        ]
        assert texts == ["c", "b", "a"]

    @pytest.mark.parametrize(
        ("model", "code"), [("mesh/job-expired", "batch_expired"), ("mesh/job-cancelled", None)]
    )
    def test_that_end_early_have_results_for_some(
        self, gateway: LocalGateway, model: str, code: Optional[str]
    ) -> None:
        done = look(gateway, batch(gateway, model, "a", "b", "c"), 2)[-1].json()
        assert [row["custom_id"] for row in done["results"]] == ["0", "1"]
        codes = [(row["custom_id"], row["error"]["code"]) for row in done["errors_detail"]]
        assert codes == ([("2", code)] if code else [])


class TestPages:
    @pytest.mark.parametrize(("path", "make"), [(BATCHES, batch), (RESPONSES, response)])
    def test_can_repeat_their_cursor(self, gateway: LocalGateway, path: str, make: Any) -> None:
        for model in ("mesh/repeated-page", "openai/gpt-4o", "openai/gpt-4o"):
            make(gateway, model)
        first = get(gateway, f"{path}?limit=2").json()
        again = get(gateway, f"{path}?limit=2&after={first['last_id']}").json()
        assert again == first
        assert (len(first["data"]), first["has_more"]) == (2, True)

    @pytest.mark.parametrize(
        ("path", "rows", "make"),
        [(VIDEOS, "data", video), (DOCUMENTS, "documents", document), (FILES, "files", upload)],
    )
    def test_can_repeat_their_offset(
        self, gateway: LocalGateway, path: str, rows: str, make: Any
    ) -> None:
        for _ in range(3):
            make(gateway, "mesh/repeated-page")
        first = get(gateway, f"{path}?limit=2").json()
        again = get(gateway, f"{path}?limit=2&offset=2").json()
        assert again == first
        assert (len(first[rows]), first["offset"]) == (2, 0)
        assert first["total"] > 1000

    def test_of_catalogues_can_repeat_themselves(self, gateway: LocalGateway) -> None:
        path = "/v1/models/search?q=mesh/repeated-page&limit=3"
        assert get(gateway, f"{path}&offset=3").json() == get(gateway, path).json()
        path = "/v1/audio/voices?search=mesh/repeated-page&page_size=3"
        first = get(gateway, path).json()
        token = first["next_page_token"]
        assert get(gateway, f"{path}&next_page_token={token}").json() == first
        assert first["has_more"]
