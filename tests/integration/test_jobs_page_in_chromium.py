"""The page of jobs in a real browser, through a proxy: a bar that moves, a job cancelled and taken up by keyboard.

Screenshots are kept where VOXGATE_SCREENSHOTS says, else in pytest's folder.
"""

from __future__ import annotations

import pytest

import voxgate
from support.browser import MISSING, browser, screenshots
from support.proxying import proxy_to
from support.slow_jobs import slow_suite
from voxgate_gateway.server import Gateway

pytestmark = [
    pytest.mark.skipif(bool(MISSING), reason=f"no {MISSING} on this machine"),
    pytest.mark.timeout(600),
]

PREFIX = "/user/x/proxy/8080"
ENTER, TAB = "\ue007", "\ue004"
NEWEST = "document.querySelector('#jobs [data-job]')"
STATE = f"return {NEWEST}.querySelector('[data-is=state]').textContent"


@pytest.fixture(scope="module")
def suite(tmp_path_factory):
    with slow_suite(tmp_path_factory.mktemp("scratch")) as suite:
        yield suite


@pytest.fixture(scope="module")
def client(suite):
    with voxgate.connect(f"127.0.0.1:{suite.server.port}") as connected:
        yield connected


@pytest.fixture(scope="module")
def asked():
    return []


@pytest.fixture(scope="module")
def url(suite, asked):
    with proxy_to(suite.gateway.url, PREFIX, asked=asked) as url:
        yield url


@pytest.fixture(scope="module")
def chromium():
    with browser() as window:
        yield window


def press(chromium, selector):
    """Press Enter on what a selector names, as somebody without a mouse does."""
    chromium.wait(f"return !document.querySelector(`{selector}`).hidden;")
    chromium.run("document.querySelector(arguments[0]).focus()", selector)
    chromium.driver.press(ENTER)


def test_a_bar_moves_and_a_job_is_cancelled_and_taken_up_by_keyboard(chromium, client, url, asked, tmp_path_factory):
    client.transfer("made/seg", "held/first", scales=[0]).result(60)
    list(client.transfer("made/seg", "held/narrow", scales=[0], dtype="uint8").watch(60))
    chromium.visit(f"{url}/", height=840)
    # From the first page on.
    chromium.run("document.querySelector('header a[href$=jobs]').focus()")
    chromium.driver.press(ENTER)
    chromium.wait("return document.title.startsWith('Jobs') && document.querySelectorAll('[data-job]').length > 0;")
    job = client.transfer("long/seg", "scratch/browsed", scales=[0])
    card = f"[data-job='{job.name.removeprefix('jobs/')}']"
    chromium.wait(f"return document.querySelector(`{card}`) === {NEWEST};")
    between = f"const done = document.querySelector(`{card} progress`).value; return done > 0 && done < 1 && done;"
    first = chromium.wait(between)
    chromium.wait(f"return /B\\/s · .* left/.test(document.querySelector(`{card} [data-is=text]`).textContent);")
    chromium.screenshot(screenshots(tmp_path_factory) / "jobs.png")
    press(chromium, f"{card} [data-act=cancel]")
    chromium.wait("return document.getElementById('sure').open;")
    # Enter alone would let it go on: what asks is not what does.
    assert chromium.run("return document.activeElement.id") == "no"
    chromium.driver.press(TAB)
    chromium.wait("return document.activeElement.id !== 'no';")
    press(chromium, "#yes")
    chromium.wait(f"{STATE} === 'cancelled';")
    assert job.refresh().state.value == "cancelled"
    stopped = chromium.run(f"return document.querySelector(`{card} progress`).value")
    assert first <= stopped < 1
    chromium.screenshot(screenshots(tmp_path_factory) / "jobs-cancelled.png")
    press(chromium, f"{card} [data-act=resume]")
    chromium.wait(f"return document.querySelector(`{card} progress`).value > {stopped};")
    chromium.wait(f"{STATE} === 'succeeded';")
    assert chromium.run(f"return document.querySelector(`{card} progress`).value") == 1
    assert "taken up 1 time" in chromium.run(f"return {NEWEST}.querySelector('[data-is=text]').textContent")
    assert job.refresh().state.value == "succeeded"
    assert chromium.errors() == []
    assert [path for path in asked if not path.startswith(f"{PREFIX}/")] == []


def test_a_job_is_not_cancelled_by_who_thinks_better_of_it(chromium, client, url):
    job = client.transfer("slow/seg", "scratch/spared", scales=[0])
    chromium.visit(f"{url}/jobs")
    card = f"[data-job='{job.name.removeprefix('jobs/')}']"
    press(chromium, f"{card} [data-act=cancel]")
    chromium.wait("return document.getElementById('sure').open;")
    chromium.driver.press(ENTER)
    chromium.wait("return !document.getElementById('sure').open;")
    chromium.wait(f"{STATE} === 'succeeded';")
    assert chromium.errors() == []


def test_a_refusal_is_shown_where_it_belongs(chromium, client, url):
    job = client.transfer("made/seg", "scratch/failed", scales=[0], dtype="uint8")
    assert list(job.watch(60))[-1].state.value == "failed"
    chromium.visit(f"{url}/jobs?state=failed")
    error = f"{NEWEST}.querySelector('[data-is=error]')"
    assert "uint8" in chromium.run(f"return !{error}.hidden && {error}.textContent")
    assert chromium.run(f"return {NEWEST}.querySelector('[data-is=failures]').hidden") is False
    # It is taken up behind the page's back, and cannot be from here.
    chromium.wait(f"return !{NEWEST}.querySelector('[data-act=resume]').hidden;")
    chromium.run(f"{NEWEST}.dataset.job = 'none'")
    chromium.run(f"{NEWEST}.querySelector('[data-act=resume]').click()")
    chromium.wait(f"return {error}.textContent.includes('there is no job');")


@pytest.mark.parametrize("width", [400, 1400])
def test_the_page_fits_narrow_and_wide_windows(chromium, client, url, width, tmp_path_factory):
    long = "a-rather-long-name-of-some-laboratory-s-volume-that-nobody-shortened"
    client.transfer("made/seg", f"held/{long}-{width}/{long}", scales=[0]).result(60)
    chromium.visit(f"{url}/jobs", width=width, height=1000)
    chromium.wait(f"return {NEWEST}.textContent.includes('-{width}/');")
    chromium.screenshot(screenshots(tmp_path_factory) / f"jobs-{width}.png")
    assert chromium.run("return document.documentElement.scrollWidth") <= width
    assert chromium.errors() == []


def test_a_page_goes_on_when_its_gateway_is_back(chromium, suite, client):
    gateway = Gateway(suite.server.address, port=0)
    gateway.start()
    port = gateway.port
    try:
        chromium.visit(f"{gateway.url}/jobs")
        client.transfer("made/em", "held/before", scales=[0]).result(60)
        chromium.wait(f"return {NEWEST}.textContent.includes('held/before');")
        gateway.stop(30)
        chromium.wait("return !document.getElementById('away').hidden;")
        client.transfer("made/em", "held/meanwhile", scales=[0]).result(60)
        gateway = Gateway(suite.server.address, port=port)
        gateway.start()
        chromium.wait(f"return {NEWEST}.textContent.includes('held/meanwhile');")
        chromium.wait("return document.getElementById('away').hidden;")
    finally:
        gateway.stop(1)
