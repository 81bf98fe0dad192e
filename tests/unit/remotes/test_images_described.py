"""What TIFF files say of themselves: axes, times, channels, units, images; what contradicts itself is refused."""

import numpy as np
import pytest
import tifffile

from support.image_files import noise, open_tiff
from voxgate.model.errors import (
    ChunkMissing,
    InvalidArgument,
    MetadataInvalid,
    OutOfBounds,
    UnknownVersion,
    UnknownVolume,
    UnsupportedFormat,
)
from voxgate.model.geometry import VoxelSize
from voxgate.model.volumes import OpenOptions
from voxgate_remotes.config import VolumeOverrides
from voxgate_remotes.images import TiffFormat

GREY = {"photometric": "minisblack", "metadata": None}


def opened(path, **options):
    return open_tiff(path, overrides=VolumeOverrides(), **options)


def read_all(volume):
    return volume.read(volume.info.scales[0].bounds)


@pytest.fixture
def file(tmp_path):
    return tmp_path / "volume.tif"


def test_times_are_chosen_and_versions_are_not(file):
    tifffile.imwrite(file, noise((4, 3, 5, 7), "u1"), imagej=True, metadata={"axes": "TZYX"})
    with pytest.raises(InvalidArgument, match="4 time points"):
        read_all(opened(file))
    with pytest.raises(OutOfBounds):
        opened(file, options=OpenOptions(time_index=4))
    with pytest.raises(UnknownVersion):
        opened(file, options=OpenOptions(version="v1"))


@pytest.mark.parametrize("unit", ["pixel", "", None])
def test_a_size_without_a_unit_of_length_stays_unknown(file, unit):
    metadata = {"axes": "ZYX", "spacing": 3.0, **({"unit": unit} if unit is not None else {})}
    tifffile.imwrite(file, noise((3, 5, 7), "u1"), imagej=True, resolution=(2, 2), metadata=metadata)
    assert opened(file).info.scales[0].voxel_size_nm is None


def test_units_of_ome_are_units(file):
    sizes = {"PhysicalSizeX": 40, "PhysicalSizeXUnit": "Å", "PhysicalSizeY": 0.005, "PhysicalSizeZ": 4e-5}
    metadata = {"axes": "ZYX", **sizes, "PhysicalSizeZUnit": "mm"}
    tifffile.imwrite(file, noise((3, 5, 7), "u1"), ome=True, metadata=metadata)
    found = opened(file).info.scales[0].voxel_size_nm
    np.testing.assert_allclose(tuple(found), tuple(VoxelSize(4, 5, 40)), rtol=1e-9)


def _ome(file, edit):
    """A small OME-TIFF whose XML was edited."""
    voxels = noise((3, 5, 7), "u1")
    tifffile.imwrite(file, voxels, ome=True, metadata={"axes": "ZYX"})
    with tifffile.TiffFile(file) as written:
        xml = edit(written.ome_metadata)
    tifffile.tiffcomment(file, xml.encode())
    return voxels


@pytest.mark.parametrize(
    ("old", "new", "error", "word"),
    [
        ('PlaneCount="3"', 'PlaneCount="2"', ChunkMissing, "plane t=0 c=0 z=2"),
        ('IFD="0"', 'IFD="1"', ChunkMissing, "no page"),
        ('SizeX="7"', 'SizeX="8"', MetadataInvalid, "8 x 5"),
        ('Type="uint8"', 'Type="uint16"', MetadataInvalid, "uint16"),
        ('SizeZ="3"', 'SizeZ="three"', MetadataInvalid, "OME-XML"),
        ('DimensionOrder="XYCZT"', 'DimensionOrder="ZYCXT"', MetadataInvalid, "OME-XML"),
        ('PlaneCount="3"/>', 'PlaneCount="3"><UUID FileName="/etc/passwd">urn:uuid:1</UUID></TiffData>',
         UnsupportedFormat, "several files"),
        ("<OME", '<!DOCTYPE x [<!ENTITY a "aaaa">]><OME', MetadataInvalid, "OME-XML"),
    ],
)  # fmt: skip
def test_ome_xml_that_does_not_fit_is_refused(file, old, new, error, word):
    def edit(xml):
        assert old in xml, xml
        return xml.replace(old, new, 1)

    _ome(file, edit)
    with pytest.raises(error, match=word):
        opened(file)


def test_planes_of_ome_may_be_on_any_page(file):
    blocks = "".join(f'<TiffData IFD="{2 - z}" FirstZ="{z}" PlaneCount="1"/>' for z in range(3))
    voxels = _ome(file, lambda xml: xml.replace('<TiffData IFD="0" PlaneCount="3"/>', blocks))
    np.testing.assert_array_equal(read_all(opened(file))[0], voxels[::-1])


def test_each_image_of_an_ome_tiff_is_a_volume(file):
    first, second = noise((3, 5, 7), "u1"), noise((2, 9, 11), "u2")
    with tifffile.TiffWriter(file, ome=True) as writer:
        for voxels in (first, second):
            writer.write(voxels, photometric="minisblack", metadata={"axes": "ZYX"})
    tiff = TiffFormat()
    assert [entry.segment for entry in tiff.list(file, ())] == ["0", "1"]
    assert [tiff.is_volume(file, inner) for inner in ((), ("0",), ("1",), ("2",))] == [False, True, True, False]
    np.testing.assert_array_equal(read_all(opened(file, inner=("1",)))[0], second)
    with pytest.raises(UnknownVolume):
        opened(file, inner=("2",))


def test_a_file_of_one_volume_has_nothing_inside(file):
    tifffile.imwrite(file, noise((3, 5, 7), "u1"), **GREY)
    tiff = TiffFormat()
    assert tiff.claims(file)
    assert tiff.list(file, ()) == []
    assert not tiff.is_volume(file, ("0",))
    with pytest.raises(UnknownVolume):
        tiff.list(file, ("0",))
    with pytest.raises(UnknownVolume):
        opened(file, inner=("0",))


def test_files_are_claimed_by_ending_and_first_bytes(tmp_path):
    (tmp_path / "text.tif").write_text("no TIFF")
    tifffile.imwrite(tmp_path / "volume.dat", noise((3, 5, 7), "u1"), **GREY)
    tifffile.imwrite(tmp_path / "BIG.BTF", noise((3, 5, 7), "u1"), bigtiff=True, **GREY)
    claimed = {name: TiffFormat().claims(tmp_path / name) for name in ("text.tif", "volume.dat", "BIG.BTF", "none.tif")}
    assert claimed == {"text.tif": False, "volume.dat": False, "BIG.BTF": True, "none.tif": False}
