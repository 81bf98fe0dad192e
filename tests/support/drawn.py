"""What neuroglancer's client shows in a browser: opening it on a state, and counting what it drew."""

from __future__ import annotations

import io
import json
from urllib.parse import quote, urlsplit

import numpy as np
from PIL import Image

BARE = {"layout": "4panel", "showSlices": False, "showAxisLines": False, "showDefaultAnnotations": False}


def panels(chromium):
    """What is in each of the four panels: arrays (height, width, 3), without the frames and buttons at their edges."""
    told = chromium.run(
        "return [...viewer.display.panels].map(p => p.element.getBoundingClientRect())"
        ".filter(r => r.width > 100 && r.height > 100).map(r => [r.left, r.top, r.right, r.bottom]);"
    )
    picture = np.asarray(Image.open(io.BytesIO(chromium.driver.picture())).convert("RGB")).astype(int)
    cut = {}
    for left, top, right, bottom in told:
        place = ("bottom" if top > picture.shape[0] / 2 - 60 else "top", "right" if left > 300 else "left")
        cut[place] = picture[int(top) + 40 : int(bottom) - 40, int(left) + 40 : int(right) - 40]
    names = {("top", "left"): "xy", ("top", "right"): "xz", ("bottom", "left"): "3d", ("bottom", "right"): "yz"}
    return {names[place]: pixels for place, pixels in cut.items()}


def coloured(pixels, least=25):
    """How many pixels are no grey."""
    return int((pixels.max(axis=-1) - pixels.min(axis=-1) > least).sum())


def greys(pixels):
    """How many shades of grey there are."""
    return len(np.unique(pixels[pixels.max(axis=-1) == pixels.min(axis=-1)]))


def show(chromium, url, size_nm, state):
    """Open the client on a state; lengths in it are in voxels of this size."""
    dimensions = {axis: [size * 1e-9, "m"] for axis, size in zip("xyz", size_nm, strict=True)}
    told = {**BARE, "dimensions": dimensions, **state}
    chromium.visit(f"{url}/viewer/v/1/#!{quote(json.dumps(told))}")
    chromium.wait_for_scene()


def settled(chromium, url):
    """What a page must not do: complain, or ask anybody but the server that it came from.

    Its workers are not allowed to, and to try would be a complaint: see the test of a stranger.
    """
    assert chromium.errors() == []
    origin = "{0.scheme}://{0.netloc}".format(urlsplit(url))
    assert [at for at in chromium.requests if at.startswith("http") and not at.startswith(f"{origin}/")] == []


def segments_of(source, ids, **more):
    layer = {"type": "segmentation", "name": "seg", "source": source, "segments": [str(each) for each in ids]}
    return {"layers": [layer | more]}
