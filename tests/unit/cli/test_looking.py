"""ls, info, segments, at: what is printed for people and for programs."""

import pytest

from voxgate.model.errors import MetadataInvalid

BIG, HUGE, SMALL = (1 << 53) + 1, (1 << 63) + 5, 7


def test_a_listing_is_one_name_a_line_with_a_slash_after_groups(voxgate):
    assert voxgate("ls").out == "lab/\nsolo\n"
    assert voxgate("ls", "lab/").out == "lab/deep/\nlab/em\n"


def test_a_recursive_listing_goes_down_to_the_volumes(voxgate):
    assert voxgate("ls", "-r").out == "lab/\nlab/deep/\nlab/deep/seg\nlab/em\nsolo\n"


def test_a_long_listing_says_what_volumes_are(voxgate):
    answer = voxgate("ls", "lab", "-l")
    assert answer.out.splitlines() == [
        "lab/deep/",
        "lab/em     -  image  uint16  8 x 7 x 6  4 x 4 x 40  1",
    ]
    document = voxgate("ls", "lab", "-l", "--json").document
    assert [entry["name"] for entry in document["entries"]] == ["lab/deep", "lab/em"]
    assert document["entries"][1]["volume"]["dtype"] == "uint16"


def test_a_broken_volume_hides_no_other_from_a_long_listing(voxgate, client, monkeypatch):
    real = client.volume

    def volume(name):
        if name == "lab/deep/seg":
            raise MetadataInvalid("`info` is truncated", "restore it")
        return real(name)

    monkeypatch.setattr(client, "volume", volume)
    answer = voxgate("ls", "-lr")
    assert answer.code == 0
    assert [line.split()[0] for line in answer.out.splitlines()] == [
        "lab/",
        "lab/deep/",
        "lab/deep/seg",
        "lab/em",
        "solo",
    ]
    assert "cannot be read: `info` is truncated" in answer.out
    entries = {entry["name"]: entry for entry in voxgate("ls", "-lr", "--json").document["entries"]}
    assert entries["lab/deep/seg"]["error"] == {"reason": "METADATA_INVALID", "message": "`info` is truncated"}
    assert entries["solo"]["volume"]["kind"] == "image"


def test_a_group_that_does_not_exist_exits_with_3(voxgate):
    answer = voxgate("ls", "nowhere")
    assert (answer.code, answer.out) == (3, "")
    assert answer.err == "error: there is no group 'nowhere'\n  list its parent\n"


def test_a_description_has_every_scale(voxgate):
    answer = voxgate("info", "lab/deep/seg")
    assert answer.code == 0
    assert "kind        segmentation" in answer.out
    assert "1  half  3 x 2 x 3  x[4:7] y[-6:-4] z[100:103]" in answer.out
    document = voxgate("info", "lab/deep/seg", "--json").document
    assert document["scales"][1]["voxel_size_nm"] == {"x": 8.0, "y": 8.0, "z": 40.0}
    assert document["scales"][0]["bounds"]["start"] == {"x": 8, "y": -12, "z": 100}
    assert document["capabilities"] == ["read", "write", "segments", "meshes"]


def test_segments_are_listed_with_all_digits_of_their_ids(voxgate):
    assert voxgate("segments", "lab/deep/seg", "--top", "2").out == f"{HUGE}  16\n{BIG}     12\n"
    document = voxgate("segments", "lab/deep/seg", "--json").document
    assert [each["segment_id"] for each in document["segments"]] == [str(SMALL), str(BIG), str(HUGE)]


@pytest.mark.parametrize(("scale", "index"), [("1", 1), ("half", 1), ("0", 0)])
def test_a_scale_is_named_by_index_or_key(voxgate, scale, index):
    assert voxgate("segments", "lab/deep/seg", "--scale", scale, "--json").document["scale"] == index


@pytest.mark.parametrize("box", ["13:14,-9:-8,102:103", "13,-9,102", "13:,-9:,102:"])
def test_a_box_is_global_and_may_leave_ends_out(voxgate, box):
    assert voxgate("segments", "lab/deep/seg", "--box", box).out == f"{SMALL}  1\n"


def test_points_with_minus_signs_are_points(voxgate):
    answer = voxgate("at", "lab/deep/seg", "8,-12,100", "10,-9,101", "8,-9,100")
    assert answer.out == f"8,-12,100  {BIG}\n10,-9,101  {HUGE}\n8,-9,100   0\n"
    assert voxgate("at", "lab/deep/seg", "-1,0,0").code == 1  # out of bounds, not an option
    document = voxgate("at", "lab/deep/seg", "10,-9,101", "--json").document
    assert document["points"] == [{"point": {"x": 10, "y": -9, "z": 101}, "segment_id": str(HUGE)}]


def test_images_have_no_segments(voxgate):
    answer = voxgate("segments", "lab/em", "--json")
    assert answer.code == 1
    assert answer.error["reason"] == "MISSING_CAPABILITY"
    assert answer.err == ""


def test_the_server_option_says_where_to_connect(voxgate, client):
    voxgate("ls", "-s", "brains.example:7")
    assert client.connected_to == ("brains.example:7", None)
    assert client.closed
    voxgate("ls")
    assert client.connected_to == (None, None)
