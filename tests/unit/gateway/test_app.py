from __future__ import annotations

import socket
import threading
import time

import httpx
import pytest

from voxgate.model.errors import ConfigInvalid, InternalError, StoreUnavailable
from voxgate_gateway.backend import Backend
from voxgate_gateway.server import Gateway
from voxgate_gateway.settings import GatewaySettings


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.fixture
def orphan():
    """A gateway with nothing behind it."""
    gateway = Gateway(f"127.0.0.1:{free_port()}", port=0)
    gateway.start()
    with httpx.Client(base_url=gateway.url, timeout=20) as client:
        yield client
    gateway.stop(1)


def test_a_gateway_is_ready_when_the_server_behind_it_answers(http):
    assert http.get("/healthz").json() == {"status": "SERVING"}
    assert http.get("/readyz").json() == {"status": "SERVING", "server_id": "stand-in"}


def test_a_gateway_without_a_server_lives_but_is_not_ready(orphan):
    assert orphan.get("/healthz").status_code == 200
    for path in ("/readyz", "/ng/lab/em/-/info", "/ng/lab/em/-/8_8_33/0-1_0-1_0-1"):
        answer = orphan.get(path)
        assert answer.status_code == 503
        assert int(answer.headers["retry-after"]) >= 1
        assert answer.json()["error"]["reason"] == "SERVER_UNREACHABLE"
    page = orphan.get("/")
    assert page.status_code == 503
    assert "does not answer" in page.text


def test_health_answers_while_every_worker_waits(stand_in, backend_address, monkeypatch):
    gate = threading.Event()
    original = Backend.describe

    def stuck(self, ref, **options):
        gate.wait(20)
        return original(self, ref, **options)

    monkeypatch.setattr(Backend, "describe", stuck)
    gateway = Gateway(backend_address, port=0)
    gateway.start()
    try:
        readers = [
            threading.Thread(target=httpx.get, args=(f"{gateway.url}/ng/lab/em/-/info",), kwargs={"timeout": 30})
            for _ in range(40)
        ]
        for reader in readers:
            reader.start()
        time.sleep(0.3)
        assert httpx.get(f"{gateway.url}/healthz", timeout=5).status_code == 200
        assert httpx.get(f"{gateway.url}/readyz", timeout=5).status_code == 200
    finally:
        gate.set()
        for reader in readers:
            reader.join(30)
        gateway.stop(1)


def test_browsers_of_other_origins_may_read_everything_they_need(http):
    preflight = http.options("/ng/lab/em/-/info", headers={"origin": "https://example.org"})
    assert preflight.status_code == 204
    assert "GET" in preflight.headers["access-control-allow-methods"]
    answer = http.get("/ng/lab/em/-/info")
    assert answer.headers["access-control-allow-origin"] == "*"
    assert {"etag", "content-length", "retry-after"} <= set(answer.headers["access-control-expose-headers"].split(", "))


def test_one_origin_can_be_chosen_instead_of_all(backend_address):
    gateway = Gateway(backend_address, port=0, settings=GatewaySettings(cors_origin="https://viewer.example"))
    gateway.start()
    try:
        answer = httpx.get(f"{gateway.url}/ng/lab/em/-/info")
        assert answer.headers["access-control-allow-origin"] == "https://viewer.example"
        assert answer.headers["vary"] == "Accept-Encoding, Origin"
    finally:
        gateway.stop(1)


def test_what_is_not_served_is_json_too(http):
    for method, path, status in (("GET", "/nothing", 404), ("POST", "/ng/lab/em/-/info", 405), ("PUT", "/", 405)):
        answer = http.request(method, path)
        assert answer.status_code == status
        assert answer.json()["error"]["message"]


def test_a_fault_of_the_gateways_own_says_nothing_but_its_request_id(http, monkeypatch):
    def broken(self, ref, **options):
        raise RuntimeError("/secret/path")

    monkeypatch.setattr(Backend, "describe", broken)
    answer = http.get("/ng/lab/em/-/info", headers={"x-request-id": "abc-1"})
    assert answer.status_code == 500
    assert "secret" not in answer.text
    assert "abc-1" in answer.json()["error"]["remedy"]
    assert answer.headers["access-control-allow-origin"] == "*"


