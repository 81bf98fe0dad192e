"""The row of the viewer: neuroglancer's first full frame through `voxgate serve`, and of the same files by nginx.

Both serve the same client and the same volumes, an image and a segmentation in chunks of 64^3, and the browser's cache
is empty each time. Half of the time is the browser's own: it compiles the client and draws without a graphics card.
"""

from __future__ import annotations

import contextlib
import json
import shutil
from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path
from urllib.parse import quote

from tests.bench.data import SIZE_NM, Data
from tests.bench.harness import Work
from tests.bench.nginx import nginx
from tests.bench.processes import player
from tests.bench.rows_gateway import both
from tests.bench.rows_reading import same
from voxgate_gateway.viewer.client import client_folder, page_of

MODULES = ("neuroglancer",)


@contextlib.contextmanager
def first_frame(data: Data) -> Iterator[Work]:
    """H4: four panels of an image and a segmentation, until the client says that all of it is there."""
    em, seg = data.em(), data.seg()
    site = _site(data)
    with both(data) as (gateway, _), nginx(site, data.folder.parent / "nginx-site") as static:
        root = gateway.removesuffix("ng/bench/")
        ours = f"{root}viewer/v/1/{_state(data, f'{gateway}{em}/-', f'{gateway}{seg}/-')}"
        theirs = f"{static}/viewer/v/1/{_state(data, f'{static}/data/{em}', f'{static}/data/{seg}')}"
        with (
            player("through the gateway", "first_frame", module="clients_browser", url=ours) as one,
            player("files by nginx", "first_frame", module="clients_browser", url=theirs) as other,
        ):
            # A ratio is the second's time over the first's: how much longer the gateway takes.
            yield Work([each.contender() for each in (other, one)], same)


def _state(data: Data, em: str, seg: str) -> str:
    """The fragment of an address that shows two volumes, the same for whoever serves them."""
    middle = [(a + b) / 2 for a, b in zip(data.whole.start, data.whole.stop, strict=True)]
    state = {
        "dimensions": {axis: [size * 1e-9, "m"] for axis, size in zip("xyz", SIZE_NM, strict=True)},
        "position": middle,
        "crossSectionScale": 1,
        "projectionScale": 1200,
        "layers": [
            {"type": "image", "name": "em", "source": f"precomputed://{em}"},
            {"type": "segmentation", "name": "seg", "source": f"precomputed://{seg}"},
        ],
        "layout": "4panel",
    }
    return f"#!{quote(json.dumps(state))}"


def _site(data: Data) -> Path:
    """A folder with the client as the gateway serves it, and the volumes."""
    site = data.folder.parent / "site"
    client = client_folder()
    if client is None:
        raise FileNotFoundError("the wheel neuroglancer is not installed")
    page = site / "viewer" / "v" / "1"
    shutil.copytree(client, page, dirs_exist_ok=True, ignore=shutil.ignore_patterns("*.map"))
    (page / "index.html").write_text(page_of(client))
    static = site / "static"
    static.mkdir(exist_ok=True)
    for name in ("quiet.js", "icon.svg"):
        (static / name).write_bytes(files("voxgate_gateway").joinpath("static", name).read_bytes())
    if not (site / "data").exists():
        (site / "data").symlink_to(data.folder)
    return site
