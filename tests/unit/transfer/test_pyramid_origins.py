"""Where the levels of a pyramid come from is said in the job's record and beside the volume."""

import json
import uuid
from pathlib import Path

import numpy as np
import pytest
import zarr
from cloudvolume import CloudVolume

from support.pyramids import BOUNDS, FORMATS, filled, finest, pyramid_registry, run
from voxgate.model.geometry import Vec3
from voxgate.model.jobs import PyramidJobSpec, PyramidMethod, PyramidSpec, TransferSpec
from voxgate.model.volumes import CallContext
from voxgate_jobs.sqlstore import SqlJobStore
from voxgate_jobs.work import Patience
from voxgate_transfer.coarsening import open_pyramid
from voxgate_transfer.pyramids import Pyramids
from voxgate_transfer.transfers import Transfers, open_transfer

FACTORS = (Vec3(2, 2, 1), Vec3(3, 2, 5))


class Idle:
    """An engine that takes jobs and leaves them."""

    def check_room(self) -> None:
        pass

    def submit(self, name: str) -> None:
        pass


def entries(folder: Path, form: str) -> list:
    """What is kept beside a volume, as the libraries of others read it: its method, parameters and checksum."""
    if form == "precomputed":
        kept = CloudVolume(folder.as_uri()).provenance
        assert kept.sources == []
        return [
            (step["method"]["task"], step["method"]["parameters"], step["method"]["checksum"])
            for step in kept.processing
        ]
    listed = zarr.open_group(folder, mode="r").attrs["voxgate_provenance"]
    assert [each["sources"] for each in listed] == [[]] * len(listed)
    return [(each["method"], each["parameters"], each["checksum"]) for each in listed]


@pytest.mark.parametrize("form", [each for each in FORMATS if each != "memory"])
def test_a_pyramid_made_alone_says_beside_the_volume_how_it_was_made(tmp_path: Path, form: str):
    registry = pyramid_registry(tmp_path)
    filled(registry, "files/one", finest(), format=form)
    pyramids = Pyramids(registry, SqlJobStore("sqlite://"), Idle())
    asked = PyramidJobSpec("files/one", PyramidSpec(FACTORS))
    for checksum in ("ab" * 32, "cd" * 32):  # made anew: its entry is replaced
        job = pyramids.start("ada", str(uuid.uuid4()), asked, CallContext())
        work = open_pyramid(registry, job.spec, Patience(), task_bytes=9_000)
        work.finish(run(work), checksum)
        ((method, parameters, told),) = entries(tmp_path / "one", form)
        assert (method, told) == ("voxgate pyramid", checksum)
        assert parameters == json.loads(job.provenance["parameters"])
    assert parameters["volume"] == "files/one"
    assert parameters["pyramid"] == {"factors": [[2, 2, 1], [3, 2, 5]], "method": PyramidMethod.MODE.value}
    said = {key: value for key, value in job.provenance.items() if key != "parameters"}
    assert said.pop("software").startswith("voxgate ")
    assert said == {
        "method": "voxgate pyramid",
        "volume": "files/one",
        "format": registry.open("files/one").info.format,
    }
    assert np.array_equal(registry.open("files/one").read(BOUNDS), finest())


def test_a_copy_with_a_pyramid_is_one_entry(tmp_path: Path):
    registry = pyramid_registry(tmp_path)
    filled(registry, "memory/one", finest())
    asked = TransferSpec("memory/one", "files/copy", pyramid=PyramidSpec(FACTORS))
    job = Transfers(registry, SqlJobStore("sqlite://"), Idle()).start("ada", str(uuid.uuid4()), asked, CallContext())
    work = open_transfer(registry, job.spec, Patience(), task_bytes=9_000)
    work.finish(run(work), "ab" * 32)
    (entry,) = zarr.open_group(tmp_path / "copy", mode="r").attrs["voxgate_provenance"]
    assert entry["method"] == "voxgate transfer"
    assert entry["sources"] == ["memory/one"]
    assert entry["parameters"]["pyramid"]["factors"] == [[2, 2, 1], [3, 2, 5]]
