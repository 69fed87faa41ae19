"""Which script a request gets."""

import re
import threading
from dataclasses import dataclass
from typing import Any, Optional

import pytest
from hypothesis import given
from hypothesis import strategies as st

from meshapi.gateway.scripts.conditions import Conditions, RequestView
from meshapi.gateway.scripts.engine import Script, ScriptError, Scripts
from meshapi.gateway.scripts.replies import error, reply
from meshapi.gateway.scripts.values import Body, ErrorReply, Reply

CHAT = "/v1/chat/completions"

models = st.sampled_from([None, "m", "n"])
texts = st.sampled_from([None, "rain", "rain and snow", "Snow"])
paths = st.sampled_from([CHAT, "/v1/responses"])
views = st.builds(RequestView, st.just("POST"), paths, models, texts, st.none())
conditions = st.builds(
    Conditions,
    text=st.sampled_from([None, "rain", "SNOW", re.compile("^rain$")]),
    model=models,
    path=st.sampled_from([None, CHAT, re.compile("/v1/.*s")]),
    method=st.sampled_from([None, "POST", "get"]),
    where=st.none(),
)


@dataclass
class Row:
    """A script, as plainly as it can be told."""

    conditions: Conditions
    responses: int
    times: Optional[int]
    first: bool

    @property
    def limit(self) -> float:
        if self.times is not None:
            return self.times
        return float("inf") if self.responses < 2 else self.responses


@st.composite
def rows(draw: st.DrawFn) -> Row:
    responses = draw(st.integers(1, 3))
    times = draw(st.none() | st.integers(responses, 4))
    return Row(draw(conditions), responses, times, draw(st.booleans()))


def holds(row: Row, view: RequestView) -> bool:
    wanted = row.conditions
    text, path = wanted.text, wanted.path
    return (
        (wanted.model is None or wanted.model == view.model)
        and (wanted.method is None or wanted.method.upper() == view.method)
        and (
            path is None
            or (path == view.path if isinstance(path, str) else bool(path.fullmatch(view.path)))
        )
        and (
            text is None
            or (
                view.text is not None
                and (
                    text.lower() in view.text.lower()
                    if isinstance(text, str)
                    else bool(text.search(view.text))
                )
            )
        )
    )


@given(st.lists(rows(), max_size=5), st.lists(views, max_size=12))
def test_the_first_script_that_matches_and_is_not_used_up_has_the_request(
    added: list[Row], view: list[RequestView]
) -> None:
    scripts = Scripts()
    for number, row in enumerate(added):
        said = [reply(f"{number}.{turn}") for turn in range(row.responses)]
        scripts.add(row.conditions, said, times=row.times, first=row.first)
    used = [0] * len(added)
    order = sorted(range(len(added)), key=lambda number: not added[number].first)
    for one in view:
        expected = None
        for number in order:
            if used[number] < added[number].limit and holds(added[number], one):
                turn = min(used[number], added[number].responses - 1)
                expected = reply(f"{number}.{turn}")
                used[number] += 1
                break
        assert scripts.action_for(one) == expected
    needed = [row.limit if row.limit != float("inf") else 1 for row in added]
    assert len(scripts.unused()) == sum(done < most for done, most in zip(used, needed))


@given(st.integers(1, 6), st.integers(1, 4), st.integers(1, 3))
def test_threads_that_ask_at_once_use_up_each_response_once(
    threads: int, times: int, responses: int
) -> None:
    scripts = Scripts()
    scripts.add(
        Conditions(), [reply(str(turn)) for turn in range(responses)], times=times + responses
    )
    start = threading.Barrier(threads)
    got: list[Any] = []

    def ask() -> None:
        start.wait()
        for _ in range(2):
            got.append(scripts.action_for(RequestView("POST", CHAT)))

    running = [threading.Thread(target=ask) for _ in range(threads)]
    for thread in running:
        thread.start()
    for thread in running:
        thread.join()
    given_ = [action.text for action in got if action is not None]
    taken = min(2 * threads, times + responses)
    expected = [str(min(turn, responses - 1)) for turn in range(taken)]
    assert sorted(given_) == sorted(expected)


