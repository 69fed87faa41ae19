"""The pages about the command line show what a terminal shows."""

import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from house.fresh import ROOT, SRC

from meshapi.testing import LocalGateway

if sys.platform == "win32":
    pytest.skip("terminals of POSIX", allow_module_level=True)

from support.console_blocks import agrees, blocks_of, differences

PAGES = [path for path in sorted((ROOT / "docs").glob("*.md")) if any(blocks_of(path))]


@pytest.mark.slow
@pytest.mark.parametrize("path", PAGES, ids=[path.stem for path in PAGES])
def test_a_terminal_shows_what_the_page_shows(path: Path, tmp_path: Path) -> None:
    def run(numbered: tuple[int, list[object]]) -> list[str]:
        number, block = numbered
        folder = tmp_path / str(number)
        folder.mkdir()
        with LocalGateway("rsk_test_cli", words_per_second=0) as gateway:
            environment = {
                **{name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ},
                "MESHAPI_BASE_URL": gateway.url,
                "MESHAPI_TOKEN": gateway.token,
                "NO_COLOR": "1",
                "PYTHONPATH": str(SRC),
                "PYTHONIOENCODING": "utf-8",
                "TERM": "xterm",
                "HOME": str(folder),
            }
            return differences(block, environment, folder)

    with ThreadPoolExecutor(2) as threads:
        found = [line for lines in threads.map(run, enumerate(blocks_of(path))) for line in lines]
    assert not found, "\n\n".join(found)


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
