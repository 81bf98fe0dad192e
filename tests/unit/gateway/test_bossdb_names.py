"""Names in the BossDB dialect: every volume has three, and three are never two volumes'."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.model.errors import UnknownVolume
from voxgate.model.names import VolumeName
from voxgate_gateway.backend import VolumeRef
from voxgate_gateway.bossdb.naming import (
    ChannelRef,
    Naming,
    decoded,
    encoded,
    experiment_of_frame,
    experiment_of_one,
    frame_of,
    is_segment,
)
from voxgate_gateway.settings import BossSettings

BOSS_NAME = re.compile(r"[A-Za-z0-9_-]+", re.ASCII)
REMOTES = ("lab", "scratch", "data-2")
# Few letters, so that names that look alike are common.
SEGMENT = st.text("ab_-.xcv01~é F2", min_size=1, max_size=8).filter(is_segment)
VOLUMES = st.builds(
    ChannelRef,
    st.builds(
        VolumeRef,
        st.builds(lambda r, s: str(VolumeName(r, tuple(s))), st.sampled_from(REMOTES), st.lists(SEGMENT, max_size=4)),
        st.one_of(st.just(""), st.text("ab_-.v0@ é", min_size=1, max_size=6)),
    ),
    st.one_of(st.none(), st.integers(0, 99)),
)
NAMINGS = st.sampled_from(
    [
        Naming(BossSettings()),
        Naming(BossSettings(home="scratch")),
        Naming(BossSettings(home="lab/a")),
        Naming(BossSettings(collections={"group": "lab/a", "a": "lab/a/b", "deep": "data-2/x/y"}, home="scratch")),
        Naming(
            BossSettings(collections={"whole": "scratch"}, names={("C", "E", "h"): "lab/a", ("C", "E", "i"): "lab"})
        ),
        Naming(BossSettings(names={("C", "E", "h"): "lab/a/b@1", ("C", "E", "red"): "lab/a#0"})),
    ]
)


@given(NAMINGS, VOLUMES)
def test_the_names_of_a_volume_stand_for_it_and_no_other(naming, told):
    names = naming.names_of(told, REMOTES)
    assert all(map(BOSS_NAME.fullmatch, names))
    assert naming.channel_of(names, REMOTES) == told


@given(NAMINGS, st.tuples(*[st.text("ab_-xchv01F2", min_size=1, max_size=9)] * 3).map(lambda n: ("lab", *n[1:])))
def test_names_that_stand_for_a_volume_are_the_only_derived_ones(naming, names):
    """But for the mark that says how an experiment is told, nothing is spelled in two ways."""
    try:
        told = naming.channel_of(names, REMOTES)
    except UnknownVolume:
        return
    if "__x" not in names[1] and naming.names_of(told, REMOTES)[0] == "lab" and told not in naming.given:
        assert naming.names_of(told, REMOTES) == names


@given(st.text(min_size=1, max_size=12))
def test_any_text_can_be_a_name_and_is_found_again(text):
    name = encoded(text)
    assert BOSS_NAME.fullmatch(name)
    assert decoded(name) == text


@given(st.text("ab_-012F", max_size=10))
def test_a_name_is_nothing_or_exactly_one_text(name):
    text = decoded(name)
    assert text is None or encoded(text) == name


@given(st.text("ab_-x", min_size=1, max_size=6), st.text("ab_-x2F", min_size=1, max_size=6))
def test_a_frame_is_found_by_its_name(collection, experiment):
    assert experiment_of_frame(frame_of(collection, experiment)) == (collection, experiment)


@pytest.mark.parametrize(
    ("volume", "names"),
    [
        ("lab/ac4/em", ("lab", "ac4", "em")),
        ("lab/my_lab/em-2_raw", ("lab", "my_lab", "em-2_raw")),
        ("lab/em", ("lab", "_", "em")),
        ("lab", ("lab", "_", "_")),
        ("lab/2024/s1.h5/seg", ("lab", "2024__2Fs1__2Eh5", "seg")),
        ("lab/_a__b_/x", ("lab", "__5Fa__5F__5Fb__5F", "x")),
    ],
)
def test_plain_names_stay_as_they_are(volume, names):
    assert Naming(BossSettings()).names_of(ChannelRef(VolumeRef(volume)), REMOTES) == names


def test_channels_and_versions_are_marked():
    told = ChannelRef(VolumeRef("lab/rgb", "a3f.9"), 2)
    assert Naming(BossSettings()).names_of(told, REMOTES) == ("lab", "_", "rgb__ch2__va3f__2E9")


def test_other_collections_are_groups_below_home():
    naming = Naming(BossSettings(home="scratch"))
    told = naming.channel_of(("mine", "exp", "seg"), REMOTES)
    assert told.ref.name == "scratch/mine/exp/seg"
    assert naming.names_of(told, REMOTES) == ("mine", "exp", "seg")
    with pytest.raises(UnknownVolume):
        Naming(BossSettings()).channel_of(("mine", "exp", "seg"), REMOTES)


def test_an_experiment_of_one_channel_has_no_other():
    naming = Naming(BossSettings())
    one = experiment_of_one("ac4", "em__ch1")
    assert naming.channel_of(("lab", one, "em__ch1"), REMOTES) == ChannelRef(VolumeRef("lab/ac4/em"), 1)
    with pytest.raises(UnknownVolume):
        naming.channel_of(("lab", one, "seg"), REMOTES)
