"""The pages: what they weigh, what is on them, and that none of their addresses says where they are."""

import json
import re
from dataclasses import replace
from html import unescape
from urllib.parse import urljoin, urlsplit

import pytest

from support.proxying import proxy_to
from support.standin_volumes import image, segmentation
from voxgate.model.errors import ServerBusy, StoreUnavailable
from voxgate.model.volumes import VolumeKind
from voxgate_gateway.viewer import client

PREFIX = "/user/x/proxy/8080"
PAGES = (
    "/",
    "/?under=lab",
    "/jobs",
    "/view/lab/em/-",
    "/view/lab/seg/-?segments=some&position=101,-19,8",
    "/view/lab/none/-",
)
_LINK = re.compile(r'(?:href|src|data-root)="([^"]*)"')


def scene_of(page):
    return json.loads(re.search(r'id="scene">(.*?)</script>', page.text)[1])


@pytest.mark.parametrize("path", PAGES)
def test_every_address_on_a_page_is_relative(http, path):
    found = [unescape(link) for link in _LINK.findall(http.get(path).text)]
    assert len(found) > 4
    assert all(link.startswith(("./", "../")) for link in found)


@pytest.mark.parametrize("path", [*PAGES, "/protos/"])
def test_every_page_leads_to_the_contract(http, path):
    leads = {urljoin(path, unescape(link)) for link in _LINK.findall(http.get(path).text.partition("<footer>")[2])}
    assert "/protos/" in leads


@pytest.mark.parametrize("strips", [True, False], ids=["stripped", "left-on"])
def test_pages_work_under_a_path_prefix(gateway, http, strips):
    """Every page, and everything that a page leads to, through a proxy."""
    with proxy_to(gateway.url, PREFIX, strips=strips) as url:
        leads = {urljoin(f"{url}{path}", unescape(link)) for path in PAGES for link in _links(http, f"{url}{path}")}
        outside = {lead for lead in leads if not lead.startswith(f"{url}/")}
        assert not outside
        statuses = {lead: http.get(lead, follow_redirects=True).status_code for lead in leads}
        assert set(statuses.values()) == {200}
        assert len(leads) >= 15
        page = http.get(f"{url}/view/lab/seg/-")
        for layer in scene_of(page)["layers"]:
            assert http.get(urljoin(str(page.url), _root(page) + layer["source"] + "/info")).status_code == 200
        # Forgotten slash: what is relative to the page must not be beside it.
        assert str(http.get(url, follow_redirects=True).url) == f"{url}/"


def test_addresses_to_copy_say_what_the_proxy_says_of_itself(http):
    said = {"x-forwarded-proto": "https", "x-forwarded-host": "hub.lab:8443", "x-forwarded-prefix": PREFIX}
    page = http.get("/", headers=said).text
    assert f"precomputed://https://hub.lab:8443{PREFIX}/ng/lab/em/-<" in page
    assert f"https://hub.lab:8443{PREFIX}/zarr/lab/em/-" in page
    for bad in ('"><script>', "a b", "//evil", "/a//b"):
        answer = http.get("/", headers={"x-forwarded-host": bad, "x-forwarded-prefix": bad, "x-forwarded-proto": bad})
        assert answer.status_code == 200
        assert bad not in answer.text


def test_a_prefix_that_is_stated_is_not_taken_off_twice(http):
    assert http.get("/ng/lab/em/-/info", headers={"x-forwarded-prefix": PREFIX}).status_code == 200
    assert http.get(f"{PREFIX}/ng/lab/em/-/info", headers={"x-forwarded-prefix": PREFIX}).status_code == 200
    assert http.get(f"{PREFIX}/ng/lab/em/-/info").status_code == 404


def test_the_largest_first_page_is_light(http, stand_in):
    info, arrays = image()
    for i in range(70):
        name = f"lab/{'long-name-' * 8}{i:02}"
        stand_in.volumes[name] = (replace(info, name=name, scales=info.scales * 5), arrays * 5)
    page = http.get("/")
    assert len(page.content) <= 300_000
    assert page.text.count("<article>") > 20
    assert "more volumes are not shown" in page.text
    weight = sum(len(http.get(f"/static/{name}").content) for name in ("page.css", "page.js", "icon.svg"))
    assert weight < 20_000


def test_the_first_page_shows_how_to_read_each_volume(http, gateway, backend_address):
    page = unescape(http.get("/").text)
    port = backend_address.rpartition(":")[2]
    assert f'em = voxgate.connect("127.0.0.1:{port}").volume("lab/em")' in page
    assert f'seg = CloudVolume("precomputed://{gateway.url}/ng/lab/seg/-")' in page
    assert f'zarr.open("{gateway.url}/zarr/lab/two/-", mode="r")["0"]' in page
    assert f"curl {gateway.url}/ng/lab/em/-/info" in page


def test_a_volume_that_precomputed_cannot_say_has_no_look_and_says_why(http, stand_in):
    info, arrays = image("lab/nowhere")
    scales = tuple(replace(scale, voxel_size_nm=None) for scale in info.scales)
    stand_in.volumes["lab/nowhere"] = (replace(info, scales=scales), arrays)
    page = http.get("/").text
    assert "/view/lab/nowhere/" not in page
    assert "the voxel size of lab/nowhere is unknown" in page
    refused = http.get("/view/lab/nowhere/-")
    assert refused.status_code == 422
    assert "state it in voxgate.toml" in refused.text


