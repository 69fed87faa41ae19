"""The official package and this one make the same calls and get the same responses.

Both play the cases of `official_cases.py` against a gateway that is reset before each, so that they
find it in the same state. What differs stands in `known_differences.py`, and nowhere else.
"""

import base64
import inspect
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

import pytest
from interop.known_differences import MORE, check_the_same, header_differences, play_both
from interop.official_cases import CASES, GROUPS
from interop.players import CLIENTS, Player, Run

import meshapi
from meshapi.testing import LocalGateway

VARIABLE = "MESHAPI_OFFICIAL_PYTHON"
ALL = [name for name, case in CASES.items() if case.version == "0.1.11"]
FAIR = [name for name in ALL if CASES[name].fault is None]

# All of 0.1.11.
METHODS = """
    chat.completions.create chat.completions.stream
    responses.create responses.stream responses.list responses.get
    embeddings.create compare.create compare.stream
    images.generate images.stream images.edit videos.generate videos.list videos.retrieve
    audio.synthesize audio.transcribe audio.get_transcription audio.translate
    audio.audio_translate audio.list_voices audio.get_voice
    models.list models.free models.paid models.search models.get
    templates.create templates.list templates.get templates.update templates.delete
    batches.create batches.list batches.get batches.cancel
    rag.init_upload rag.list rag.get rag.embed rag.search rag.upload_file
    moderations.create web.search router.select realtime.connect
"""

OFFICIAL = os.environ.get(VARIABLE)
with_the_official_package = pytest.mark.skipif(
    not OFFICIAL,
    reason=f"{VARIABLE} is not set: `.ci/run interop` sets it, tests/interop/README.md says how",
)


@pytest.fixture(scope="module")
def official(gateway: LocalGateway) -> Iterator[Player]:
    assert OFFICIAL is not None
    player = Player(OFFICIAL, gateway, None)
    yield player
    player.close()


@pytest.fixture(scope="module")
def ours(gateway: LocalGateway) -> Iterator[Player]:
    player = Player(sys.executable, gateway, str(Path(meshapi.__file__).parents[1]))
    yield player
    player.close()


def slow_marked(names: Iterable[str]) -> list[Any]:
    return [
        pytest.param(name, marks=pytest.mark.slow if CASES[name].slow else ()) for name in names
    ]


@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("case", slow_marked(ALL))
def test_our_package_plays_every_case(case: str, client: str, ours: Player) -> None:
    run = ours.play(case, client)
    assert run.received
    shown = json.dumps(run.received)
    assert "$raised" not in shown
    assert shown.count("$refused") == CASES[case].refuses


def test_every_official_method_is_called() -> None:
    sources = "".join(inspect.getsource(group) for group in GROUPS)
    called = set(re.findall(r"\bc\.([a-z_.]+)\(", sources))
    assert called == set(METHODS.split())


@with_the_official_package
def test_the_other_package_is_the_official_one() -> None:
    code = "import importlib.metadata as m, meshapi; print(m.version('meshapi'), meshapi.__file__)"
    asked = subprocess.run(
        [OFFICIAL or "", "-I", "-c", code], capture_output=True, check=True, encoding="utf-8"
    )
    version, _, path = asked.stdout.strip().partition(" ")
    assert version == "0.1.11"
    assert Path(path) != Path(meshapi.__file__)


@with_the_official_package
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("case", slow_marked(FAIR))
def test_both_send_and_receive_the_same(
    case: str, client: str, official: Player, ours: Player
) -> None:
    theirs, mine = play_both(case, client, official, ours)
    check_the_same(theirs, mine)


def test_what_we_have_more_is_ours() -> None:
    for known in MORE:
        assert set(known.fields.split()) <= set(getattr(meshapi, known.type).__struct_fields__)


# What the official package does not do right: that it doesn't, and that we do


def check_an_error_in_a_stream(theirs: Run, mine: Run) -> None:
    """The official error does not know its request."""
    assert mine.received[0]["chunks"] == theirs.received[0]["chunks"] != []
    official_error = theirs.received[0]["end"]["$error"]
    our_error = mine.received[0]["end"]["$error"]
    assert our_error["error_code"] == official_error["error_code"]
    assert our_error["status"] == official_error["status"] == 0
    assert official_error["request_id"] == ""
    assert our_error["request_id"].startswith("req_")


def check_models_that_all_fail(theirs: Run, mine: Run) -> None:
    """The details of a nested error are lost."""
    official_error, our_error = theirs.received[0]["$error"], mine.received[0]["$error"]
    assert (official_error["message"], official_error["details"]) == ("HTTP 502", [])
    assert our_error["error_code"] == "all_models_failed"
    assert [detail["model"] for detail in our_error["details"]] == ["no/such", "no/other"]


