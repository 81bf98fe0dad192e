"""As much of the WebDriver protocol as the tests of pages need, spoken to Debian's chromedriver.

Format: https://www.w3.org/TR/webdriver2, and chromedriver's own `goog/cdp/execute` and `se/log`.
"""

from __future__ import annotations

import base64
import contextlib
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import httpx

from .processes import until_left
from .scripted_http import closed_port

_STARTS_IN_S = 60.0
_PATIENCE_S = 200.0


@dataclass(frozen=True)
class Driver:
    """A session, which is a browser.

    Attributes:
        http: to the driver.
        path: of the session.
        pid: of the driver.
    """

    http: httpx.Client
    path: str
    pid: int

    def get(self, url: str) -> None:
        """Go to an address, and wait until its page is loaded."""
        self._post("url", {"url": url})

    def run(self, script: str, *arguments: Any) -> Any:
        """What a function of this body returns."""
        return self._post("execute/sync", {"script": script, "args": list(arguments)})

    def devtools(self, command: str, parameters: dict[str, Any]) -> Any:
        """A command of Chromium's own protocol."""
        return self._post("goog/cdp/execute", {"cmd": command, "params": parameters})

    def log(self, kind: str) -> list[dict[str, Any]]:
        """The entries of a log since it was asked for before."""
        entries: list[dict[str, Any]] = self._post("se/log", {"type": kind})
        return entries

    def press(self, keys: str) -> None:
        """Type on whatever has the focus."""
        presses = [{"type": kind, "value": key} for key in keys for kind in ("keyDown", "keyUp")]
        self._post("actions", {"actions": [{"type": "key", "id": "keyboard", "actions": presses}]})

    def picture(self) -> bytes:
        """The window as PNG."""
        return base64.b64decode(self._answer(self.http.get(f"{self.path}/screenshot")))

    def url(self) -> str:
        """Where the window is."""
        return str(self._answer(self.http.get(f"{self.path}/url")))

    def quit(self) -> None:
        """Close the browser."""
        self._answer(self.http.delete(self.path))

    def _post(self, command: str, body: dict[str, Any]) -> Any:
        return self._answer(self.http.post(f"{self.path}/{command}", json=body))

    @staticmethod
    def _answer(response: httpx.Response) -> Any:
        value = response.json()["value"]
        if response.status_code != 200:
            raise RuntimeError(f"{value['error']}: {value['message'][:2000]}")
        return value


@contextlib.contextmanager
def driver_of(program: str, browser: str, flags: Sequence[str]) -> Iterator[Driver]:
    """A driver with a browser; whoever asks ends the browser's processes."""
    port = closed_port()
    process = subprocess.Popen(
        [program, f"--port={port}"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, stdin=subprocess.DEVNULL
    )
    with until_left(process, 10):
        with httpx.Client(base_url=f"http://127.0.0.1:{port}", timeout=_PATIENCE_S, trust_env=False) as http:
            _wait_until_ready(http, process)
            options = {"binary": browser, "args": list(flags)}
            wanted = {"goog:chromeOptions": options, "goog:loggingPrefs": {"browser": "ALL", "performance": "ALL"}}
            answer = http.post("/session", json={"capabilities": {"alwaysMatch": wanted}})
            session = Driver._answer(answer)["sessionId"]
            yield Driver(http, f"/session/{session}", process.pid)


def _wait_until_ready(http: httpx.Client, process: subprocess.Popen[Any]) -> None:
    until = time.monotonic() + _STARTS_IN_S
    while time.monotonic() < until and process.poll() is None:
        with contextlib.suppress(httpx.TransportError):
            if http.get("/status").json()["value"]["ready"]:
                return
        time.sleep(0.05)
    raise RuntimeError("chromedriver did not start")
