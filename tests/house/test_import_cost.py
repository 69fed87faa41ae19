"""What `import meshapi` costs, counted in modules: a count is the same on every machine."""

import sys

import pytest
from house.fresh import modules_after, run_python

MOST_MODULES = 65
"""Of `import meshapi`, which loads its faces alone; `python -c pass` has about 25."""

MOST_WITH_A_CLIENT = 311
"""With what one of the two clients needs, before it is used; on Python 3.11 it is 306."""

MOST_OF_THE_COMMAND_LINE = 180
"""With argparse and a module for each command, none of which has been run."""

LOADED_WHEN_USED = frozenset(
    "anyio asyncio h2 httpcore httpx httpx2 socksio ssl starlette trio uvicorn wsproto".split()
)

pytestmark = pytest.mark.slow


def test_import_meshapi_loads_no_event_loop_and_no_network() -> None:
    loaded = {name.partition(".")[0] for name in modules_after("import meshapi")}
    assert not loaded & LOADED_WHEN_USED


def test_import_meshapi_loads_few_modules() -> None:
    loaded = modules_after("import meshapi")
    assert len(loaded) <= MOST_MODULES, sorted(loaded)


@pytest.mark.parametrize("client", ["MeshAPI", "AsyncMeshAPI"])
def test_a_client_loads_few_modules_and_not_those_of_the_other(client: str) -> None:
    loaded = modules_after(f"from meshapi import {client}")
    assert len(loaded) <= MOST_WITH_A_CLIENT, sorted(loaded)
    other = "_sync" if client == "AsyncMeshAPI" else "_async"
    assert f"meshapi_backends.{other}.runner" not in loaded


def test_the_command_line_loads_no_client_before_a_command_needs_one() -> None:
    loaded = modules_after(
        "import contextlib, os, meshapi.cli",
        "with contextlib.redirect_stdout(open(os.devnull, 'w')), contextlib.suppress(SystemExit):",
        "    meshapi.cli.main(['--help'])",
    )
    assert len(loaded) <= MOST_OF_THE_COMMAND_LINE, sorted(loaded)
    assert not [name for name in loaded if name.endswith((".runner", ".conversation"))]
    assert not {name.partition(".")[0] for name in loaded} & LOADED_WHEN_USED


def test_both_clients_can_be_made_without_an_event_loop_library() -> None:
    loaded = modules_after(
        "import meshapi",
        "meshapi.MeshAPI(token='rsk_test_import_cost')",
        "meshapi.AsyncMeshAPI(token='rsk_test_import_cost')",
    )
    assert not {name.partition(".")[0] for name in loaded} & {"anyio", "asyncio", "trio"}


@pytest.mark.skipif(not hasattr(sys, "addaudithook"), reason="needs audit hooks")
def test_import_meshapi_touches_neither_network_nor_files_nor_processes() -> None:
    """Nothing is connected, written or started, and no thread begins, before it is needed."""
    printed = run_python(
        "seen = []",
        "def hook(event, args):",
        "    writes = event == 'open' and set(str(args[1])) & set('wax+')",
        "    family = event.partition('.')[0]",
        "    if writes or family in ('socket', 'subprocess') or event == 'os.fork':",
        "        seen.append((event, args[:1]))",
        "sys.addaudithook(hook)",
        "sys.dont_write_bytecode = True",
        "import meshapi, meshapi_backends, meshapi_core",
        "import threading",
        "print(seen, threading.active_count())",
    )
    assert printed.split() == ["[]", "1"]


def test_threads_may_ask_for_names_at_the_same_time() -> None:
    """Each loads the name that it uses, with what that needs; no thread must find it half loaded.

    The finder is slow, so that every module is on its way while another thread wants it.
    """
    printed = run_python(
        "import importlib.abc, random, threading, time, traceback",
        "class Slow(importlib.abc.MetaPathFinder):",
        "    def find_spec(self, name, path, target=None):",
        "        if name.startswith('meshapi'):",
        "            time.sleep(0.002)",
        "sys.meta_path.insert(0, Slow())",
        "import meshapi, meshapi_core, meshapi_backends",
        "names = [(m, n) for m in (meshapi, meshapi_core, meshapi_backends) for n in m.__all__]",
        "failed = []",
        "barrier = threading.Barrier(8)",
        "def ask(number):",
        "    mine = names[:]",
        "    random.Random(number).shuffle(mine)",
        "    barrier.wait()",
        "    try:",
        "        for module, name in mine:",
        "            getattr(module, name)",
        "    except BaseException:",
        "        failed.append(traceback.format_exc())",
        "threads = [threading.Thread(target=ask, args=(n,), daemon=True) for n in range(8)]",
        "for thread in threads: thread.start()",
        "for thread in threads: thread.join(60)",
        "print(failed, [thread for thread in threads if thread.is_alive()])",
    )
    assert printed.strip() == "[] []"
