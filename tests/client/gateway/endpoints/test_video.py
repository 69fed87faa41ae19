"""/v1/video/generations of the local gateway."""

import struct
from typing import Any

import pytest

from meshapi.testing import LocalGateway
from support.gateway_calls import Response, get, post
from support.gateway_files import open_url

PATH = "/v1/video/generations"
MODEL = "bytedance/seedance-1-0-lite"


def create(gateway: LocalGateway, text: str = "a fox runs", **members: Any) -> Response:
    content = [{"type": "text", "text": text}]
    return post(gateway, PATH, {"model": MODEL, "content": content, **members})


def looks(gateway: LocalGateway, task_id: str, times: int) -> list[Any]:
    return [get(gateway, f"{PATH}/{task_id}").json() for _ in range(times)]


def test_a_task_succeeds_at_the_third_look(gateway: LocalGateway) -> None:
    made = create(gateway, duration=3, seed=7, ratio="16:9").json()
    assert list(made) == ["id"]
    tasks = looks(gateway, made["id"], 4)
    assert [task["status"] for task in tasks] == ["queued", "running", "succeeded", "succeeded"]
    assert [bool(task["content"]) for task in tasks] == [False, False, True, True]
    done = tasks[-1]
    assert (done["model"], done["duration"], done["seed"], done["ratio"]) == (MODEL, 3, 7, "16:9")
    assert done["usage"] == {"completion_tokens": 3000, "total_tokens": 3000}
    assert (done["error"], done["content"]["last_frame_url"]) == (None, None)
    video = open_url(done["content"]["video_url"])
    assert (video.status, video.headers["content-type"]) == (200, "video/mp4")
    assert video.body[4:8] == b"ftyp"
    at = video.body.index(b"mvhd") + 4
    assert struct.unpack(">II", video.body[at + 12 : at + 20]) == (1000, 3000)


def test_the_last_frame_is_a_picture(gateway: LocalGateway) -> None:
    made = create(gateway, return_last_frame=True).json()
    first, second = (task["content"] for task in looks(gateway, made["id"], 4)[2:])
    assert first == second
    assert open_url(first["last_frame_url"]).headers["content-type"] == "image/png"


@pytest.mark.parametrize(
    ("members", "code"),
    [
        ({"text": "Fail: no light"}, "provider_job_failed"),
        ({"model": "mesh/refusal"}, "content_policy_violation"),
        ({"model": "mesh/error-in-stream"}, "gateway_timeout"),
        ({"model": "mesh/broken-stream"}, "upstream_error"),
    ],
)
def test_a_task_can_fail(gateway: LocalGateway, members: dict[str, Any], code: str) -> None:
    failed = looks(gateway, create(gateway, **members).json()["id"], 3)[-1]
    assert (failed["status"], failed["content"], failed["usage"]) == ("failed", None, None)
    assert failed["error"]["code"] == code
    assert failed["error"]["message"]
    if "text" in members:
        assert failed["error"]["message"] == "no light"


def test_a_task_that_stalls_keeps_running(gateway: LocalGateway) -> None:
    made = create(gateway, model="mesh/stall").json()
    assert looks(gateway, made["id"], 5)[-1]["status"] == "running"
    assert create(gateway, model="mesh/rate-limited").status == 429


def test_the_newer_version_gives_an_id_to_poll_by(gateway: LocalGateway) -> None:
    made = create(gateway).json()
    request_id = looks(gateway, made["id"], 1)[0]["request_id"]
    assert looks(gateway, request_id, 1)[0]["id"] == made["id"]


def test_tasks_are_listed_in_pages_and_filtered(gateway: LocalGateway) -> None:
    ids = [create(gateway).json()["id"] for _ in range(3)][::-1]
    other = create(gateway, model="google/veo-3.0-generate").json()["id"]
    looks(gateway, ids[0], 1)

    def found(query: str) -> list[Any]:
        response = get(gateway, f"{PATH}?{query}")
        assert response.status == 200
        return [task["id"] for task in response.json()["data"]]

    page = get(gateway, f"{PATH}?limit=2&offset=1").json()
    assert [task["id"] for task in page["data"]] == ids[:2]
    assert (page["total"], page["limit"], page["offset"]) == (4, 2, 1)
    assert page["has_more"]
    assert found("status=running") == [ids[0]]
    assert found("status=queued&limit=100") == [other, ids[1], ids[2]]
    assert found("model=google/veo-3.0-generate") == [other]
    assert len(found("created_after=2020-01-01T00:00:00Z&created_before=99999999999")) == 4
    assert found("created_after=99999999999") == found("created_before=2020-01-01") == []


@pytest.mark.parametrize(
    "query", ["limit=0", "limit=101", "offset=-1", "created_after=soon", "created_before="]
)
def test_a_bad_filter_is_refused(gateway: LocalGateway, query: str) -> None:
    ((_, where),) = get(gateway, f"{PATH}?{query}").faults
    assert where == ["query", query.partition("=")[0]]


def test_bad_tasks_are_refused(gateway: LocalGateway) -> None:
    assert {where[-1] for _, where in post(gateway, PATH, {}).faults} == {"model", "content"}
    assert create(gateway, content=[]).faults == [("too_short", ["body", "content"])]
    asset = [{"type": "image_url", "image_url": {"url": "asset://1"}}]
    assert create(gateway, content=asset).status == 422
    assert create(gateway, model="openai/gpt-4o").code == (400, "model_capability_not_supported")
    assert create(gateway, callback_url="http://x").code == (501, "not_implemented")
    assert get(gateway, f"{PATH}/nothing").code == (404, "not_found")
