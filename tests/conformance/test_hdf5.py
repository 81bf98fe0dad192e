"""The suite on HDF5 volumes that h5py wrote."""

import pytest

from support.hdf5_volumes import WRITERS
from voxgate_remotes.testing import ReadConformance, VolumeCase


@pytest.fixture(scope="module", params=WRITERS, ids=lambda writer: writer.__name__)
def case(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> VolumeCase:
    file = tmp_path_factory.mktemp("hdf5") / "volumes.h5"
    return request.param(file).case(file)


class TestReadingHdf5(ReadConformance):
    pass
