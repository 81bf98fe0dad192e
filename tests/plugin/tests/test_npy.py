import numpy as np
import pytest

from voxgate.model.geometry import Vec3
from voxgate.model.volumes import OpenOptions, VolumeKind
from voxgate_npy import NpyRemote
from voxgate_remotes.config import RemoteConfig
from voxgate_remotes.testing import ReadConformance, ScaleFacts, VolumeCase


class TestNpy(ReadConformance):
    @pytest.fixture(params=["<u8", ">u8"])
    def case(self, request, tmp_path):
        voxels = np.arange(2**63, 2**63 + 5 * 7 * 11, dtype="<u8").reshape(1, 5, 7, 11)
        np.save(tmp_path / "seg.npy", voxels[0].astype(request.param))
        remote = NpyRemote(RemoteConfig(uri=f"npy://{tmp_path}", volumes={"seg": {"voxel_offset": (-5, 20, 3)}}))
        return VolumeCase(
            open=lambda options: remote.open(("seg",), options),
            open_missing=lambda: remote.open(("nothing",), OpenOptions()),
            scales=(ScaleFacts(voxels=voxels, start=Vec3(-5, 20, 3), chunk_shape=Vec3(11, 7, 1)),),
            kind=VolumeKind.UNKNOWN,
        )