def test_a_view_brings_the_sibling_that_shows_the_same_place(http, stand_in):
    em, voxels = image("lab/same")
    stand_in.volumes["lab/same"] = (em, voxels)
    ids, _ = image("lab/ids", kind=VolumeKind.SEGMENTATION)
    stand_in.volumes["lab/ids"] = (ids, voxels)
    assert [layer["name"] for layer in scene_of(http.get("/view/lab/same/-"))["layers"]] == ["same", "ids"]
    # lab/seg is elsewhere.
    assert [layer["name"] for layer in scene_of(http.get("/view/lab/seg/-"))["layers"]] == ["seg"]
    stand_in.failures["ListVolumes"] = StoreUnavailable("gone", "wait")
    assert [layer["name"] for layer in scene_of(http.get("/view/lab/same/-"))["layers"]] == ["same"]


def test_an_image_of_many_values_is_shown_between_those_that_are_common(http, stand_in):
    (shown,) = scene_of(http.get("/view/lab/em/-"))["layers"]
    low, high = shown["shaderControls"]["normalized"]["range"]
    plane = stand_in.volumes["lab/em"][1][0][0, 14]
    assert plane.min() <= low < high <= plane.max()


def test_some_segments_are_the_largest_of_the_middle(http, stand_in):
    info, arrays = segmentation()
    labels = arrays[0].copy()
    labels[...] = 0
    labels[0, 8:10, 3:9, 5:30] = 2**63 + 5
    labels[0, 8:10, 10:12, 5:9] = 77
    stand_in.volumes["lab/few"] = (replace(info, name="lab/few"), [labels])
    layers = scene_of(http.get("/view/lab/few/-?segments=some"))["layers"]
    assert layers[-1]["segments"] == [str(2**63 + 5), "77"]


@pytest.mark.parametrize(
    "query",
    [
        *(f"segments={bad}" for bad in (0, -1, 2**64, "a", "1.5", ",".join(map(str, range(1, 1002))))),
        *(f"position={bad}" for bad in ("1,2", "a,b,c", "1,2,inf")),
        "position_nm=1,2,nan",
    ],
)
def test_what_is_no_segment_and_no_position_is_refused(http, query):
    answer = http.get(f"/view/lab/seg/-?{query}")
    assert answer.status_code == 400
    assert answer.headers["content-type"].startswith("text/html")


def test_a_position_in_nanometres_is_one_in_voxels(http):
    assert scene_of(http.get("/view/lab/em/-?position_nm=40,8004,1155"))["position"] == [5, 1000.5, 35]


def test_a_view_of_what_is_not_there_or_busy_says_so(http, stand_in):
    assert http.get("/view/lab/none/-").status_code == 404
    assert http.get("/view/lab/em").status_code == 404
    assert http.get("/view/lab/../em/-").status_code in (400, 404)
    stand_in.failures["GetVolume lab/em"] = ServerBusy("busy", "later", retry_after_s=1.0)
    answer = http.get("/view/lab/em/-")
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1


def test_a_name_cannot_end_the_script_that_holds_the_scene(http, stand_in):
    name = "lab/%3C%2Fscript%3E%3Cscript%3Ealert".replace("%2F", "")
    info, arrays = image(name)
    stand_in.volumes[name] = (info, arrays)
    page = http.get(f"/view/{name.replace('%', '%25')}/-")
    assert "<script>alert" not in page.text


def test_without_the_wheel_a_view_says_how_to_get_it(http, monkeypatch):
    monkeypatch.setattr(client, "client_folder", lambda: None)
    page = http.get("/view/lab/em/-")
    assert page.status_code == 200
    assert "pip install &#x27;voxgate-gateway[viewer]&#x27;" in page.text or "pip install 'voxgate" in page.text
    assert "/ng/lab/em/-/info" in page.text
    assert http.get("/viewer/v/1/").status_code == 404
    assert "voxgate-gateway[viewer]" in http.get("/viewer/v/1/").json()["error"]["remedy"]


@pytest.mark.skipif(client.client_folder() is None, reason="the wheel neuroglancer is not installed")
def test_neuroglancers_client_is_served_whole_and_may_ask_nobody_else(http):
    page = http.get("/viewer/v/1/")
    names = re.findall(r'(?:src|href)="([^"./]+\.[^"]+)"', page.text)
    assert len(names) >= 5
    assert page.text.index("quiet.js") < page.text.index(names[0])
    for name in names:
        answer = http.get(f"/viewer/v/1/{name}")
        assert answer.status_code == 200
        assert "immutable" in answer.headers["cache-control"]
        assert "connect-src 'self';" in answer.headers["content-security-policy"]
    policy = page.headers["content-security-policy"]
    assert "connect-src 'self';" in policy
    assert "http" not in policy
    assert "'unsafe-eval'" not in policy
    for bad in ("index.html", "nothing.js", "..%2f__init__.py", "%2e%2e/server.py", "main.js.map"):
        assert http.get(f"/viewer/v/1/{bad}").status_code == 404


def _links(http, url):
    return _LINK.findall(http.get(url).text)


def _root(page):
    return re.search(r'data-root="([^"]*)"', page.text)[1]


def test_the_root_of_a_page_is_the_first_page(http):
    for path in PAGES:
        page = http.get(path)
        assert urlsplit(urljoin(str(page.url), _root(page))).path == "/"
