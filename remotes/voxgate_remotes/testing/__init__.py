"""The conformance suite: what every `Volume` must do, as pytest tests that an adapter inherits.

A plug-in author states facts about a volume that was written by somebody else's writer, never by the code under
test, and says how to open it:

    from voxgate_remotes.testing import ReadConformance, ScaleFacts, VolumeCase

    class TestMyStore(ReadConformance):
        @pytest.fixture
        def case(self, tmp_path):
            voxels = np.arange(5 * 7 * 11, dtype="<u2").reshape(1, 5, 7, 11)
            their_writer.save(tmp_path / "em", voxels[0])
            return VolumeCase(
                open=lambda options: MyRemote(config(tmp_path)).open(("em",), options),
                scales=(ScaleFacts(voxels),),
                kind=VolumeKind.IMAGE,
            )

`WriteConformance` is inherited in the same way where volumes take writes; its `case` must be fresh for each test.
`EncodedConformance` is for volumes that hand out stored chunks as they are stored; it needs a fixture `decode` too.
The suite uses nothing but the Volume Protocol, so it holds for a local adapter, a cache and a volume over gRPC alike.
Needs `voxgate-remotes[testing]`.
"""

from voxgate_remotes.testing.cases import ScaleFacts, VolumeCase
from voxgate_remotes.testing.encoded import Decode, EncodedConformance
from voxgate_remotes.testing.reading import ReadConformance
from voxgate_remotes.testing.writing import WriteConformance

__all__ = ["Decode", "EncodedConformance", "ReadConformance", "ScaleFacts", "VolumeCase", "WriteConformance"]
