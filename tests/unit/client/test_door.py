"""What `voxgate.array` makes of its string and of intern's keywords, as far as no server is needed."""

import inspect

import numpy as np
import pytest

import voxgate
from support.array_volume import ArrayVolume, multichannel, scale_of, segmentation
from voxgate.client.array import VolumeArray
from voxgate.client.door import array
from voxgate.client.intern_array import InternArray
from voxgate.model.errors import (
    AlreadyExists,
    InvalidArgument,
    MalformedName,
    UnknownRemote,
    UnknownScale,
    UnknownVolume,
)
from voxgate.model.geometry import Box, VoxelSize
from voxgate.model.names import VolumeName, split_version
from voxgate.model.volumes import VolumeKind

# The parameters of intern.array 1.4.2, in its order.
INTERN = [
    "channel",
    "resolution",
    "volume_provider",
    "axis_order",
    "create_new",
    "description",
    "dtype",
    "extents",
    "voxel_size",
    "voxel_unit",
    "downsample_levels",
    "downsample_method",
    "coordinate_frame_name",
    "coordinate_frame_desc",
    "collection_desc",
    "experiment_desc",
    "source_channel",
    "boss_config",
]


class Client:
    """Stands for a connection to a server that has the remotes "lab" and, in a BossDB, "boss"."""

    def __init__(self) -> None:
        self.volumes = {"lab/thing": segmentation(), "boss/c/e/ch": segmentation(), "boss/c/e/7": segmentation()}
        self.created = []
        self.asked = []

    def resolve(self, uri):
        self.asked.append(uri)
        scheme, _, path = uri.partition("://")
        parts = path.split("/")
        if len(parts) == 4 and parts[3].isdecimal():
            parts = parts[:3]
        if scheme == "dvid":
            return "lab/thing@3fa"
        if scheme == "bossdb" and len(parts) == 3:
            return "/".join(["boss", *parts])
        raise UnknownRemote("no configured remote holds this URI", "the operator can add …")

    def volume(self, name):
        plain, self.version = split_version(name)
        if VolumeName.parse(plain).remote not in ("lab", "boss"):
            raise UnknownRemote(f"there is no remote {plain.partition('/')[0]!r}", "known: boss, lab")
        if plain not in self.volumes:
            raise UnknownVolume(f"there is no volume {plain!r}")
        return VolumeArray(self.volumes[plain])

    def create(self, name, spec):
        VolumeName.parse(name)
        if not name.startswith(("lab/", "boss/")):
            raise UnknownRemote("there is no such remote")
        if name in self.volumes:
            raise AlreadyExists(f"{name} is taken")
        self.created.append((name, spec))
        level = spec.scales[0]
        voxels = np.zeros((1, *level.bounds.shape.zyx), spec.dtype)
        scale = scale_of(voxels.shape[1:], level.bounds.start, level.voxel_size_nm)
        self.volumes[name] = ArrayVolume([voxels], [scale], kind=spec.kind)


@pytest.fixture
def client():
    return Client()


def test_the_keywords_are_interns_in_its_order():
    parameters = inspect.signature(array).parameters
    assert list(parameters) == [*INTERN, "client", "server"]
    assert all(parameters[name].kind is inspect.Parameter.KEYWORD_ONLY for name in ("client", "server"))
    assert voxgate.array is array


def test_a_uri_opens_what_the_server_says_that_it_is(client):
    opened = array("bossdb://c/e/ch", client=client)
    assert isinstance(opened, InternArray)
    assert opened.volume is client.volumes["boss/c/e/ch"]
    assert client.asked == ["bossdb://c/e/ch"]


def test_the_version_of_a_uri_is_opened(client):
    array("dvid://emdata:8000/3fa/segmentation", client=client)
    assert client.version == "3fa"
    array("lab/thing@v2", client=client)
    assert client.version == "v2"


def test_a_name_of_the_server_comes_before_a_bossdb_uri(client):
    assert array("lab/thing", client=client).volume is client.volumes["lab/thing"]
    assert client.asked == []
    with pytest.raises(UnknownVolume):
        array("lab/thing/else", client=client)
    assert client.asked == []


