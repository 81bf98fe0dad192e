"""The suite on computed volumes."""

import pytest

from support.known_volumes import opener
from support.procedural_volumes import COMPUTED
from voxgate_remotes.testing import ReadConformance, VolumeCase


@pytest.fixture(scope="module", params=COMPUTED, ids=lambda make: make.__name__)
def case(request: pytest.FixtureRequest) -> VolumeCase:
    remote, volume = request.param()
    return volume.case(opener(remote), writable=False)


class TestReadingComputedVolumes(ReadConformance):
    pass
