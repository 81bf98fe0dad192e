"""The suite on N5 volumes of other people's writers."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from support.known_volumes import PATH, KnownVolume
from support.n5_volumes import WRITERS
from voxgate_remotes.testing import ReadConformance, VolumeCase, WriteConformance

Written = Callable[[Callable[[Path], KnownVolume]], tuple[Path, KnownVolume]]


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Written:
    """Writes each volume once: z5py works in a process of its own."""
    known: dict[str, tuple[Path, KnownVolume]] = {}

    def write(writer: Callable[[Path], KnownVolume]) -> tuple[Path, KnownVolume]:
        if writer.__name__ not in known:
            root = tmp_path_factory.mktemp("n5")
            known[writer.__name__] = (root, writer(root / PATH))
        return known[writer.__name__]

    return write


@pytest.fixture(scope="module", params=WRITERS, ids=lambda writer: writer.__name__)
def case(request: pytest.FixtureRequest, written: Written) -> VolumeCase:
    root, volume = written(request.param)
    return volume.case(volume.registry(root, writable=False).open, writable=False)


class TestReadingN5(ReadConformance):
    pass


class TestWritingN5(WriteConformance):
    @pytest.fixture(params=WRITERS, ids=lambda writer: writer.__name__)
    def case(self, request: pytest.FixtureRequest, written: Written, tmp_path: Path) -> VolumeCase:
        root, volume = written(request.param)
        shutil.copytree(root, tmp_path, dirs_exist_ok=True)
        return volume.case(volume.registry(tmp_path, writable=True).open, writable=True)
