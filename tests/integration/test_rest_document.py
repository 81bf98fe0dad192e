"""The OpenAPI document against the gateway that serves it, asked by Schemathesis."""

from __future__ import annotations

import json
import re
from urllib.parse import urljoin

import httpx
import pytest

from support.gateways import suite_over
from support.peers import run_peer
from support.rest import links_to_try, problem_of
from support.servers import SAMPLES
from support.zarr_served import served_stores
from voxgate_gateway.rest.openapi import problems_of
from voxgate_gateway.rest.routes import AREAS

EXAMPLES = 10


@pytest.fixture(scope="module")
def url(tmp_path_factory):
    """The whole suite, jobs and meshes too, over volumes that were made for it."""
    folder = tmp_path_factory.mktemp("made")
    with served_stores(folder):
        pass
    with suite_over({"made": folder, "aniso": SAMPLES / "aniso"}) as found:
        yield found


def asked(url, config, tmp_path, phases):
    """What Schemathesis says of a gateway; it asks the same every time."""
    file = tmp_path / "schemathesis.toml"
    file.write_text(config)
    document = f"{url}/api/v1/openapi.json"
    found = run_peer("schemathesis", "schemathesis_asks.py", document, file, str(EXAMPLES), phases, timeout=540)
    assert found["exit"] == 0, found["said"]
    return found["said"]


@pytest.mark.timeout(600)
def test_schemathesis_finds_nothing_in_whatever_it_makes_up(url, tmp_path):
    said = asked(url, "", tmp_path, "examples,coverage,fuzzing")
    assert int(re.search(r"(\d+) generated", said)[1]) > 10 * EXAMPLES


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["made/three", pytest.param("made/sparse", marks=pytest.mark.full)])
def test_schemathesis_finds_nothing_on_volumes_that_there_are(url, tmp_path, name):
    fixed = {"path.volume": name, "query.x": "-5:7", "query.y": "1001:1009", "query.z": "25", "query.time": "0"}
    lines = [f"{json.dumps(key)} = {json.dumps(value)}" for key, value in fixed.items()]
    asked(url, "\n".join(["[parameters]", *lines]), tmp_path, "fuzzing,stateful")


@pytest.mark.timeout(600)
@pytest.mark.parametrize("name", ["made/sparse", "aniso/seg"])
def test_every_link_of_the_page_works_on_a_segmentation(url, name):
    page = httpx.get(f"{url}/api/", params={"volume": name}, timeout=60).text
    tried = links_to_try(page)
    assert len(tried) >= 10
    for link in tried:
        answer = httpx.get(f"{url}/api/{link}", timeout=300)
        if "skeleton" in link and answer.status_code != 200:
            assert problem_of(answer)["reason"] == "MISSING_CAPABILITY"  # its library is an extra
        else:
            assert answer.status_code == 200, (link, answer.text)


def test_the_document_has_every_operation_once_and_refers_to_nothing_that_it_lacks(url):
    document = httpx.get(f"{url}/api/v1/openapi.json", timeout=60).json()
    assert document["openapi"] == "3.1.0"
    written = [at["operationId"] for path in document["paths"].values() for at in path.values()]
    there = [operation.name for area in AREAS for operation in area.operations]
    assert sorted(written) == sorted(set(there)) == sorted(there)
    for name in re.findall(r'"#/components/schemas/(\w+)"', json.dumps(document)):
        assert name in document["components"]["schemas"]


def test_the_server_of_the_document_is_where_the_document_is_behind_a_prefix_too(url):
    for prefix in ("", "/user/x"):
        address = f"{url}{prefix}/api/v1/openapi.json"
        headers = {"x-forwarded-prefix": prefix} if prefix else {}
        (server,) = httpx.get(address, headers=headers, timeout=60).json()["servers"]
        assert urljoin(address, server["url"]) == f"{url}{prefix}/api/v1"


def test_every_refusal_of_an_operation_is_a_problem_in_the_document(url):
    document = httpx.get(f"{url}/api/v1/openapi.json", timeout=60).json()
    for area in AREAS:
        for operation in area.operations:
            answers = document["paths"][operation.path][operation.method.lower()]["responses"]
            for status, text in problems_of(operation).items():
                assert text
                assert list(answers[str(status)]["content"]) == ["application/problem+json"]