def test_identity_and_request_id_are_passed_on_and_odd_ids_replaced(http, stand_in):
    http.get("/ng/lab/em/-/info", headers={"authorization": "Bearer t0k3n", "x-request-id": "req-77"})
    assert stand_in.metadata["authorization"] == "Bearer t0k3n"
    assert stand_in.metadata["x-request-id"] == "req-77"
    answer = http.get("/ng/lab/em/-/info", headers={"x-request-id": "a b<script>"})
    assert len(answer.headers["x-request-id"]) == 36


def test_a_port_in_use_is_a_typed_error():
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        with pytest.raises(ConfigInvalid, match="cannot listen"):
            Gateway("127.0.0.1:1", port=taken.getsockname()[1])


def test_the_first_page_shows_each_volume_with_its_address(http, gateway):
    page = http.get("/")
    assert page.status_code == 200
    for name in ("lab/em", "lab/seg", "lab/two"):
        assert f"precomputed://{gateway.url}/ng/{name}/-<" in page.text
    for words in ("45 \u00d7 38 \u00d7 29", "8 \u00d7 8 \u00d7 33 nm", "uint16", "segmentation", "2 scales"):
        assert words in page.text


def test_the_first_page_asks_nobody_else_for_anything(http):
    page = http.get("/")
    policy = page.headers["content-security-policy"]
    assert policy.startswith("default-src 'none'")
    assert "http" not in policy
    for asset, kind in (("page.css", "text/css"), ("page.js", "text/javascript")):
        assert f"/static/{asset}" in page.text
        assert http.get(f"/static/{asset}").headers["content-type"].startswith(kind)


def test_names_and_messages_cannot_put_markup_on_the_page(http, stand_in):
    bad = StoreUnavailable("<script>alert(1)</script>", "<b>")
    stand_in.failures["GetVolume lab/em"] = bad
    page = http.get("/", headers={"host": '"><script>x</script>'})
    assert "<script>alert" not in page.text
    assert "<script>x" not in page.text
    assert "&lt;script&gt;alert" in page.text


def test_one_broken_volume_does_not_take_the_page_down(http, stand_in):
    stand_in.failures["GetVolume lab/em"] = InternalError("the server failed", "report it")
    page = http.get("/")
    assert page.status_code == 200
    assert "the server failed" in page.text
    assert "/ng/lab/seg" in page.text


def test_a_group_has_a_page_of_its_own(http):
    page = http.get("/?under=lab")
    assert "<h1>lab</h1>" in page.text
    assert "/ng/lab/em" in page.text
    assert http.get("/?under=..%2f").status_code == 400


def test_a_preview_is_a_png_of_the_middle_slice(http, stand_in):
    import io

    import numpy as np
    from PIL import Image

    picture = np.asarray(Image.open(io.BytesIO(http.get("/preview/lab/seg").content)))
    assert picture.shape == (21, 33, 3)
    # Distinct ids, distinct colours (nearly): neighbours must be told apart.
    assert len(np.unique(picture[10], axis=0)) > 30
    grey = np.asarray(Image.open(io.BytesIO(http.get("/preview/lab/em").content)))
    plane = stand_in.volumes["lab/em"][1][0][0, 14]
    assert grey.shape == (38, 45)
    assert np.all(np.diff(grey.reshape(-1)[np.argsort(plane.reshape(-1))].astype(int)) >= 0)


def test_a_stopped_gateway_finishes_what_it_began(stand_in, backend_address, monkeypatch):
    begun, answers = threading.Event(), []
    original = Backend.describe

    def slow(self, ref, **options):
        begun.set()
        time.sleep(0.4)
        return original(self, ref, **options)

    monkeypatch.setattr(Backend, "describe", slow)
    gateway = Gateway(backend_address, port=0)
    gateway.start()
    reader = threading.Thread(target=lambda: answers.append(httpx.get(f"{gateway.url}/ng/lab/em/-/info", timeout=20)))
    reader.start()
    assert begun.wait(10)
    gateway.stop(10)
    reader.join(10)
    assert answers[0].status_code == 200
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{gateway.url}/healthz", timeout=2)