def test_a_text_matches_whatever_its_case_and_a_pattern_as_it_is() -> None:
    scripts = Scripts()
    scripts.add(Conditions("straße"), [reply("a")])
    scripts.add(Conditions(re.compile("^No")), [reply("b")])
    assert scripts.action_for(RequestView("POST", CHAT, text="Die STRASSE")) == reply("a")
    assert scripts.action_for(RequestView("POST", CHAT, text="No?")) == reply("b")
    assert scripts.action_for(RequestView("POST", CHAT, text="no?")) is None


def test_a_function_sees_the_request_and_may_leave_it_to_the_gateway() -> None:
    scripts = Scripts()
    scripts.add(Conditions(), [lambda request: f"got {request}" if request else None])
    assert scripts.action_for(RequestView("POST", CHAT, request="it")) == reply("got it")
    assert scripts.action_for(RequestView("POST", CHAT)) is None


def test_where_decides_last() -> None:
    seen: list[object] = []
    scripts = Scripts()
    scripts.add(Conditions(model="m", where=lambda request: seen.append(request)), ["no"])
    scripts.add(Conditions(model="m"), [{"a": 1}])
    assert scripts.action_for(RequestView("POST", CHAT, "n", request=1)) is None
    assert scripts.action_for(RequestView("POST", CHAT, "m", request=2)) == Body({"a": 1})
    assert seen == [2]


def test_a_reply_without_conditions_passes_over_what_it_cannot_be_for() -> None:
    scripts = Scripts()
    scripts.add(Conditions(), ["Hi"])
    assert scripts.action_for(RequestView("GET", "/v1/models")) is None
    assert scripts.action_for(RequestView("POST", CHAT)) == reply("Hi")


def test_with_conditions_it_is_an_error() -> None:
    scripts = Scripts()
    scripts.add(Conditions("cat"), ["Hi"], place="test_cat.py:3")
    with pytest.raises(ScriptError) as caught:
        scripts.action_for(RequestView("POST", "/v1/images/generations", text="a cat"))
    assert caught.value.code == "script_does_not_fit"
    assert "test_cat.py:3" in str(caught.value)
    assert scripts.mistakes() == [str(caught.value)]


@pytest.mark.parametrize(
    ("view", "why"),
    [
        (RequestView("POST", CHAT, "n", "rain?"), "model is 'n'"),
        (RequestView("POST", CHAT, None, "rain?"), "it has no model"),
        (RequestView("POST", CHAT, "m", "sun?"), "text is 'sun?'"),
    ],
)
def test_strict_scripts_say_which_was_nearest_and_why_it_does_not_match(
    view: RequestView, why: str
) -> None:
    scripts = Scripts(strict=True)
    scripts.add(Conditions("hail", model="other"), ["a"], place="test_a.py:1")
    scripts.add(Conditions("rain", model="m"), ["b"], place="test_a.py:2")
    with pytest.raises(ScriptError) as caught:
        scripts.action_for(view)
    assert caught.value.code == "not_scripted"
    assert f"Nearest: test_a.py:2: 'rain', model='m', but {why}." in str(caught.value)
    assert "test_a.py:1" in str(caught.value)


def test_a_script_that_is_used_up_says_so() -> None:
    scripts = Scripts(strict=True)
    scripts.add(Conditions("rain"), ["b"], times=1, place="test_a.py:2")
    scripts.action_for(RequestView("POST", CHAT, text="rain"))
    with pytest.raises(ScriptError, match="it was used once, which is all it is for"):
        scripts.action_for(RequestView("POST", CHAT, text="rain"))


@pytest.mark.parametrize("where", [False, True])
def test_a_function_that_fails_is_reported(where: bool) -> None:
    def fail(request: Any) -> Any:
        raise KeyError("city")

    scripts = Scripts()
    scripts.add(Conditions(where=fail if where else None), [fail])
    with pytest.raises(ScriptError, match="KeyError\\('city'\\)") as caught:
        scripts.action_for(RequestView("POST", CHAT))
    assert caught.value.code == "script_failed"
    assert len(scripts.mistakes()) == 1


