"""The examples of docs/how-to/use-from-a-browser.md that need no client: a page in Chromium, and curl's request."""

from __future__ import annotations

import http.server
import json
import re
import shlex
import threading

import httpx
import numpy as np
import pytest

from support.browser import MISSING, browser
from support.gateways import by_tensorstore, suite_over
from support.house import ROOT
from support.servers import SAMPLES

PAGE = (ROOT / "docs/how-to/use-from-a-browser.md").read_text()
HERE = "http://localhost:8080"


@pytest.fixture(scope="module")
def url():
    with suite_over({"fib25": SAMPLES / "fib25"}) as url:
        yield url


@pytest.fixture(scope="module")
def chromium():
    if MISSING:
        pytest.skip(f"no {MISSING} here")
    with browser() as one:
        yield one


@pytest.fixture
def elsewhere(tmp_path, url):
    """The page as another web server has it: another origin than voxgate's."""
    (html,) = re.findall(r"```html\n(.*?)```", PAGE, re.DOTALL)
    (tmp_path / "index.html").write_text(html.replace(HERE, url))

    class Quiet(http.server.SimpleHTTPRequestHandler):
        def __init__(self, *arguments):
            super().__init__(*arguments, directory=str(tmp_path))

        def do_GET(self):
            if self.path == "/favicon.ico":
                self.send_response(204)
                self.end_headers()
                return
            super().do_GET()

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Quiet)
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    yield f"http://127.0.0.1:{server.server_port}/index.html"
    server.shutdown()
    server.server_close()
    thread.join(10)


def test_the_page_draws_the_stored_section_from_another_origin(chromium, elsewhere):
    chromium.visit(elsewhere)
    assert chromium.wait("return document.querySelector('#said').textContent") == "fib25/em, z = 3030"
    shape = chromium.run("const c = document.querySelector('#section'); return [c.height, c.width];")
    drawn = chromium.run(
        "const c = document.querySelector('#section');"
        "return Array.from(c.getContext('2d').getImageData(0, 0, c.width, c.height).data).filter((_, i) => i % 4 == 0);"
    )
    stored = by_tensorstore((SAMPLES / "fib25/em").as_uri())[:, :, 3030, 0].read().result().T
    np.testing.assert_array_equal(np.array(drawn).reshape(shape), stored)
    assert chromium.errors() == []


def test_curl_s_request_is_answered(url):
    (command,) = re.findall(r"```sh\n(curl.*?)```", PAGE, re.DOTALL)
    words = shlex.split(command.replace(HERE, url).replace("\\\n", ""))
    assert words[:2] == ["curl", "-s"]
    header, body = words[words.index("-H") + 1], words[words.index("-d") + 1]
    answer = httpx.post(words[2], content=body, headers=[tuple(header.split(": "))])
    assert answer.status_code == 200
    volume = answer.json()["volume"]
    assert (volume["name"], volume["scales"][0]["bounds"]["start"]["x"]) == ("fib25/em", "1088")
    assert json.loads(body) == {"volume": volume["name"]}
