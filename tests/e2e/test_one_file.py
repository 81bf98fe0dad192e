"""One file as all that is served: `voxgate serve FILE` and `voxgate.open(FILE)`."""

import os

import numpy as np
import pytest
import tifffile

import voxgate
from support.hdf5_volumes import cremi_labels, gzip_uint64
from support.processes import FREE_PORTS, VOXGATE, announcing
from support.references import image
from voxgate.client.connection import connect
from voxgate.model.errors import ConfigInvalid, UnknownVolume, UnsupportedFormat

VOXELS = image((5, 6, 7))


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    cremi_labels(folder / "Cremi A.h5")
    gzip_uint64(folder / "one.h5")
    tifffile.imwrite(folder / "stack.tif", VOXELS)
    (folder / "notes.txt").write_text("no voxels")
    return folder


def test_serving_a_file_serves_its_volumes_and_nothing_beside_it(data, tmp_path):
    command = [*VOXGATE, "serve", str(data / "Cremi A.h5"), str(data / "stack.tif"), *FREE_PORTS]
    environment = {**os.environ, "XDG_CONFIG_HOME": str(tmp_path)}
    with announcing(command, tmp_path / "log", environment) as (_, started), connect(started["grpc"]) as client:
        assert {entry.name for entry in client.volumes()} == {"cremi-a-h5", "stack-tif"}
        assert [entry.name for entry in client.volumes("cremi-a-h5/volumes/labels")] == [
            "cremi-a-h5/volumes/labels/neuron_ids"
        ]
        np.testing.assert_array_equal(
            client.volume("cremi-a-h5/volumes/raw")[3:11, 2:9, 5:8], image((20, 30, 40))[3:11, 2:9, 5:8]
        )
        np.testing.assert_array_equal(client.volume("stack-tif")[1:4, 2:6, 3:5], VOXELS[1:4, 2:6, 3:5])
        with pytest.raises(UnknownVolume):
            client.volume("cremi-a-h5/one.h5/group/volume")


def test_a_file_with_one_volume_is_opened_by_its_path(data):
    assert voxgate.open(str(data / "one.h5")).shape == (11, 17, 29)
    np.testing.assert_array_equal(voxgate.open(str(data / "stack.tif"))[1:4, 2:6, 3:5], VOXELS[1:4, 2:6, 3:5])


def test_one_of_several_volumes_in_a_file_is_named_after_its_path(data):
    with pytest.raises(UnknownVolume, match=r"holds 2 volumes.*volumes/raw") as caught:
        voxgate.open(str(data / "Cremi A.h5"))
    assert "volumes/labels/neuron_ids" in str(caught.value)
    np.testing.assert_array_equal(
        voxgate.open(str(data / "Cremi A.h5/volumes/raw"))[3:11, 2:9, 5:8], image((20, 30, 40))[3:11, 2:9, 5:8]
    )
    with pytest.raises(UnknownVolume):
        voxgate.open(str(data / "Cremi A.h5/volumes/nothing"))


def test_a_file_without_volumes_is_refused(data):
    with pytest.raises(UnsupportedFormat, match="no format"):
        voxgate.open(str(data / "notes.txt"))
    with pytest.raises(ConfigInvalid, match="not a folder or file"):
        voxgate.open(str(data / "nothing.h5"))
