"""The plugin of pytest, in runs of pytest within this one."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from house.fresh import modules_after

from meshapi import AsyncMeshAPI, MeshAPI
from meshapi.testing import LocalGateway, block_network, cassette

pytest_plugins = ["pytester"]

pytestmark = pytest.mark.slow

LOADED = (AsyncMeshAPI, block_network, cassette)

PLAIN = ("-q", *(f"-pno:{name}" for name in ("cacheprovider", "cov", "xdist", "hypothesispytest")))

QUESTION = """
MESSAGES = [{"role": "user", "content": "What is 2+2?"}]
QUESTION = {"model": "openai/gpt-4o-mini", "messages": MESSAGES}
"""

RECORDED = f"""
import os
import pytest
from meshapi import MeshAPI
{QUESTION}
@pytest.mark.meshapi_cassette
def test_answer():
    with MeshAPI(base_url=os.environ["URL"], token="rsk_demo") as client:
        assert client.chat.completions.create(**QUESTION).text == "2 + 2 = 4."
"""


def run(pytester: pytest.Pytester, *options: str) -> Any:
    return pytester.runpytest_inprocess(*PLAIN, *options)


@pytest.fixture(scope="module", autouse=True)
def gateway() -> Iterator[LocalGateway]:
    """A gateway that has been used: what an inner run loads, it forgets, and loads again."""
    with LocalGateway(words_per_second=0) as gateway:
        with MeshAPI(base_url=gateway.url, token=gateway.token) as client:
            client.models.list()
        yield gateway


@pytest.fixture
def url(gateway: LocalGateway, monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("URL", gateway.url)
    return gateway.url


def test_the_plugin_loads_nothing_but_the_faces():
    loaded = modules_after("import pytest, meshapi.testing.plugin")
    own = {name for name in loaded if name.partition(".")[0].startswith("meshapi")}
    assert {name for name in own if "_face" not in name} == {
        "meshapi",
        "meshapi.testing",
        "meshapi.testing.plugin",
        "meshapi_core",
        "meshapi_core.types",
    }
    assert not {"msgspec", "anyio", "asyncio", "ssl", "uvicorn"} & (
        loaded - modules_after("import pytest")
    )


def test_a_test_gets_a_gateway_and_a_client(pytester):
    pytester.makepyfile(
        QUESTION
        + """
def test_answer(meshapi_client, meshapi_gateway):
    assert meshapi_client.chat.completions.create(**QUESTION).text == "2 + 2 = 4."
    assert len(meshapi_gateway.requests) == 1

def test_the_gateway_is_new(meshapi_gateway):
    assert meshapi_gateway.requests == []
"""
    )
    run(pytester).assert_outcomes(passed=2)


ASYNC = f"""
import pytest
{QUESTION}
async def answer(client):
    async with client.chat.completions.stream(**QUESTION) as stream:
        assert "".join([chunk.text async for chunk in stream]) == "2 + 2 = 4."
    assert (await client.chat.completions.create(**QUESTION)).text == "2 + 2 = 4."
"""


def test_the_async_client_works_with_the_plugins_of_anyio_and_trio(pytester):
    pytester.makepyfile(
        ASYNC
        + """
@pytest.mark.anyio
async def test_of_anyio(async_meshapi_client):
    await answer(async_meshapi_client)

@pytest.mark.trio
async def test_of_trio(async_meshapi_client):
    await answer(async_meshapi_client)

@pytest.mark.anyio
async def test_closed_by_the_test(async_meshapi_client):
    async with async_meshapi_client:
        await answer(async_meshapi_client)
"""
    )
    # On asyncio and on trio, by anyio's plugin.
    result = run(pytester, "-W", "error", "-p", "anyio")
    result.assert_outcomes(passed=5)


def test_a_program_may_put_a_fake_gateway_in_its_place(pytester):
    pytester.makepyfile(f"""
import pytest
from meshapi.testing import FakeGateway
{QUESTION}
@pytest.fixture
def meshapi_gateway():
    with FakeGateway() as gateway:
        gateway.next_error(429, retry_after=20)
        yield gateway
        assert gateway.clock.now >= 20

