"""The pages about the command line show what a terminal shows."""

import os
import sys
from pathlib import Path

import pytest
from house.fresh import ROOT, SRC

from meshapi.cli.commands import COMMANDS
from meshapi.testing import LocalGateway

if sys.platform == "win32":
    pytest.skip("terminals of POSIX", allow_module_level=True)

from support.console_blocks import Shown, agrees, blocks_of, differences

PAGES = sorted((ROOT / "docs").glob("command-line*.md"))

BLOCKS = [block for path in PAGES for block in blocks_of(path)]


@pytest.mark.slow
@pytest.mark.parametrize("block", BLOCKS, ids=[block[0].name for block in BLOCKS])
def test_a_terminal_shows_what_the_page_shows(
    block: list[Shown], gateway: LocalGateway, tmp_path: Path
) -> None:
    environment = {
        **{name: os.environ[name] for name in ("LANG", "PATH") if name in os.environ},
        "HOME": str(tmp_path),
        "MESHAPI_BASE_URL": gateway.url,
        "MESHAPI_TOKEN": gateway.token,
        "NO_COLOR": "1",
        "PYTHONIOENCODING": "utf-8",
        "PYTHONPATH": str(SRC),
        "TERM": "xterm",
    }
    found = differences(block, environment, tmp_path)
    assert not found, "\n\n".join(found)


def test_each_command_is_shown() -> None:
    shown = "\n".join(one.command for block in BLOCKS for one in block)
    names = [
        " ".join(filter(None, [command.name, below and below.name]))
        for command in COMMANDS
        for below in command.commands or [None]
    ]
    assert not [name for name in names if f"meshapi {name}" not in shown]


@pytest.mark.parametrize(
    ("raw", "shown", "same"),
    [
        ("2 + 2 = 4.\r\n", "2 + 2 = 4.", True),
        ("2 + 2 = 4.\r\n", "2 + 2 = 5.", False),
        ("\x1b[1mModel\x1b[0m  \r\n", "Model", True),
        ("request req_1 took 12 ms\r\n", "request req_9 took 7 ms", True),
        ("a\r\nb\r\n", "a\n...", True),
        ("a\r\nb\r\n", "a", False),
    ],
)
def test_only_what_varies_is_overlooked(raw: str, shown: str, same: bool) -> None:
    assert agrees(raw, shown) is same