@pytest.mark.parametrize(("text", "level"), [("c/e/ch", 0), ("c/e/ch/1", 1)])
def test_a_bare_name_of_no_remote_is_bossdb_as_in_intern(client, text, level):
    opened = array(text, client=client)
    assert opened.volume is client.volumes["boss/c/e/ch"]
    assert opened.scale_index == level


def test_a_bare_name_that_nobody_knows_says_both_and_shows_the_lines(client):
    client.resolve = Client().resolve
    with pytest.raises(UnknownVolume):
        array("Kasthuri/ac4/em", client=client)  # the BossDB answers, and has no such channel
    del client.volumes["boss/c/e/ch"]

    def nothing(uri):
        raise UnknownRemote("no configured remote holds this URI", "[remotes.bossdb]")

    client.resolve = nothing
    with pytest.raises(UnknownRemote, match=r"no volume of this server.*BossDB") as refused:
        array("kasthuri/ac4/em", client=client)
    assert refused.value.remedy == "[remotes.bossdb]"
    with pytest.raises(MalformedName):
        array("Kasthuri", client=client)


def test_a_channel_that_is_called_by_a_number_is_no_resolution(client):
    assert array("bossdb://c/e/7", client=client).scale_index == 0
    assert array("bossdb://c/e/ch/1", client=client).scale_index == 1
    assert array("bossdb://c/e/7/1", client=client).scale_index == 1


def test_a_resolution_is_said_once(client):
    assert array("bossdb://c/e/ch/1", resolution=1, client=client).scale_index == 1
    with pytest.raises(InvalidArgument, match="say it once"):
        array("bossdb://c/e/ch/1", resolution=0, client=client)


def keyed(*keys):
    scales = [scale_of((3, 4, 5), size=VoxelSize(4, 4, 40), key=key) for key in keys]
    return ArrayVolume([np.zeros((1, 3, 4, 5), np.uint8)] * len(keys), scales)


@pytest.mark.parametrize(
    ("keys", "resolutions"),
    [(("2", "3", "4"), [2, 3, 4]), (("8_8_8", "16_16_16"), [0, 1]), (("s0", "s1"), [0, 1]), (("0", "a"), [0, 1])],
)
def test_a_resolution_is_the_stores_number_or_else_an_index(client, keys, resolutions):
    client.volumes["lab/keyed"] = keyed(*keys)
    assert array("lab/keyed", client=client).scale_index == 0
    for index, resolution in enumerate(resolutions):
        opened = array("lab/keyed", np.int64(resolution), client=client)
        assert (opened.scale_index, opened.resolution) == (index, resolution)
    assert opened.available_resolutions == resolutions
    with pytest.raises(UnknownScale, match="there are"):
        array("lab/keyed", resolution=resolutions[-1] + 1, client=client)


def test_the_order_of_axes_is_a_view(client):
    zyx, xyz = array("lab/thing", client=client), array("lab/thing", axis_order="XYZ", client=client)
    assert (zyx.axes, xyz.axes) == ("zyx", "xyz")
    assert np.array_equal(xyz[1:4, :, 0], np.asarray(zyx).transpose(2, 1, 0)[1:4, :, 0])
    assert (zyx.voxel_size, xyz.voxel_size) == ((40.0, 4.0, 4.0), (4.0, 4.0, 40.0))
    assert array("lab/thing", axis_order="yxz", client=client).shape == (4, 6, 3)
    client.volumes["lab/dyes"] = multichannel()
    assert array("lab/dyes", axis_order="XYZ", client=client).axes == "cxyz"
    for wrong in ("XY", "XYZT", "XXY", ""):
        with pytest.raises(InvalidArgument, match="no order of the axes"):
            array("lab/thing", axis_order=wrong, client=client)


def test_it_answers_to_interns_names_and_views_do_too(client):
    opened = array("bossdb://c/e/ch", client=client)
    assert (opened.voxel_unit, opened.dtype) == ("nanometers", "uint64")
    named = array("lab/thing", client=client)
    assert (named.collection_name, named.experiment_name, named.channel_name) == ("", "", "thing")
    assert isinstance(named.scale(1), InternArray)


