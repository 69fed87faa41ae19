"""endpoints.videos: IDs, pages, and tasks that are not started twice."""

from typing import Any

import pytest

from meshapi_core.endpoints.videos import Videos
from meshapi_core.errors import InvalidParamsError
from meshapi_core.types.videos import ListVideoGenerationsParams

FIELDS: Any = {"model": "m", "content": [{"type": "text", "text": "A bicycle"}]}


@pytest.mark.parametrize("task_id", ["", ".", "..", None, 5, "\ud800"])
def test_a_bad_id_is_refused_before_anything_is_sent(task_id):
    with pytest.raises(InvalidParamsError) as caught:
        Videos.retrieve.build(task_id)
    assert caught.value.field == "task_id"


@pytest.mark.parametrize(
    ("task_id", "segment"),
    [
        ("../models", "..%2Fmodels"),
        ("a/b?x=1#f", "a%2Fb%3Fx%3D1%23f"),
        ("%2e%2e", "%252e%252e"),
        ("...", "..."),
    ],
)
def test_no_id_leads_to_another_endpoint(task_id, segment):
    call = Videos.retrieve.build(task_id)
    assert (call.path, call.query) == (f"/v1/video/generations/{segment}", ())


def test_a_task_is_not_started_twice():
    """Each task that is started is billed."""
    assert Videos.generate.build(**FIELDS).starts_job
    assert not Videos.list.build().starts_job


@pytest.mark.parametrize("missing", FIELDS)
def test_model_and_content_are_required(missing):
    with pytest.raises(InvalidParamsError) as caught:
        Videos.generate.build(**{name: FIELDS[name] for name in FIELDS if name != missing})
    assert (caught.value.field, caught.value.got) == (missing, "nothing")


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"limit": "20"}, "limit: expected int, got str; write int(x)"),
        ({"offset": True}, "offset: expected int, got bool"),
        (
            {"page": 2},
            (
                "page: no such parameter; the parameters are created_after, created_before, limit, "
                "model, offset and status"
            ),
        ),
    ],
)
def test_odd_pages_are_refused(fields, message):
    with pytest.raises(InvalidParamsError) as caught:
        Videos.list.build(**fields)
    assert str(caught.value) == message


def test_a_page_in_both_forms():
    by_object = Videos.list.build(ListVideoGenerationsParams(limit=1, offset=0))
    assert by_object == Videos.list.build(limit=1, offset=0)
    assert by_object.query == (("limit", "1"), ("offset", "0"))
    assert Videos.list.build().query == ()
