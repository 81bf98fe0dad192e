"""Chromium without a window, driven through chromedriver, and ended with every process that it started.

Both come from the system's packages (Debian: chromium, chromium-driver). WebGL is drawn in software.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import psutil
import pytest

from .webdriver import Driver, driver_of

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome") or ""
DRIVER = shutil.which("chromedriver") or ""
MISSING = " and ".join(name for name, found in (("chromium", CHROMIUM), ("chromedriver", DRIVER)) if not found)
"""What a machine lacks; empty where browsers can be tested."""

_FLAGS = (
    "--headless",
    # Its sandbox does not work for root, and it visits nothing but our own pages.
    "--no-sandbox",
    "--disable-gpu",
    "--use-angle=swiftshader",
    "--enable-unsafe-swiftshader",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--disable-extensions",
    "--no-first-run",
    "--no-default-browser-check",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--metrics-recording-only",
    "--force-device-scale-factor=1",
)
_PATIENCE_S = 150.0


class NotDrawn(Exception):
    """Something did not come in time; says what the page said meanwhile."""


@dataclass
class Browser:
    """One window.

    Attributes:
        driver: of the window.
        requests: the address of every request of the page itself, its workers' not counted, since `visit`.
        strangers: whatever the whole browser asked of other machines since it started; some of it for its maker.
        complaints: what the console said that is an error, since `visit`.
    """

    driver: Driver
    strangers: list[str]
    requests: list[str] = field(default_factory=list)
    complaints: list[str] = field(default_factory=list)

    def visit(self, url: str, *, width: int = 1280, height: int = 900) -> None:
        """Open a page in a window of that size, from a blank one; what went before is forgotten."""
        self.driver.get("about:blank")
        self._note()
        self.requests, self.complaints = [], []
        size = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": False}
        self.driver.devtools("Emulation.setDeviceMetricsOverride", size)
        self.driver.get(url)

    def run(self, script: str, *arguments: Any) -> Any:
        """The value that a piece of JavaScript returns."""
        return self.driver.run(script, *arguments)

    def wait(self, script: str, *, patience_s: float = _PATIENCE_S) -> Any:
        """Ask until the script returns something true.

        Raises:
            NotDrawn: when it never does.
        """
        until = time.monotonic() + patience_s
        while time.monotonic() < until:
            answer = self.run(f"try {{ {script} }} catch (error) {{ return null; }}")
            if answer:
                return answer
            time.sleep(0.05)
        self._note()
        said = self.run("return document.body.innerText.slice(0, 500)")
        raise NotDrawn(f"never true: {script}; console: {self.complaints}; asked: {self.requests[-5:]}; said: {said}")

    def wait_for_scene(self) -> None:
        """Wait until neuroglancer has drawn everything that it shows."""
        self.wait(
            "return window.viewer && viewer.layerManager.managedLayers.length > 0"
            " && viewer.layerManager.managedLayers.every(layer => layer.isReady()) && viewer.isReady();"
        )

    def screenshot(self, path: Path) -> None:
        """Keep a picture of the window."""
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(self.driver.picture())

    def errors(self) -> list[str]:
        """What the console said that is an error."""
        self._note()
        return self.complaints

    def _note(self) -> None:
        for entry in self.driver.log("performance"):
            message = json.loads(entry["message"])["message"]
            if message["method"] == "Network.requestWillBeSent":
                self.requests.append(message["params"]["request"]["url"])
        for entry in self.driver.log("browser"):
            if entry["level"] == "SEVERE":
                self.complaints.append(entry["message"])


def screenshots(folders: pytest.TempPathFactory) -> Path:
    """Where pictures are kept: where VOXGATE_SCREENSHOTS says, else in pytest's folder."""
    return Path(os.environ.get("VOXGATE_SCREENSHOTS") or folders.getbasetemp() / "screenshots")


@contextlib.contextmanager
def _way_out(strangers: list[str]) -> Iterator[int]:
    """A proxy that notes what it is asked for and leads nowhere; yields its port. None is asked for this machine."""

    class Handler(BaseHTTPRequestHandler):
        def _refuse(self) -> None:
            strangers.append(f"{self.command} {self.path}")
            with contextlib.suppress(OSError):
                self.send_error(502)

        do_GET = do_HEAD = do_POST = do_CONNECT = _refuse  # noqa: N815  (named by the library)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        server.server_close()
        thread.join(5)


@contextlib.contextmanager
def browser(*, trusted_key: str = "") -> Iterator[Browser]:
    """One browser with a profile of its own; it trusts the authorities that it knows, and a key of this digest."""
    strangers: list[str] = []
    trusting = [f"--ignore-certificate-errors-spki-list={trusted_key}"] if trusted_key else []
    with _way_out(strangers) as port, _driven(f"--proxy-server=http://127.0.0.1:{port}", *trusting) as driver:
        yield Browser(driver, strangers)


@contextlib.contextmanager
def _driven(*more: str) -> Iterator[Driver]:
    profile = tempfile.mkdtemp(prefix="voxgate-browser-")
    flags = (*_FLAGS, *more, f"--user-data-dir={profile}")
    started: list[psutil.Process] = []
    try:
        with driver_of(DRIVER, CHROMIUM, flags) as driver:
            started = _with_children(driver.pid)
            try:
                yield driver
            finally:
                started += _with_children(driver.pid)
                with contextlib.suppress(Exception):
                    driver.quit()
    finally:
        _end(started)
        shutil.rmtree(profile, ignore_errors=True)


def _with_children(pid: int) -> list[psutil.Process]:
    try:
        process = psutil.Process(pid)
        return [process, *process.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _end(processes: list[psutil.Process]) -> None:
    """End what is left of them: some of a browser's processes outlive it."""
    for process in processes:
        # psutil knows a process by its time of birth, too: a stranger of the same id is none of these.
        with contextlib.suppress(psutil.NoSuchProcess):
            process.kill()
    psutil.wait_procs(processes, timeout=10)
