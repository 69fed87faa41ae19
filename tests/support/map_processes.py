"""Runs of `client.map` in processes of their own, and what their journal and the gateway say."""

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Optional

from meshapi.testing import LocalGateway
from support.commands import complaints

TOKEN = "rsk_test_mapped"
PATIENCE = 120.0
_TESTS = Path(__file__).resolve().parents[1]


def gateway_that_remembers() -> LocalGateway:
    """A gateway that keeps all requests of a long run, not only the last thousand."""
    gateway = LocalGateway(token=TOKEN, words_per_second=0)
    gateway._state.requests._most = 10**6
    return gateway


class MapProcess:
    """A process that makes calls; see `support.map_program`.

    Args:
        gateway: where it sends them.
        folder: for its output.
        given: what it does.
    """

    def __init__(self, gateway: LocalGateway, folder: Path, **given: Any) -> None:
        given = {"url": gateway.url, "token": TOKEN, **given}
        self._output = folder / f"output-{len(os.listdir(folder))}"
        self._errors = self._output.with_suffix(".errors")
        options: dict[str, Any] = {}
        if sys.platform != "win32":
            # A shell that runs the tests in the background makes them, and their children, ignore
            # it.
            options["preexec_fn"] = lambda: signal.signal(signal.SIGINT, signal.SIG_DFL)
        strict = ["-X", "dev", "-W", "error"] if given.pop("strict", False) else []
        with self._output.open("wb") as output, self._errors.open("wb") as errors:
            self.process = subprocess.Popen(
                [sys.executable, *strict, "-m", "support.map_program", json.dumps(given)],
                stdout=output,
                stderr=errors,
                cwd=_TESTS,
                **options,
            )

    def until(self, condition: Callable[[], Any]) -> bool:
        """Wait until a condition holds, and return True; False if the process has ended."""
        end = time.monotonic() + PATIENCE
        while not condition():
            if self.process.poll() is not None:
                return False
            assert time.monotonic() < end, f"waited in vain: {self.errors()}"
            time.sleep(0.001)
        return True

    def until_begun(self) -> None:
        """Wait until the run is about to begin."""
        assert self.until(lambda: self._output.stat().st_size), self.errors()

    def kill(self) -> "list[dict[str, Any]]":
        """Kill it, and return what it has told."""
        self.process.kill()
        return self.end()

    def interrupt(self) -> None:
        self.process.send_signal(signal.SIGINT)

    def end(self) -> "list[dict[str, Any]]":
        """Wait for its end, and return what it has told."""
        try:
            self.process.wait(PATIENCE)
        finally:
            self.process.kill()
        return [json.loads(line) for line in self._output.read_bytes().splitlines()]

    def errors(self) -> "list[str]":
        """What it has written to standard error."""
        return complaints(self._errors.read_text())


class JournalRead:
    """What a journal says to a reader that knows nothing of the client.

    Attributes:
        records: the lines of calls, in order, and their offsets.
        notes: other lines.
        torn: what follows the last line feed.
    """

    def __init__(self, path: Path) -> None:
        data = path.read_bytes() if path.exists() else b""
        whole, _, self.torn = data.rpartition(b"\n")
        lines = [json.loads(line) for line in whole.splitlines()]
        self.header: Optional[dict[str, Any]] = lines[0] if lines else None
        self.records = [line for line in lines[1:] if "key" in line]
        self.notes = [line for line in lines[1:] if "key" not in line]
        self.succeeded = {each["key"] for each in self.records if not each.get("error")}

    def check(self, calls: int) -> None:
        """Check that each of so many calls has exactly one record, which is a success."""
        assert not self.torn
        assert len(self.records) == calls, len(self.records)
        assert len(self.succeeded) == calls
        assert {each["id"] for each in self.records} == {f"call-{n}" for n in range(calls)}


class Judge:
    """Looks at the journal each time that a process has died, and at the gateway's log at the end.

    Args:
        gateway: its log is the evidence.
        journal: the path.
    """

    def __init__(self, gateway: LocalGateway, journal: Path) -> None:
        self._gateway = gateway
        self._journal = journal
        self._recorded: list[tuple[int, set[str]]] = []
        self._kept = b""

    def look(self, told: "list[dict[str, Any]]") -> JournalRead:
        """Look at what a process has left, and return its journal."""
        read = JournalRead(self._journal)
        requests = len(self._gateway.requests)
        self._recorded.append((requests, read.succeeded))
        ids = {each["id"] for each in read.records}
        handed = [each["item"] for each in told if "item" in each]
        assert set(handed) <= ids, "handed over before it was recorded"
        assert not [item for item, count in Counter(handed).items() if count > 1]
        data = self._journal.read_bytes() if self._journal.exists() else b""
        whole = data[: data.rfind(b"\n") + 1]
        assert whole.startswith(self._kept), "a line was lost or changed"
        self._kept = whole
        return read

    def requested(self) -> "list[str]":
        """Return the idempotency keys of all calls, as they were sent."""
        return [
            request.headers["idempotency-key"]
            for request in self._gateway.requests
            if request.path == "/v1/chat/completions"
        ]

    def check(self) -> None:
        """Check that nothing was sent after its record had been seen."""
        requests = self._gateway.requests
        bodies: dict[str, bytes] = {}
        for place, request in enumerate(requests):
            if request.path != "/v1/chat/completions":
                continue
            key = request.headers["idempotency-key"]
            # A key belongs to one call, whenever it is sent.
            assert bodies.setdefault(key, request.body) == request.body
            for before, recorded in self._recorded:
                assert place < before or key.partition("-")[0] not in recorded, "sent once more"
        assert len(set(bodies.values())) == len(bodies)