def test_answer(meshapi_client):
    assert meshapi_client.chat.completions.create(**QUESTION).text == "2 + 2 = 4."

@pytest.mark.trio
async def test_of_trio(async_meshapi_client):
    await async_meshapi_client.chat.completions.create(**QUESTION)
""")
    run(pytester).assert_outcomes(passed=2)


def test_a_marked_test_is_recorded_and_then_played(pytester, url, monkeypatch):
    path = Path(pytester.makepyfile(test_it=RECORDED)).parent / "cassettes/test_it/test_answer.json"
    run(pytester).assert_outcomes(passed=1)
    assert len(json.loads(path.read_bytes())["exchanges"]) == 1
    monkeypatch.setenv("URL", "http://127.0.0.1:9")
    run(pytester, "--meshapi-record=none", "--meshapi-block-network").assert_outcomes(passed=1)
    path.unlink()
    result = run(pytester, "--meshapi-record=none")
    result.assert_outcomes(errors=1)
    missing = "*there is no cassette*test_answer.json, and {} records none; record it with {}*"
    wanted = [missing.format("--meshapi-record=none", "--meshapi-record=once")]
    result.stdout.fnmatch_lines(wanted)


@pytest.mark.parametrize(
    ("mark", "option", "named"),
    [
        ("", "", "--meshapi-record=new_episodes"),
        ("", "once", "--meshapi-record=new_episodes"),
        ("(mode='none')", "", 'mode="new_episodes"'),
        ("(mode='all')", "none", "--meshapi-record=new_episodes"),
    ],
)
def test_errors_of_a_cassette_name_what_the_user_wrote(
    pytester, url, monkeypatch, mark, option, named
):
    monkeypatch.setenv("MESHAPI_TOKEN", "rsk_demo")
    marked = "@pytest.mark.meshapi_cassette"
    pytester.makepyfile(test_it=RECORDED)
    run(pytester).assert_outcomes(passed=1)
    pytester.makepyfile(test_it=RECORDED.replace(marked, marked + mark).replace("2+2", "2+3"))
    result = run(pytester, *([f"--meshapi-record={option}"] if option else []))
    result.assert_outcomes(failed=1)
    assert f"To change it, record it with {named}, or delete the file" in result.stdout.str()


def test_a_recorded_test_needs_no_token(pytester, url, monkeypatch):
    for variable in ("MESHAPI_TOKEN", "MESHAPI_API_KEY", "MESHAPI_BASE_URL"):
        monkeypatch.delenv(variable, raising=False)
    pytester.makepyfile(
        f"""
import pytest
from meshapi import MeshAPI
{QUESTION}
@pytest.fixture
def client():
    with MeshAPI() as client:
        yield client

@pytest.mark.meshapi_cassette
def test_answer(client):
    assert client.chat.completions.create(**QUESTION).text == "2 + 2 = 4."

def test_without_a_cassette():
    with pytest.raises(ValueError, match="token"):
        MeshAPI()
"""
    )
    with monkeypatch.context() as recording:
        recording.setenv("MESHAPI_BASE_URL", url)
        recording.setenv("MESHAPI_TOKEN", "rsk_demo")
        run(pytester, "-k", "test_answer").assert_outcomes(passed=1)
    run(pytester).assert_outcomes(passed=2)
    run(pytester, "--meshapi-record=none", "--meshapi-block-network").assert_outcomes(passed=2)


def test_a_failing_test_is_recorded_too(pytester, url):
    pytester.makepyfile(test_it=RECORDED.replace('"2 + 2 = 4."', '"5"'))
    run(pytester).assert_outcomes(failed=1)
    assert Path(pytester.path, "cassettes/test_it/test_answer.json").exists()


def test_each_test_has_a_file_whatever_its_name(pytester, url):
    pytester.makepyfile(
        test_it="""
import os
import pytest
from meshapi import MeshAPI

