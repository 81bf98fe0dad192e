"""Remotes that are exchanged while they are used."""

from types import SimpleNamespace

import numpy as np
import pytest

from support.volume_service import BOUNDS, ids, spec
from voxgate.model.errors import ConfigInvalid, ReadOnly, UnknownRemote, UnknownScheme
from voxgate.model.geometry import Box
from voxgate.model.volumes import Writable
from voxgate_remotes.adopting import open_registry
from voxgate_remotes.registry import RemotesChange

FAR = Box.of(x=(999_000, 999_031), y=(999_500, 999_517), z=(998_001, 998_012))
PROCEDURAL = {"uri": "procedural://"}
MEMORY = {"uri": "memory://", "writable": True}


def stated(base, **remotes):
    return SimpleNamespace(remotes=remotes, base=base)


def test_what_stays_keeps_what_it_holds_and_what_is_open_stays_open(tmp_path):
    registry, adopt = open_registry(stated(tmp_path, mem=MEMORY, old=PROCEDURAL), writes_enabled=True)
    registry.create("mem/lab/seg", spec()).capability(Writable).write(BOUNDS, ids()[np.newaxis])
    held = registry.open("old/em")
    expected = held.read(FAR)
    change = adopt(stated(tmp_path, mem=MEMORY, new=PROCEDURAL))
    assert change == RemotesChange(added=("new",), removed=("old",))
    np.testing.assert_array_equal(registry.open("mem/lab/seg").read(BOUNDS)[0], ids())
    np.testing.assert_array_equal(held.read(FAR), expected)
    with pytest.raises(UnknownRemote):
        registry.open("old/em")
    assert registry.names == ("mem", "new")


@pytest.mark.parametrize(
    ("remotes", "error"),
    [
        ({"mem": MEMORY, "new": {"uri": "gopher://x"}}, UnknownScheme),
        ({"mem": MEMORY, "new": {"uri": "procedural://", "options": {"no_such": 1}}}, ConfigInvalid),
        ({"mem": {**MEMORY, "writable": False}}, ConfigInvalid),
        ({"mem": MEMORY, "new": {"url": "memory://"}}, ConfigInvalid),
    ],
)
def test_what_cannot_be_served_changes_nothing(tmp_path, remotes, error):
    registry, adopt = open_registry(stated(tmp_path, mem=MEMORY, old=PROCEDURAL), writes_enabled=True)
    registry.create("mem/lab/seg", spec())
    with pytest.raises(error):
        adopt(stated(tmp_path, **remotes))
    assert registry.names == ("mem", "old")
    assert registry.open("mem/lab/seg").info.name == "mem/lab/seg"


def test_a_name_that_means_another_store_has_another_life_also_after_it_was_gone(tmp_path):
    registry, adopt = open_registry(stated(tmp_path, a=PROCEDURAL, b=PROCEDURAL), writes_enabled=True)
    lives = [(registry.life_of("a/em"), registry.life_of("b/em"))]
    other = {"uri": "procedural://", "options": {"latency_ms": 1}}
    for table in ({"a": other, "b": PROCEDURAL}, {"b": PROCEDURAL}, {"a": PROCEDURAL, "b": PROCEDURAL}):
        adopt(stated(tmp_path, **table))
        lives.append((registry.life_of("a/em"), registry.life_of("b/em")))
    first, changed, _, again = [a for a, _ in lives]
    assert len({first, changed, again}) == 3
    assert len({b for _, b in lives}) == 1


def test_a_server_without_writes_gets_none_by_another_configuration(tmp_path):
    registry, adopt = open_registry(stated(tmp_path), writes_enabled=False)
    adopt(stated(tmp_path, mem=MEMORY))
    with pytest.raises(ReadOnly):
        registry.create("mem/lab/seg", spec())


def test_counts_of_a_remote_go_on_when_it_is_asked_in_another_way(tmp_path):
    registry, adopt = open_registry(stated(tmp_path, a=PROCEDURAL), writes_enabled=True)
    registry.open("a/em")
    adopt(stated(tmp_path, a={"uri": "procedural://", "options": {"latency_ms": 1}}))
    registry.open("a/em")
    (report,) = registry.traffic()
    assert report.durations["open"].count == 2