def check_a_model_that_fails_in_a_stream(theirs: Run, mine: Run) -> None:
    """One model's error ends the official stream; it is data."""
    before, chunks = theirs.received[0]["chunks"], mine.received[0]["chunks"]
    assert theirs.received[0]["end"]["$error"]["error_code"] == "upstream_error"
    assert mine.received[0]["end"] is None
    assert chunks[: len(before)] == before != []
    assert [chunk["model"] for chunk in chunks if chunk["error"]] == ["no/such"]
    assert chunks[-1]["event"] == "done"


def check_lists_and_booleans_in_a_form(theirs: Run, mine: Run) -> None:
    """They are sent as Python writes them."""
    assert ("keyterms", "['alpha', 'beta']") in form(theirs)
    assert ("diarize", "True") in form(theirs)
    assert theirs.received[0]["$error"]["status"] == 422
    assert form(mine) == [
        ("diarize", "true"),
        form(theirs)[1],
        ("keyterms", "alpha"),
        ("keyterms", "beta"),
        ("model", "elevenlabs/scribe_v1"),
        ("no_verbatim", "false"),
    ]
    assert mine.received[0]["text"]


def form(run: Run) -> list[tuple[str, str]]:
    return [
        (part["name"], base64.b64decode(part["content"]).decode("latin-1"))
        for part in run.requests[0]["body"]
    ]


def check_a_field_that_is_cleared(theirs: Run, mine: Run) -> None:
    """A None is not sent."""
    assert theirs.requests[1]["body"] == {}
    assert theirs.received[1]["description"] == "Helps"
    assert mine.requests[1]["body"] == {"description": None}
    assert mine.received[1]["description"] is None


def check_ids_in_paths(theirs: Run, mine: Run) -> None:
    """An ID leads anywhere."""
    assert [request["path"] for request in theirs.requests] == [
        "/v1/models",
        "/v1/templates/a/b",
        "/v1/responses/x",
        "/v1/audio/voices/",
        "/v1/video/generations/a%20b",
        "/v1/admin",
    ]
    assert [request["path"] for request in mine.requests] == [
        "/v1/templates/..%2Fmodels",
        "/v1/templates/a%2Fb%3Fx%3D1%23f",
        "/v1/responses/r%2F..%2Fx",
        "/v1/video/generations/a%20b",
    ]
    assert mine.received[3] == mine.received[5] == {"$refused": True}


def check_a_session_that_ends_badly(theirs: Run, mine: Run) -> None:
    """It looks like one that ends well."""
    for official_talk, our_talk in zip(theirs.received, mine.received):
        assert our_talk["heard"] == official_talk["heard"] != []
        assert official_talk["end"] == "of the messages"
    codes = [our_talk["end"]["$error"]["code"] for our_talk in mine.received]
    assert codes in ([1011, 4402], [1006])


def check_a_message_of_three_mebibytes(theirs: Run, mine: Run) -> None:
    """It ends the session, without a word."""
    before, heard = theirs.received[0]["heard"], mine.received[0]["heard"]
    assert theirs.received[0]["end"] == "of the messages"
    assert mine.received[0]["end"] == "response.done"
    assert heard[: len(before)] == before
    assert heard[len(before)]["event"]["delta"].startswith("3145728 bytes: ")


def check_sessions_that_are_refused(theirs: Run, mine: Run) -> None:
    """What is raised comes from another library, and nobody has read the response."""
    assert theirs.received
    assert all("InvalidStatus" in response["$raised"] for response in theirs.received)
    for response, raised in zip(mine.received, theirs.received):
        error = response["$error"]
        assert f"status_code={error['status']}," in raised["$raised"]
        assert error["error_code"] in raised["$raised"]
        assert error["request_id"] in raised["$raised"]


FAULTY = {
    "realtime_is_closed_for_a_reason": check_a_session_that_ends_badly,
    "realtime_breaks_off": check_a_session_that_ends_badly,
    "realtime_has_large_frames": check_a_message_of_three_mebibytes,
    "realtime_is_refused": check_sessions_that_are_refused,
    "realtime_is_refused_without_a_key": check_sessions_that_are_refused,
    "chat_streams_until_an_error": check_an_error_in_a_stream,
    "chat_streams_until_the_connection_breaks": check_an_error_in_a_stream,
    "compare_with_models_that_all_fail": check_models_that_all_fail,
    "compare_streams_on_when_a_model_fails": check_a_model_that_fails_in_a_stream,
    "audio_is_transcribed_with_lists_and_booleans": check_lists_and_booleans_in_a_form,
    "templates_lose_a_field": check_a_field_that_is_cleared,
    "ids_stay_one_segment": check_ids_in_paths,
}


@with_the_official_package
@pytest.mark.parametrize("client", CLIENTS)
@pytest.mark.parametrize("case", FAULTY)
def test_where_the_official_package_is_wrong_we_are_not(
    case: str, client: str, official: Player, ours: Player
) -> None:
    theirs, mine = play_both(case, client, official, ours)
    FAULTY[case](theirs, mine)
    assert list(header_differences(theirs, mine)) == []


def test_every_fault_is_looked_at() -> None:
    assert sorted(FAULTY) == sorted(name for name in ALL if CASES[name].fault)