class TestIt:
    @pytest.mark.meshapi_cassette
    @pytest.mark.parametrize("text", ["a/b", "a:b", "x" * 300, "../../up"])
    def test_answer(self, text):
        with MeshAPI(base_url=os.environ["URL"], token="rsk_demo") as client:
            client.models.list()
"""
    )
    run(pytester).assert_outcomes(passed=4)
    folder = Path(pytester.path, "cassettes/test_it")
    names = sorted(each.name for each in folder.iterdir())
    assert len(names) == 4
    assert all(name.startswith("TestIt.test_answer[") and len(name) < 100 for name in names)


def test_a_mark_may_name_the_file_and_the_mode(pytester, url):
    mark = "@pytest.mark.meshapi_cassette"
    pytester.makepyfile(RECORDED.replace(mark, f"{mark}('tapes/a.json', mode='all')"))
    run(pytester).assert_outcomes(passed=1)
    assert Path(pytester.path, "tapes/a.json").exists()


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("pth='a.json'", "expected path (a str or a Path) and mode, got pth"),
        ("1", "expected path (a str or a Path) and mode, got path=1"),
        ("mode='onec'", "expected 'once' or 'none' or 'new_episodes' or 'all', got 'onec'"),
        ("'a', 'once', 3", "expected path (a str or a Path) and mode, got 3 positional arguments"),
    ],
)
def test_a_wrong_mark_fails_the_test(pytester, arguments, message):
    pytester.makepyfile(
        f"""
import pytest

@pytest.mark.meshapi_cassette({arguments})
def test_it():
    pass
"""
    )
    result = run(pytester)
    result.assert_outcomes(errors=1)
    assert message in result.stdout.str()
    assert "plugin.py" not in result.stdout.str()


FOREIGN = """
import pytest
from meshapi import MeshAPI, NetworkBlockedError

def test_it():
    with MeshAPI(base_url="https://gateway.invalid", token="rsk_test_1") as client:
        with pytest.raises(NetworkBlockedError, match="test_it") as caught:
            client.models.list()
    assert "test_it: BY allows only this machine" in str(caught.value)

def test_the_local_gateway_is_allowed(meshapi_client):
    meshapi_client.models.list()
"""


@pytest.mark.parametrize("how", ["option", "ini"])
def test_the_network_can_be_blocked_for_a_whole_run(pytester, how):
    by = {"option": "--meshapi-block-network", "ini": "meshapi_block_network = true"}[how]
    pytester.makepyfile(FOREIGN.replace("BY", by))
    if how == "ini":
        pytester.makeini("[pytest]\nmeshapi_block_network = true\n")
    run(pytester, *(["--meshapi-block-network"] if how == "option" else [])).assert_outcomes(
        passed=2
    )
    from meshapi_backends import GUARDS

    assert GUARDS == []


def test_a_wrong_mode_on_the_command_line_is_refused(pytester):
    result = run(pytester, "--meshapi-record=onec")
    assert result.ret == pytest.ExitCode.USAGE_ERROR
    assert "invalid choice: 'onec'" in result.stderr.str()


def test_the_mark_is_known_and_the_options_are_in_the_help(pytester):
    shown = run(pytester, "--markers").stdout.str()
    assert "@pytest.mark.meshapi_cassette(path=None, mode='once')" in shown
    shown = run(pytester, "--help").stdout.str()
    for option in ("--meshapi-record=MODE", "--meshapi-block-network", "meshapi_block_network"):
        assert option in shown


def test_strict_settings_and_warnings_as_errors_do_not_disturb_it(pytester):
    strict = "addopts = --strict-markers --strict-config"
    pytester.makeini(f"[pytest]\nfilterwarnings = error\n{strict}\n")
    pytester.makepyfile("def test_it(meshapi_client):\n    pass\n")
    run(pytester).assert_outcomes(passed=1)


TYPED_WRONG = """
import pytest

def ask(client, text="How is the weather?"):
    messages = [{"role": "user", "content": text}]
    return client.chat.completions.create(model="openai/gpt-4o-mini", messages=messages)

