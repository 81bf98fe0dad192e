"""Nothing of a registry is had past its door."""

import inspect

import pytest

from support.volume_service import memory_registry, spec
from voxgate.model.access import Caller, Role
from voxgate.model.errors import PermissionDenied, Unauthenticated, UnknownRemote
from voxgate.model.grants import Grant, Grants
from voxgate.model.volumes import CallContext, OpenOptions, Writable
from voxgate_remotes.config import parse_remotes
from voxgate_remotes.registry import Registry

ADA = Caller("ada", is_proven=True)
POLICY = Grants([Grant.parse("user:ada", "read", "mem/lab/shared")])
NAMED = {
    "open": lambda registry, name: registry.open(name, OpenOptions(context=CallContext(caller=ADA))),
    "create": lambda registry, name: registry.create(name, spec()),
    "add_scales": lambda registry, name: registry.add_scales(name, 1, []),
    "mesh_store": lambda registry, name: registry.mesh_store(name),
    "delete": lambda registry, name: registry.delete(name),
    "key_values": lambda registry, name: registry.key_values(name),
    "list": lambda registry, name: registry.list(name),
    "keeps_versions": lambda registry, name: registry.keeps_versions(name),
    "overlapping": lambda registry, name: registry.overlapping("mem/lab/shared", name),
}
LISTS = {"remotes", "resolve"}
OF_THE_SERVER = {"from_config", "adopt", "guarded", "is_admin", "for_caller", "names", "caches", "traffic", "life_of"}
"""No servicer answers a caller with what these say."""


@pytest.fixture
def whole(tmp_path):
    registry = memory_registry(tmp_path)
    for name in ("mem/lab/seg", "mem/lab/shared"):
        registry.create(name, spec())
    return registry


@pytest.fixture
def adas(whole):
    return whole.guarded(POLICY).for_caller(CallContext(caller=ADA))


def test_every_public_method_is_thought_of():
    public = {name for name, _ in inspect.getmembers(Registry) if not name.startswith("_")}
    assert public == set(NAMED) | LISTS | OF_THE_SERVER


@pytest.mark.parametrize("method", NAMED)
def test_what_is_named_is_refused_alike_whether_it_exists_or_not(adas, method):
    told = set()
    for name in ("mem/lab/seg", "mem/lab/nothing", "nowhere/lab"):
        with pytest.raises(PermissionDenied) as refused:
            NAMED[method](adas, name)
        told.add(str(refused.value).replace(name, "NAME"))
    assert len(told) == 1


def test_who_says_nobody_is_nobody(whole):
    guarded = whole.guarded(POLICY)
    with pytest.raises(Unauthenticated):
        guarded.open("mem/lab/shared")
    with pytest.raises(Unauthenticated):
        guarded.create("mem/lab/new", spec())
    assert guarded.list() == []
    assert guarded.remotes() == ()


def test_a_reader_is_refused_the_role_of_a_writer_and_every_power_to_change(adas):
    context = CallContext(caller=ADA)
    volume = adas.open("mem/lab/shared", OpenOptions(context=context))
    with pytest.raises(PermissionDenied):
        adas.open("mem/lab/shared", OpenOptions(context=context, role=Role.WRITE))
    bounds = volume.info.scales[0].bounds
    with pytest.raises(PermissionDenied):
        volume.capability(Writable).write(bounds, volume.read(bounds))


def test_a_readers_metadata_can_be_looked_at(whole, adas):
    whole.key_values("mem/lab/shared").set("k", b"v")
    values = adas.key_values("mem/lab/shared")
    assert values.get("k") == b"v"
    for change in (lambda: values.set("k", b"w"), lambda: values.delete("k")):
        with pytest.raises(PermissionDenied):
            change()


def test_lists_show_the_groups_above_what_may_be_read(adas):
    assert [(each.name, each.is_volume) for each in adas.list()] == [("mem", False)]
    assert [each.name for each in adas.list("mem")] == ["mem/lab"]
    assert [(each.name, each.is_volume) for each in adas.list("mem/lab")] == [("mem/lab/shared", True)]
    assert [each.name for each in adas.remotes()] == ["mem"]


def test_a_uri_of_what_may_not_be_read_is_one_that_nobody_holds(tmp_path):
    (tmp_path / "secret").mkdir()
    registry = Registry.from_config(parse_remotes({"secret": {"uri": (tmp_path / "secret").as_uri()}}, tmp_path))
    uri = (tmp_path / "secret" / "em").as_uri()
    assert registry.resolve(uri)[0] == "secret/em"
    with pytest.raises(UnknownRemote) as refused:
        registry.guarded(POLICY).for_caller(CallContext(caller=ADA)).resolve(uri)
    assert "secret/em" not in refused.value.message


def test_what_is_adopted_later_is_behind_the_same_door(tmp_path):
    registry = memory_registry(tmp_path)
    guarded = registry.guarded(Grants([Grant.parse("user:ada", "write", "new")]))
    registry.adopt(parse_remotes({"new": {"uri": "memory://", "writable": True}}, tmp_path))
    adas = guarded.for_caller(CallContext(caller=ADA))
    assert [each.name for each in adas.list()] == ["new"]
    assert adas.create("new/em", spec()).info.name == "new/em"
