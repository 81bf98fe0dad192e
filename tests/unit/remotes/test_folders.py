"""Folders of this machine, as formats see them."""

import os

import pytest

from voxgate.model.errors import MetadataInvalid, PathRefused
from voxgate_remotes.folders import LocalFolder, required_json
from voxgate_remotes.guard import PathGuard


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "inner").mkdir()
    return LocalFolder(tmp_path, PathGuard(tmp_path))


def test_documents_are_read_by_name_and_absent_ones_are_none(folder, tmp_path):
    (tmp_path / "inner" / "attributes.json").write_text('{"n5": "2.0.0"}')
    assert folder.json("inner/attributes.json") == folder.within("inner").json("attributes.json") == {"n5": "2.0.0"}
    assert folder.json("zarr.json") is None
    assert folder.read("zarr.json", 10) is None
    assert folder.kvstore() == {"driver": "file", "path": f"{tmp_path}/"}


@pytest.mark.parametrize("text", ["", "[1]", '{"a": ', "\xff"])
def test_what_is_no_object_is_said_to_be_none(folder, tmp_path, text):
    (tmp_path / "info").write_bytes(text.encode("latin-1"))
    with pytest.raises(MetadataInvalid, match="info"):
        folder.json("info")


def test_a_document_that_a_volume_needs_is_missed_by_name(folder):
    with pytest.raises(MetadataInvalid, match=r"no `\.zarray`"):
        required_json(folder, ".zarray")


def test_a_file_is_read_up_to_its_limit(folder, tmp_path):
    (tmp_path / "blob").write_bytes(b"12345")
    assert folder.read("blob", 5) == b"12345"
    with pytest.raises(MetadataInvalid, match="larger"):
        folder.read("blob", 4)


def test_a_pipe_is_not_waited_for(folder, tmp_path):
    os.mkfifo(tmp_path / "info")
    assert folder.json("info") is None
    assert folder.read("info", 10) is None


@pytest.mark.parametrize("relative", ["..", "inner/../..", "/etc", "a//b", "inner/."])
def test_metadata_leads_nowhere_outside(folder, relative):
    with pytest.raises(PathRefused):
        folder.within(relative)
