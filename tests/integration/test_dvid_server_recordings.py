"""Our DVID answers what a real DVID answered to the same requests, in the same order."""

from pathlib import Path

import pytest

from support.dvid import dvid_server
from support.dvid.recording import load, play
from support.dvid.scenario import SCENARIOS

FIXTURES = Path(__file__).parents[1] / "fixtures" / "dvid"


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_recorded_request_is_answered_as_recorded(name):
    steps, recorded = load((FIXTURES / f"{name}.json").read_text())
    with dvid_server() as server:
        answered = play(server.url, steps)
    different = [
        f"{one.method} {one.path}\n  recorded {was}\n  answered {now}"
        for one, was, now in zip(steps, recorded, answered, strict=True)
        if was != now
    ]
    assert not different, "\n".join(different)


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_recordings_are_of_the_scenarios_as_they_are_written(name):
    steps, _ = load((FIXTURES / f"{name}.json").read_text())
    assert [(one.method, one.path, one.keep) for one in steps] == [
        (one.method, one.path, one.keep) for one in SCENARIOS[name]()
    ]
