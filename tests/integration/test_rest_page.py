"""The page `/api/`: made from the operations, true on every volume, and usable in narrow windows and by keyboard."""

from __future__ import annotations

import re

import httpx
import pytest

from support.browser import MISSING, browser
from support.rest import links_to_try, problem_of
from support.zarr_served import served_stores
from voxgate.model.errors import VoxgateError
from voxgate_gateway.rest.docs import kinds_of_problems
from voxgate_gateway.rest.routes import AREAS
from voxgate_gateway.server import Gateway

NAMES = ("made/em", "made/three", "made/ng", "made/sparse", "aniso/seg")


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    with served_stores(tmp_path_factory.mktemp("made")) as found:
        yield found


@pytest.fixture(scope="module")
def http(stores):
    with httpx.Client(base_url=stores.url, timeout=60) as client:
        yield client


@pytest.mark.parametrize("name", NAMES)
def test_every_link_of_the_area_of_voxels_that_can_be_tried_works_on_every_volume(http, name):
    page = http.get("/api/", params={"volume": name}).text
    tried = [
        link for link in links_to_try(page) if re.search(r"/(info|cutout|slice|volumes|openapi\.json)(\?|$)", link)
    ]
    assert len(tried) == 5
    for link in tried:
        answer = http.get(f"/api/{link}")
        assert answer.status_code == 200, (link, answer.text)


def test_the_page_names_every_operation_parameter_and_problem(http):
    page = http.get("/api/").text
    for area in AREAS:
        for operation in area.operations:
            assert f'id="{operation.name}"' in page
            assert all(f"<code>{each.name}</code>" in page for each in operation.parameters)
    for kind in kinds_of_problems():
        assert f'id="{kind.reason}"' in page
    assert "UNKNOWN_VOLUME" in {kind.reason for kind in kinds_of_problems()}
    assert issubclass(kinds_of_problems()[0], VoxgateError)


def test_the_type_of_a_problem_leads_to_its_reason_on_the_page(http):
    told = problem_of(http.get("/api/v1/volumes/made/none/-/info"))
    address, _, anchor = told["type"].partition("#")
    assert f'id="{anchor}"' in httpx.get(address, timeout=60).text


def test_the_page_is_small_and_asks_nothing_of_others(http):
    answer = http.get("/api/")
    assert len(answer.content) < 300_000
    assert "http://" not in answer.text.replace(str(http.base_url).rstrip("/"), "")
    assert "https://" not in answer.text
    assert answer.headers["content-security-policy"].startswith("default-src 'none'")


def test_the_first_page_leads_to_it_behind_a_prefix_too(http):
    first = http.get("/").text
    assert '<a href="./api/">REST API</a>' in first
    proxied = http.get("/user/x/api/", headers={"x-forwarded-prefix": "/user/x"})
    assert proxied.status_code == 200
    assert 'href="../static/page.css"' in proxied.text
    assert http.get("/api").headers["location"] == "api/"


def test_a_name_in_the_address_is_never_html(http):
    page = http.get("/api/", params={"volume": '"><script>alert(1)</script>'}).text
    assert "<script>alert" not in page


def test_without_a_server_behind_it_the_page_says_so_and_still_explains(gateway_alone):
    answer = httpx.get(f"{gateway_alone}/api/", timeout=60)
    assert answer.status_code == 200
    assert "does not answer" in answer.text
    assert 'id="getCutout"' in answer.text
    assert not any("/cutout" in link for link in links_to_try(answer.text))


@pytest.fixture
def gateway_alone():
    gateway = Gateway("127.0.0.1:1", port=0)
    gateway.start()
    yield gateway.url
    gateway.stop(1)


@pytest.mark.skipif(bool(MISSING), reason=f"no {MISSING} on this machine")
@pytest.mark.timeout(300)
def test_it_fits_narrow_and_wide_windows_and_is_tried_by_keyboard(stores):
    with browser() as chromium:
        for width in (400, 1400):
            chromium.visit(f"{stores.url}/api/?volume=aniso/seg", width=width, height=1000)
            chromium.wait("return document.readyState === 'complete'")
            assert chromium.run("return document.documentElement.scrollWidth") <= width
            assert chromium.errors() == []
        chromium.run("document.querySelector('#getVolume .button').focus()")
        chromium.driver.press("\ue007")
        chromium.wait("return location.pathname.endsWith('/info') && document.body.textContent.includes('aniso')")
