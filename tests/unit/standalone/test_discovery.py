"""What `voxgate serve` finds below its remotes, and what it says about it."""

import json
import shutil
import threading
import tomllib

import numpy as np
import pytest

from support.house import ROOT
from support.zarr_files import bare, ids, multiscale
from voxgate.model.errors import StoreUnavailable
from voxgate.model.remotes import ListEntry
from voxgate_remotes.config import RemoteConfig, RemotesConfig, parse_remotes, remote_for_path
from voxgate_remotes.registry import Registry
from voxgate_standalone.announcing import survey_lines
from voxgate_standalone.discovery import Discovery, Limits

SHAPE = (5, 6, 7)


@pytest.fixture
def data(tmp_path):
    """A folder with a volume of each common kind, a broken one, and links that lead round in circles."""
    shutil.copytree(ROOT / "samples/aniso/seg", tmp_path / "deep/er/seg")
    bare(tmp_path / "bare", ids(SHAPE, "uint32"))
    bare(tmp_path / "old", ids(SHAPE, "uint8"), zarr_format=2, chunks=SHAPE)
    levels = [(ids((2, 3, *SHAPE), "uint16"), (1, 1, 40, 4, 4), (0, 0, 0, 0, 0))]
    multiscale(tmp_path / "movie", levels, "tczyx")
    multiscale(tmp_path / "movie/labels/cells", [(ids(SHAPE), (40, 4, 4), None)], "zyx")
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/zarr.json").write_text('{"zarr_format": 3, "node')
    (tmp_path / "deep/round").symlink_to("../other")
    (tmp_path / "other").mkdir()
    (tmp_path / "other/back").symlink_to("../deep")
    (tmp_path / "notes.txt").write_text("no volume")
    return tmp_path


def registry_of(**remotes):
    return Registry.from_config(RemotesConfig(remotes={k: RemoteConfig(uri=uri) for k, uri in remotes.items()}))


def surveyed(registry, **limits):
    discovery = Discovery(registry, Limits(**{"seconds": 120.0, **limits}))
    discovery.start()
    return discovery.wait()


def test_volumes_of_every_format_are_found_at_any_depth_and_a_broken_one_says_why(data):
    survey = surveyed(registry_of(data=data.as_uri()))
    found = {each.name.removeprefix("data/"): each for each in survey.found}
    formats = {name: each.info.format for name, each in found.items() if each.info}
    assert formats == {
        "bare": "zarr v3",
        "old": "zarr v2",
        "movie": "zarr v3",
        "movie/labels/cells": "zarr v3",
        "deep/er/seg": "precomputed",
        "other/back/er/seg": "precomputed",
    }
    assert "`zarr.json` is truncated" in found["broken"].problem
    assert (survey.is_complete, survey.more) == (True, 0)


def test_a_remote_that_is_one_volume_is_found_by_its_own_name(data):
    (found,) = surveyed(registry_of(bare=(data / "bare").as_uri())).found
    assert (found.name, found.info.dtype) == ("bare", np.dtype("<u4"))


def test_databases_are_named_and_not_asked():
    survey = surveyed(registry_of(flyem="dvid://127.0.0.1:9", world="procedural://"))
    assert [each.name for each in survey.not_walked] == ["flyem"]
    assert {each.name.partition("/")[0] for each in survey.found} == {"world"}
    assert any(line.startswith("flyem/") and "voxgate ls flyem" in line for line in survey_lines(survey, {}))


def test_a_large_tree_is_cut_and_what_is_left_out_is_said(tmp_path):
    for number in range(9):
        bare(tmp_path / f"group{number % 2}" / f"v{number}", ids(SHAPE, "uint8"), chunks=SHAPE)
    registry = registry_of(data=tmp_path.as_uri())
    few = surveyed(registry, volumes=4)
    assert (len(few.found), few.more, few.is_complete) == (4, 5, True)
    assert "… 5 more: voxgate ls -r" in survey_lines(few, {})
    shallow = surveyed(registry, depth=1)
    assert (shallow.found, shallow.is_complete) == ((), False)
    assert survey_lines(shallow, {}) == ["… there may be more: voxgate ls -r"]
    assert not surveyed(registry, groups=2).is_complete


class SlowRemote:
    """One volume that nobody can open in time: a dead network folder."""

    def __init__(self, let_go):
        self.let_go = let_go

    def list(self, parent):
        self.let_go.wait(60)
        return [ListEntry("late", True)]

    def open(self, path, options):
        raise StoreUnavailable("the store is away")

    def capability(self, kind):
        return None


def test_a_store_that_hangs_does_not_keep_the_server_from_being_announced(data):
    let_go = threading.Event()
    slow = SlowRemote(let_go)
    slow.open = lambda path, options: let_go.wait(60)
    try:
        survey = surveyed(Registry({"slow": slow}), seconds=0.2)
        assert (survey.found, survey.is_complete) == ((), False)
    finally:
        let_go.set()


def test_a_remote_whose_adapter_fails_is_a_row(data):
    class Faulty(SlowRemote):
        def open(self, path, options):
            raise ZeroDivisionError

    survey = surveyed(Registry({"away": SlowRemote(None), "faulty": Faulty(None)}))
    assert [(each.name, each.problem) for each in survey.found] == [
        ("away", "the store is away"),
        ("faulty", "its adapter failed: ZeroDivisionError"),
    ]


def test_the_table_has_shapes_in_x_y_z_and_says_what_was_guessed(data):
    lines = survey_lines(surveyed(registry_of(data=data.as_uri())), {})
    rows = {line.split()[0]: " ".join(line.split()) for line in lines if line.startswith("data/")}
    guessed = "inferred: axes, voxel_offset; unknown: kind, voxel_size_nm"
    assert rows["data/bare"] == f"data/bare zarr v3 unknown 7 x 6 x 5 uint32 unknown 1 {guessed}"
    assert rows["data/deep/er/seg"] == "data/deep/er/seg precomputed segmentation 64 x 48 x 20 uint64 4 x 4 x 40 3"
    assert rows["data/movie"].endswith("7 x 6 x 5 uint16 4 x 4 x 40 1 3 channels; 2 times; unknown: kind")
    assert rows["data/broken"].startswith("data/broken cannot be read: `zarr.json` is truncated")


def test_the_lines_to_state_what_was_guessed_are_a_configuration_that_opens_it(data):
    name, config = remote_for_path(str(data))
    survey = surveyed(Registry.from_config(RemotesConfig(remotes={name: config})))
    lines = survey_lines(survey, {name: config})
    text = "\n".join(lines[lines.index(f"[remotes.{name}]") :])
    completed = text.replace("# kind", "kind").replace("# voxel_size_nm = [X, Y, Z]", "voxel_size_nm = [4, 5, 40]")
    remotes = parse_remotes(tomllib.loads(completed)["remotes"], data)
    info = Registry.from_config(remotes).open(f"{name}/bare").info
    assert (info.inferred, info.kind.value, list(info.scales[0].voxel_size_nm)) == ((), "segmentation", [4, 5, 40])
    assert f"[remotes.{name}]" not in survey_lines(survey, {}), "a remote of a file is there already"
    assert json.dumps("movie") in text
