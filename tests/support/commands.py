"""The command `meshapi` in a process of its own."""

import os
import signal
import subprocess
import sys
from typing import Any

from meshapi.testing import LocalGateway

TOKEN = "rsk_test_cli"
MESHAPI = [sys.executable, "-m", "meshapi"]


def start(*arguments: str, **options: Any) -> "subprocess.Popen[str]":
    if sys.platform != "win32":
        # A shell that runs the tests in the background makes them, and their children, ignore it.
        options["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
    options.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.Popen(
        [*MESHAPI, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **options
    )


def environment(gateway: LocalGateway) -> dict[str, str]:
    return {**os.environ, "MESHAPI_BASE_URL": gateway.url, "MESHAPI_TOKEN": gateway.token}


def complaints(errors: str) -> list[str]:
    """Return the lines that a program in development mode has written to standard error.

    Without asyncio's warnings of slow steps, which only say how busy the machine is.
    """
    return [line for line in errors.splitlines() if not line.startswith("Executing <")]
