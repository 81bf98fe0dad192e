"""A URI under no remote: the operator's lines, and nothing that was secret."""

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.model.errors import UnknownRemote
from voxgate_remotes.config import parse_remotes
from voxgate_remotes.registry import Registry
from voxgate_remotes.suggestions import shown_uri, suggestion

SCHEMES = ("bossdb", "dvid", "file", "memory", "procedural", "voxgate")


def lines(uri):
    said = suggestion(uri, SCHEMES)
    first, _, toml = said.partition("\n")
    assert first == "the operator can add to the configuration:"
    return tomllib.loads(toml)["remotes"]


@pytest.mark.parametrize(
    ("uri", "name", "store"),
    [
        ("file:///data/fib25", "fib25", "file:///data/fib25"),
        ("/data/fib25", "fib25", "file:///data/fib25"),
        ("precomputed://file:///data/Fib 25", "fib-25", "file:///data/Fib%2025"),
        ("zarr://file:///data/em.ome.zarr", "em", "file:///data/em.ome.zarr"),
        ("bossdb://witvliet2020/Dataset_2/em", "bossdb", "bossdb://api.bossdb.io"),
        ("bossdb://witvliet2020/Dataset_2/em/3", "bossdb", "bossdb://api.bossdb.io"),
        ("bossdb://api.lab.example/c/e/ch", "bossdb", "bossdb://api.lab.example"),
        ("bossdb://https://api.lab.example/c/e/ch", "bossdb", "bossdb://https://api.lab.example"),
        ("bossdb://http://localhost:8080/c/e/ch", "bossdb", "bossdb://http://localhost:8080"),
        ("dvid://emdata.example:8000/3fa/segmentation", "dvid", "dvid://emdata.example:8000"),
        ("dvid://https://emdata.example/3fa/segmentation", "dvid", "dvid://https://emdata.example"),
        ("voxgate://gpu7:50051/fib25/em@v1", "voxgate", "voxgate://gpu7:50051"),
    ],
)
def test_the_lines_are_the_store_of_the_uri(uri, name, store):
    [(said_name, said)] = lines(uri).items()
    assert (said_name, said["uri"]) == (name, store)
    assert parse_remotes({said_name: said}, Path("/")).remotes[name].uri == store


def test_bossdb_is_told_where_its_token_goes():
    assert lines("bossdb://c/e/ch")["bossdb"]["credentials"] == {"token_env": "BOSSDB_TOKEN"}


def test_a_scheme_without_an_adapter_is_said_to_need_one():
    said = suggestion("precomputed://gs://neuroglancer-public-data/flyem_fib-25/image", SCHEMES)
    assert said.splitlines() == [
        "the operator can add to the configuration, once an adapter for gs: is installed:",
        "[remotes.image]",
        'uri = "gs://neuroglancer-public-data/flyem_fib-25/image"',
    ]


def test_what_is_no_uri_is_shown_how_one_would_look():
    assert lines("../em")["em"]["uri"] == "file:///absolute/path/to/em"


@pytest.mark.parametrize(
    "uri",
    [
        "bossdb://me:sesame@api.lab.example/c/e/ch",
        "bossdb://https://me:sesame@api.lab.example/c/e/ch",
        "bossdb:me:sesame@api.lab.example/c/e/ch",
        "dvid://sesame@emdata.example:8000/3fa/seg",
        "dvid://emdata.example:8000/3fa/seg?u=me&app=sesame",
        "file:///data/em?token=sesame",
        "voxgate://h:1/x#sesame",
    ],
)
def test_no_user_no_password_and_no_query_is_repeated(uri):
    assert "sesame" not in suggestion(uri, SCHEMES)
    with pytest.raises(UnknownRemote) as refused:
        Registry({}).resolve(uri)
    assert "sesame" not in str(refused.value)


def test_an_at_sign_in_a_path_is_no_user():
    assert shown_uri("file:///data/a@b/c") == "file:///data/a@b/c"


@given(st.text(max_size=60))
def test_whatever_is_named_makes_lines_that_are_toml_or_none(text):
    said = suggestion(f"bossdb://{text}", SCHEMES).partition("\n")[2]
    assert set(tomllib.loads(said).get("remotes", {"bossdb": {}})) == {"bossdb"}