def test_only_some_kinds_of_responses_can_be_asked_for() -> None:
    scripts = Scripts(strict=True)
    scripts.add(Conditions(), ["Hi"])
    scripts.add(Conditions(), [error(429)])
    found = scripts.action_for(RequestView("GET", "/v1/realtime"), only=(ErrorReply,))
    assert found == error(429)
    assert scripts.action_for(RequestView("GET", "/v1/realtime"), only=(Reply,)) == reply("Hi")


def test_a_reset_returns_to_the_scripts_that_were_kept() -> None:
    scripts = Scripts()
    scripts.add(Conditions("a"), ["1"], times=1, place="kept")
    scripts.keep()
    scripts.add(Conditions("b"), ["2"])
    scripts.add(Conditions(), [error(500)], first=True)
    scripts.action_for(RequestView("POST", CHAT, text="a"))
    scripts.reset()
    assert [(one.place, one.used) for one in scripts.all()] == [("kept", 0)]
    assert scripts.action_for(RequestView("POST", CHAT, text="a")) == reply("1")


@pytest.mark.parametrize(
    ("conditions", "responses", "times", "message"),
    [
        (Conditions(text=3), ["a"], None, "text: expected a text or a compiled pattern, got 3"),
        (Conditions(path=re.compile(b"x")), ["a"], None, "path: expected a text or a compiled"),
        (Conditions(path="v1/models"), [{}], None, "path: expected one that begins with /"),
        (Conditions(model=re.compile("m")), ["a"], None, "model: expected a text"),
        (Conditions(where="x"), ["a"], None, "where: expected a function of the request"),
        (Conditions(), [3], None, "response: expected reply"),
        (Conditions(), [], None, "expected at least one response"),
        (Conditions(), [None], None, "response: expected reply"),
        (Conditions(), [{"a": object()}], None, "response: expected what JSON can express"),
        (Conditions(), ["a"], 0, "times: expected 1 or more, got 0"),
        (Conditions(), ["a"], True, "times: expected 1 or more, got True"),
        (Conditions(), ["a", "b"], 1, "times: expected at least 2, one for each response, got 1"),
        (
            Conditions(path="/v1/models"),
            ["a"],
            None,
            "/v1/models can't respond with a reply's text",
        ),
        (Conditions(path="/v1/chat/compare"), ["a"], None, "so leave out path="),
        (
            Conditions(path="/v1/embeddings"),
            [reply(refusal="no")],
            None,
            "/v1/embeddings can't respond with a reply's refusal: it has embedding and text and",
        ),
    ],
)
def test_a_wrong_script_fails_at_once(
    conditions: Any, responses: Any, times: Any, message: str
) -> None:
    with pytest.raises((TypeError, ValueError), match=re.escape(message)):
        Scripts().add(conditions, responses, times=times)


def test_a_coroutine_function_is_refused() -> None:
    async def respond(request: object) -> str:
        return "never"

    with pytest.raises(TypeError, match="expected a plain function"):
        Scripts().add(Conditions(), [respond])  # type: ignore[list-item]


def test_there_can_only_be_so_many(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("meshapi.gateway.scripts.engine._MOST_SCRIPTS", 2)
    scripts = Scripts()
    scripts.add(Conditions(), ["a"])
    scripts.add(Conditions(), ["a"], first=True)
    with pytest.raises(ValueError, match="reset the gateway"):
        scripts.add(Conditions(), ["a"])


def test_it_shows_its_place_and_its_conditions() -> None:
    wanted = Conditions(re.compile("^a"), "m", "/v1/responses", "POST", len)
    script = Script(wanted, ["Hi"], None, "test_a.py:1")
    assert str(script) == (
        "test_a.py:1: re.compile('^a'), model='m', path='/v1/responses', method='POST', where=len"
    )
    assert repr(script).endswith("used never>")
    assert str(Script(Conditions(), [], None, "here")) == "here: any request"
