"""ome-zarr and napari with its plug-in for OME-Zarr open what the gateway serves, by its address."""

import numpy as np
import pytest

from support.dialect_readers import ZARR2, ZARR3
from support.peers import run_peer
from support.zarr_served import LEVELS, served_stores

PREFIXES = {"zarr": ZARR3, "zarr2": ZARR2}
OME_ZARR, NAPARI = "ome-zarr 0.18.0", "napari-ome-zarr 0.10.0"
FACTS = {
    "made/em": ("every scale", "place", "voxel size"),
    "made/three": ("several channels",),
    "made/sparse": ("absent",),
}
"""What of docs/reference/dialects.md a volume shows."""


@pytest.fixture(scope="module")
def stores(tmp_path_factory):
    with served_stores(tmp_path_factory.mktemp("made")) as found:
        yield found


def addresses(stores, names):
    return [f"{stores.url}/{prefix}/{name}/-" for prefix in PREFIXES for name in names]


def noted(read_in, stores, name, client, peer, left=()):
    """Note for both dialects what a volume has shown of a client."""
    count = sum(each.size for each in stores.voxels[name])
    for dialect in PREFIXES.values():
        for fact in set(FACTS.get(name, ())) - set(left):
            read_in(dialect, fact, client, peer, count)


def test_ome_zarr_finds_valid_images_with_their_voxels(stores, read_in, tmp_path):
    names = ["made/em", "made/three", "made/sparse", "aniso/seg"]
    told = run_peer("ome-zarr", "ome_zarr_by_address.py", tmp_path, *addresses(stores, names))
    for name in names:
        noted(read_in, stores, name, "ome-zarr", OME_ZARR)
    for number, found in enumerate(told):
        name = names[number % len(names)]
        assert found["axes"] == list("czyx" if name == "made/three" else "zyx")
        assert found["units"][-3:] == ["nanometer"] * 3
        assert found["valid"] == "Image"
        for level in range(len(stores.voxels[name])):
            np.testing.assert_array_equal(np.load(tmp_path / f"{number}-{level}.npy"), stores.array(name, level))
        if name == "made/three":
            assert found["channels"] == ["DAPI", "GFP", ""]
            assert found["windows"] == [[3, 1200], [0, 1], [0.5, 7]]
        if name == "made/em":
            assert found["transformations"][0] == [
                {"type": "scale", "scale": [33, 8, 8]},
                {"type": "translation", "translation": [21 * 33, 8000, -56]},
            ]


def test_napari_has_layers_of_all_levels_and_channels(stores, read_in, tmp_path):
    names = ["made/em", "made/three", "made/sparse", "aniso/seg"]
    told = run_peer("viewers", "viewers_by_address.py", tmp_path, *addresses(stores, names))
    for name in names:
        noted(read_in, stores, name, "napari", NAPARI, left=["place"])
    for number, layers in enumerate(told):
        name = names[number % len(names)]
        channels = stores.voxels[name][0].shape[0]
        assert [layer["kind"] for layer in layers] == ["Image"] * channels
        for index, layer in enumerate(layers):
            assert layer["levels"] == len(stores.voxels[name])
            assert layer["units"] == ["nanometer"] * 3
            for level, voxels in enumerate(stores.voxels[name]):
                np.testing.assert_array_equal(np.load(tmp_path / f"{number}-{index}-{level}.npy"), voxels[index])
        if name != "aniso/seg":
            size = np.multiply(LEVELS[0].bounds.shape.zyx, LEVELS[0].voxel_size_nm.zyx)
            assert np.allclose(layers[0]["extent"], size)
        if name == "made/three":
            assert [layer["name"] for layer in layers] == ["three: DAPI", "three: GFP", "three: "]
            assert [layer["window"] for layer in layers] == [[3, 1200], [0, 1], [0.5, 7]]