@pytest.mark.parametrize(
    "keyword",
    [name for name in INTERN if name not in {"channel", "resolution", "axis_order", "create_new"}],
)
def test_what_cannot_be_honoured_is_refused_with_what_to_do(client, keyword):
    given = {"extents": (1, 2, 3), "voxel_size": (1, 2, 3), "downsample_levels": 6, "boss_config": {"token": "t0k"}}
    with pytest.raises(InvalidArgument, match=keyword) as refused:
        array("lab/thing", client=client, **{keyword: given.get(keyword, "nanometers")})
    assert refused.value.remedy
    assert "t0k" not in str(refused.value)


def test_it_is_told_whom_to_ask_once(client):
    with pytest.raises(InvalidArgument, match="give one of them"):
        array("lab/thing", client=client, server="localhost:1")
    with pytest.raises(InvalidArgument, match="as text"):
        array(("c", "e", "ch"), client=client)


# Creating


def test_a_new_channel_is_said_in_z_y_x_and_any_unit(client):
    opened = array(
        "bossdb://c/e/new",
        create_new=True,
        dtype="uint16",
        extents=(30, 200, np.int64(1000)),
        voxel_size=(0.04, 0.008, 0.004),
        voxel_unit="micrometers",
        axis_order="XYZ",
        client=client,
    )
    [(name, spec)] = client.created
    assert name == "boss/c/e/new"
    assert spec.scales[0].bounds == Box.of(x=(0, 1000), y=(0, 200), z=(0, 30))
    assert tuple(spec.scales[0].voxel_size_nm) == pytest.approx((4.0, 8.0, 40.0))
    assert (spec.dtype, spec.kind, spec.format) == (np.dtype("<u2"), VolumeKind.IMAGE, "")
    assert opened.shape == (1000, 200, 30)


@pytest.mark.parametrize(
    ("dtype", "kind"),
    [
        (None, VolumeKind.IMAGE),
        ("uint8", VolumeKind.IMAGE),
        ("uint32", VolumeKind.SEGMENTATION),
        (np.uint64, VolumeKind.SEGMENTATION),
        ("float32", VolumeKind.IMAGE),
    ],
)
def test_what_a_new_channel_means_follows_from_its_dtype_as_in_intern(client, dtype, kind):
    array("c/e/new", create_new=True, dtype=dtype, extents=(2, 3, 4), voxel_size=(9, 8, 7), client=client)
    [(name, spec)] = client.created
    assert (name, spec.kind, spec.dtype) == ("boss/c/e/new", kind, np.dtype(dtype or "uint8"))
    assert spec.scales[0].voxel_size_nm == VoxelSize(7.0, 8.0, 9.0)


@pytest.mark.parametrize(
    ("changed", "named"),
    [
        ({"extents": None}, "needs extents"),
        ({"voxel_size": None}, "needs voxel_size"),
        ({"extents": (2, 3)}, "extents cannot be"),
        ({"extents": (2, 3, 0)}, "extents cannot be"),
        ({"extents": (2, 3, 4.5)}, "no voxels"),
        ({"voxel_size": (1, 2, float("nan"))}, "voxel_size cannot be"),
        ({"voxel_size": (1, 2, "3")}, "voxel_size cannot be"),
        ({"voxel_unit": "nm"}, "voxel_unit"),
        ({"dtype": "complex64"}, "no volume holds"),
        ({"dtype": "nonsense"}, "no volume holds"),
    ],
)
def test_a_channel_that_cannot_be_meant_is_refused_before_anybody_is_asked(client, changed, named):
    said = {"extents": (2, 3, 4), "voxel_size": (9, 8, 7), "dtype": "uint8", **changed}
    with pytest.raises(InvalidArgument, match=named):
        array("lab/new", create_new=True, client=client, **said)
    assert client.created == []


def test_a_name_that_is_taken_is_never_taken_for_the_one_that_was_meant(client):
    with pytest.raises(AlreadyExists):
        array("lab/thing", create_new=True, extents=(2, 3, 4), voxel_size=(9, 8, 7), client=client)
