"""Files on which the HDF5 library crashes or never ends cost their caller an error, and a server nothing."""

import os
import shutil
import threading

import h5py
import numpy as np
import psutil
import pytest

from support.hdf5_volumes import gzip_uint64
from support.house import ROOT
from support.references import segmentation
from support.servers import server_process
from voxgate.client.connection import connect
from voxgate.model.errors import MetadataInvalid, VoxgateError
from voxgate_remotes.config import VolumeOverrides
from voxgate_remotes.hdf5 import Hdf5Format
from voxgate_remotes.hdf5.asking import Examiner
from voxgate_remotes.probing import Prober

FIXTURES = ROOT / "tests/fixtures/hdf5"
LONG_AGO = 1_600_000_000


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    for name in ("crash.h5", "loop.h5"):
        shutil.copy(FIXTURES / name, folder / name)
        os.utime(folder / name, (LONG_AGO, LONG_AGO))
    with h5py.File(folder / "good.h5", "w") as root:
        root.create_dataset("em", data=segmentation((1, 11, 17, 29))[0], chunks=(4, 6, 8), compression="gzip")
    return folder


def test_a_server_outlives_what_the_library_does_not(data, tmp_path):
    config = tmp_path / "voxgate.toml"
    config.write_text(f'[remotes.data]\nuri = "{data}"\n')
    failures = []

    def open_the_loop():
        try:
            client.volume("data/loop.h5/em")
        except VoxgateError as error:
            failures.append(error)

    with server_process("voxgate_volume", config, tmp_path / "log") as server, connect(server.address) as client:
        looping = threading.Thread(target=open_the_loop)
        looping.start()
        with pytest.raises(MetadataInvalid, match="crashed") as caught:
            client.volume("data/crash.h5/em")
        assert str(data) not in str(caught.value)
        assert caught.value.remedy
        np.testing.assert_array_equal(client.volume("data/good.h5/em")[2:9, 3:16, 5:28],
                                      segmentation((1, 11, 17, 29))[0, 2:9, 3:16, 5:28])  # fmt: skip
        assert {entry.name for entry in client.volumes("data")} == {f"data/{n}.h5" for n in ("crash", "good", "loop")}
        looping.join(120)
        (failure,) = failures
        assert isinstance(failure, MetadataInvalid)
        assert "did not come to an end" in str(failure)
        open_the_loop()
        assert str(failures[1]) == str(failure), "it was not tried again"
        children = psutil.Process(server.process.pid).children(recursive=True)
        assert server.process.poll() is None
    assert not psutil.wait_procs(children, timeout=30)[1], "what looks into files ends with the server"


def test_a_listing_takes_one_process_for_many_files(tmp_path):
    for number in range(30):
        gzip_uint64(tmp_path / f"{number}.h5")
    prober = Prober("voxgate_remotes.hdf5.examining")
    look = Hdf5Format(Examiner(prober))
    for number in range(30):
        assert [entry.segment for entry in look.list(tmp_path / f"{number}.h5", ())] == ["group"]
        look.open(tmp_path / f"{number}.h5", ("group", "volume"), VolumeOverrides())
    assert [child.answers for child in prober._state.idle] == [60]
