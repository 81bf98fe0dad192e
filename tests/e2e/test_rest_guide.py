"""docs/how-to/rest.md and the examples in curl, R and Julia, as they are, against the suite."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess

import httpx
import jsonschema
import numpy as np
import pytest
import trimesh
from PIL import Image

from support.gateways import by_tensorstore, suite_over
from support.house import ROOT
from support.servers import SAMPLES

PAGE = (ROOT / "docs/how-to/rest.md").read_text()
HERE = "http://localhost:8080"
BOX = np.s_[1100:1164, 2080:2112, 3010:3020]


@pytest.fixture(scope="module")
def url():
    with suite_over({"fib25": SAMPLES / "fib25"}) as url:
        yield url


@pytest.fixture(scope="module")
def em():
    return np.asarray(by_tensorstore((SAMPLES / "fib25/em").as_uri())[BOX].read().result())[..., 0]


def blocks(language):
    found = re.findall(rf"^```{language}\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)
    assert found
    return found


def run(command, folder, url):
    """What a program prints."""
    done = subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "VOXGATE_URL": url, "NO_PROXY": "127.0.0.1", "LC_ALL": "C.UTF-8"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def need(program):
    if shutil.which(program) is None:
        pytest.skip(f"no {program} on this machine")


def test_the_page_has_no_block_that_is_not_tested_here():
    assert set(re.findall(r"^```(\w+)$", PAGE, re.MULTILINE)) == {"sh", "python", "r", "julia", "json"}


def test_the_requests_of_the_page_work(url, em, tmp_path):
    for block in blocks("sh"):
        run(["bash", "-euc", block.replace(HERE, url)], tmp_path, url)
    np.testing.assert_array_equal(np.load(tmp_path / "em.npy"), em.transpose(2, 1, 0), strict=True)
    assert Image.open(tmp_path / "em.png").size == (160, 136)
    assert Image.open(tmp_path / "xz.png").size == (160, 112)
    assert 1000 < len(trimesh.load(tmp_path / "body.ply").faces) <= 20_000


def test_the_python_of_the_page_works(url):
    names = {}
    for block in blocks("python"):
        exec(block.replace(HERE, url), names)
    expected = np.asarray(by_tensorstore((SAMPLES / "fib25/seg").as_uri())[BOX].read().result())[..., 0]
    np.testing.assert_array_equal(names["ids"], expected.transpose(2, 1, 0), strict=True)


@pytest.mark.parametrize(("language", "example"), [("r", "rest.R"), ("julia", "rest.jl")])
def test_what_the_page_shows_of_other_languages_is_part_of_an_example_that_is_run(language, example):
    text = (ROOT / "examples" / example).read_text()
    for block in blocks(language):
        assert all(line in text for line in block.splitlines())


def test_the_problem_of_the_page_is_the_one_that_is_answered(url):
    document = httpx.get(f"{url}/api/v1/openapi.json", timeout=60).json()
    answer = httpx.get(f"{url}/api/v1/volumes/fib25/em/-/cutout?x=0:10&y=2080:2112&z=3010:3020", timeout=60).json()
    for block in blocks("json"):
        shown = json.loads(block.replace(HERE, url))
        jsonschema.validate(shown, document["components"]["schemas"]["Problem"])
        assert {**shown, "request_id": ""} == {**answer, "request_id": ""}


def test_the_example_in_curl_runs(url, em, tmp_path):
    said = run(["sh", ROOT / "examples/rest.sh"], tmp_path, url)
    assert "fib25/seg" in said
    assert said.splitlines()[-1] == "segment 24720"
    np.testing.assert_array_equal(np.load(tmp_path / "em.npy"), em.transpose(2, 1, 0), strict=True)
    assert Image.open(tmp_path / "seg.png").mode == "RGB"
    assert len(trimesh.load(tmp_path / "body.ply").faces) > 1000


def test_the_example_in_curl_fails_where_there_is_no_server(tmp_path):
    done = subprocess.run(
        ["sh", ROOT / "examples/rest.sh"],
        cwd=tmp_path,
        env={**os.environ, "VOXGATE_URL": "http://127.0.0.1:1"},
        capture_output=True,
        timeout=60,
        check=False,
    )
    assert done.returncode != 0


def test_the_example_in_r_reads_the_same_voxels(url, em, tmp_path):
    need("Rscript")
    if subprocess.run(["Rscript", "-e", "library(jsonlite)"], capture_output=True, timeout=60, check=False).returncode:
        pytest.skip("no jsonlite for R on this machine")
    said = run(["Rscript", ROOT / "examples/rest.R"], tmp_path, url)
    assert "uint8 voxels of 10 10 10 nm" in said
    assert f"em[5, 7, 2] is {em[4, 6, 1]} and the mean {em.mean():.7g}" in said
    assert "the largest segment is 2491 with 492428 voxels" in said
    assert 1000 < len(trimesh.load(tmp_path / "body.ply").faces) <= 20_000


def test_the_example_in_julia_reads_the_same_voxels(url, em, tmp_path):
    need("julia")
    said = run(["julia", ROOT / "examples/rest.jl"], tmp_path, url)
    assert f"em[5, 7, 2] is {em[4, 6, 1]} and the mean {em.mean()}" in said
    assert (tmp_path / "em.png").read_bytes().startswith(b"\x89PNG")
    assert len(trimesh.load(tmp_path / "body.ply").faces) > 100
