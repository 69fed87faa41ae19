"""A headless Chromium, driven by its DevTools protocol: what tests of pages need, and no more.

Source: https://chromedevtools.github.io/devtools-protocol/
"""

import base64
import json
import os
import subprocess
import tempfile
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from itertools import count
from pathlib import Path
from typing import IO, Any

from websockets.sync.client import ClientConnection, connect

PATIENCE = 30.0

_OPTIONS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--disable-extensions",
    "--disable-sync",
    "--disable-component-update",
    "--disable-background-networking",
    "--no-first-run",
    "--no-proxy-server",
    "--host-resolver-rules=MAP * ~NOTFOUND, EXCLUDE 127.0.0.1",
    "--remote-debugging-port=0",
    "about:blank",
)


PROGRAM = os.environ.get("MESHAPI_BROWSER", "")
"""The path of the browser; the session `browser` sets it."""


class Tab:
    """One page of the browser.

    Attributes:
        complaints: errors in its console.
        requests: the URLs that it has asked for.
    """

    def __init__(self, connection: ClientConnection) -> None:
        self._connection = connection
        self._numbers = count(1)
        self._is_loaded = False
        self.complaints: list[str] = []
        self.requests: list[str] = []
        for domain in ("Page", "Runtime", "Log", "Network"):
            self.call(f"{domain}.enable")

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Call a method of the protocol, and return its result."""
        number = next(self._numbers)
        self._connection.send(json.dumps({"id": number, "method": method, "params": parameters}))
        while True:
            message = self._receive()
            if message.get("id") == number:
                assert "error" not in message, message
                result: dict[str, Any] = message["result"]
                return result

    def run(self, script: str) -> Any:
        """Return the value of an expression in the page; promises are awaited."""
        result = self.call(
            "Runtime.evaluate", expression=script, awaitPromise=True, returnByValue=True
        )
        assert "exceptionDetails" not in result, result
        return result["result"].get("value")

    def wait(self, condition: str) -> Any:
        """Return the value of an expression once it is true."""
        script = f"""new Promise((done, fail) => {{
            const end = Date.now() + {PATIENCE * 800};
            const look = () => {{
                const value = {condition};
                if (value) done(value);
                else if (Date.now() > end) fail(new Error("never: " + {json.dumps(condition)}));
                else setTimeout(look, 20);
            }};
            look();
        }})"""
        return self.run(script)

    def open(self, url: str, width: int, height: int, *, dark: bool = False) -> None:
        """Show a page at this size."""
        self.call(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        scheme = {"name": "prefers-color-scheme", "value": "dark" if dark else "light"}
        self.call("Emulation.setEmulatedMedia", features=[scheme])
        self._is_loaded = False
        self.call("Page.navigate", url=url)
        while not self._is_loaded:
            self._receive()

    def press(self, key: str) -> None:
        """Press a key, such as "Tab" or "ArrowDown"."""
        codes = {"Tab": 9, "Enter": 13, "Escape": 27, "ArrowUp": 38, "ArrowDown": 40}
        press = {"key": key, "code": key, "windowsVirtualKeyCode": codes[key]}
        text = {"text": "\r"} if key == "Enter" else {}
        self.call("Input.dispatchKeyEvent", type="keyDown", **press, **text)
        self.call("Input.dispatchKeyEvent", type="keyUp", **press)

    def picture(self, path: Path) -> None:
        """Save what is to be seen as a PNG."""
        path.write_bytes(base64.b64decode(self.call("Page.captureScreenshot")["data"]))

    def _receive(self) -> dict[str, Any]:
        message: dict[str, Any] = json.loads(self._connection.recv(timeout=PATIENCE))
        self._note(message)
        return message

    def _note(self, message: dict[str, Any]) -> None:
        method, parameters = message.get("method"), message.get("params", {})
        if method == "Runtime.exceptionThrown":
            self.complaints.append(str(parameters["exceptionDetails"]))
        elif method == "Log.entryAdded":
            entry = parameters["entry"]
            # That a server has stopped is no mistake of the page.
            if entry["level"] == "error" and entry["source"] != "network":
                self.complaints.append(str(entry))
        elif method == "Network.requestWillBeSent":
            self.requests.append(parameters["request"]["url"])
        elif method == "Page.loadEventFired":
            self._is_loaded = True


@contextmanager
def browser() -> Iterator[Tab]:
    """Start a browser with one page, and end it."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder:
        command = [PROGRAM, f"--user-data-dir={folder}", *_OPTIONS]
        process = subprocess.Popen(
            command, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL
        )
        try:
            address = _address_of(process)
            with connect(address.decode(), max_size=None) as root:
                place = _place_of_tab(root, address.decode())
            with connect(place, max_size=None) as connection:
                yield Tab(connection)
        finally:
            process.kill()
            process.wait()


def _address_of(process: "subprocess.Popen[bytes]") -> bytes:
    """Wait for the address of the browser, which it prints among its complaints."""
    stderr = process.stderr
    assert stderr is not None
    said: list[bytes] = []
    late = threading.Timer(PATIENCE, process.kill)
    late.start()
    try:
        for line in stderr:
            said.append(line)
            address = line.partition(b"DevTools listening on ")[2].strip()
            if address:
                # It would stop once the pipe is full.
                threading.Thread(target=_drain, args=(stderr,), daemon=True).start()
                return address
    finally:
        late.cancel()
    stderr.close()
    raise AssertionError(f"the browser did not start: {b''.join(said).decode(errors='replace')}")


def _drain(stream: IO[bytes]) -> None:
    with stream:
        stream.read()


def _place_of_tab(root: ClientConnection, address: str) -> str:
    root.send(json.dumps({"id": 0, "method": "Target.getTargets"}))
    while True:
        message = json.loads(root.recv(timeout=PATIENCE))
        if message.get("id") == 0:
            break
    targets = message["result"]["targetInfos"]
    target = next(one["targetId"] for one in targets if one["type"] == "page")
    return f"{address.partition('/devtools/')[0]}/devtools/page/{target}"