def test_it(meshapi_client, meshapi_gateway):
    meshapi_gateway.on("wether", "Sunny.")
    ask(meshapi_client)
"""


def test_a_script_that_is_not_used_fails_the_test(pytester):
    pytester.makepyfile(TYPED_WRONG)
    result = run(pytester)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*these scripts were not used up:", "*'wether'*never used"])
    assert "plugin.py" not in result.stdout.str()


def test_a_failed_test_says_nothing_of_scripts(pytester):
    pytester.makepyfile(TYPED_WRONG + "    assert False, 'of the test'\n")
    result = run(pytester)
    result.assert_outcomes(failed=1)
    assert "of the test" in result.stdout.str()
    assert "not used up" not in result.stdout.str()


def test_the_scripts_of_a_fake_gateway_are_checked_too(pytester):
    pytester.makepyfile(
        """
import pytest

def test_unused(meshapi_fake_gateway):
    meshapi_fake_gateway.on("weather", "It is sunny.")

@pytest.mark.meshapi_gateway(assert_all_used=False, strict=True)
def test_allowed(meshapi_fake_gateway):
    meshapi_fake_gateway.on("weather", "It is sunny.")
    assert meshapi_fake_gateway.strict
"""
    )
    run(pytester).assert_outcomes(passed=1, failed=1)


@pytest.mark.parametrize("how", ["ini", "mark"])
def test_scripts_may_stay_unused_where_a_test_or_a_setting_says_so(pytester, how):
    mark = "@pytest.mark.meshapi_gateway(assert_all_used=False)\n"
    pytester.makepyfile(TYPED_WRONG.replace("def test_it", mark * (how == "mark") + "def test_it"))
    if how == "ini":
        pytester.makeini("[pytest]\nmeshapi_assert_all_used = false\n")
    run(pytester).assert_outcomes(passed=1)


def test_a_mark_overrules_the_setting(pytester):
    pytester.makeini("[pytest]\nmeshapi_assert_all_used = false\n")
    mark = "@pytest.mark.meshapi_gateway(assert_all_used=True)\n"
    pytester.makepyfile(TYPED_WRONG.replace("def test_it", mark + "def test_it"))
    run(pytester).assert_outcomes(failed=1)


def test_a_mark_makes_the_gateway_strict(pytester):
    pytester.makepyfile(
        """
import pytest
from meshapi import MeshAPIError

@pytest.mark.meshapi_gateway(strict=True, token="rsk_test_2")
def test_it(meshapi_client, meshapi_gateway):
    assert meshapi_gateway.token == "rsk_test_2"
    try:
        meshapi_client.chat.completions.create(model="m", messages=[])
    except MeshAPIError:
        pass
"""
    )
    result = run(pytester)
    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["*these requests went wrong:"])


def test_a_mark_adds_to_that_of_the_class(pytester):
    pytester.makepyfile(
        """
import pytest

@pytest.mark.meshapi_gateway(strict=True, token="rsk_test_2")
class TestIt:
    @pytest.mark.meshapi_gateway(token="rsk_test_3")
    def test_it(self, meshapi_gateway):
        assert (meshapi_gateway.strict, meshapi_gateway.token) == (True, "rsk_test_3")
"""
    )
    run(pytester).assert_outcomes(passed=1)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("srict=True", "srict"),
        ("'strict'", "expected keywords only, got 'strict'"),
        ("words_per_second=-1", "-1"),
        ("assert_all_used=1", "assert_all_used: expected True or False, got 1"),
    ],
)
def test_wrong_options_of_the_gateway_are_an_error(pytester, arguments, message):
    pytester.makepyfile(
        f"""
import pytest

@pytest.mark.meshapi_gateway({arguments})
def test_it(meshapi_gateway):
    pass
"""
    )
    result = run(pytester)
    result.assert_outcomes(errors=1)
    result.stdout.fnmatch_lines([f"*@pytest.mark.meshapi_gateway of *test_it: *{message}*"])
    assert "plugin.py" not in result.stdout.str()
