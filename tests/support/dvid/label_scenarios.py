"""What was asked of a real DVID server about labels, and is asked of ours."""

from __future__ import annotations

import gzip

import lz4.block
import numpy as np
from numpy.typing import NDArray

from .recording import Step, step

BIG, BIGGER = 2**53 + 1, 2**63 + 5
_POINTS = [[37, 34, 3], [0, 0, 0], [35, 62, 10], [61, 35], [-3, 2, 1]]


def labels() -> NDArray[np.uint64]:
    """Supervoxels (z, y, x) = (32, 64, 32), to be written at 32, 32, 0."""
    found = np.zeros((32, 64, 32), np.uint64)
    found[3:6, 2:20, 5:31] = 7
    found[10:20, 30:40, 3:9] = BIGGER
    found[20:22, 60:64, 0:3] = BIG
    found[31, 0, 0] = 9
    found[8:10, 8:10, 8:10] = [[[21, 21], [20, 20]], [[21, 22], [20, 0]]]  # two against three: the lower of equals wins
    found[8:10, 8:10, 10:12] = [[[31, 0], [0, 0]], [[0, 30], [0, 0]]]
    return found


def bodies() -> list[Step]:
    """A labelmap: voxels, scales, points, sizes, runs, merge and cleave, and the ledger that is the index."""
    node, sent = "/api/node/{root}/seg", labels().tobytes()
    made = {"typename": "labelmap", "dataname": "seg", "BlockSize": "32,32,32", "MaxDownresLevel": "2"}
    box = node + "/raw/0_1_2/32_64_32/32_32_0"
    return [
        step("POST", "/api/repos", send={"alias": "bodies"}, keep="root"),
        step("POST", "/api/repo/{root}/instance", send=made),
        step("POST", "/api/repo/{root}/instance", send=made | {"dataname": "bad", "BlockSize": "33,32,32"}),
        *_about(node, (5, 0)),
        step("POST", node + "/nextlabel/3"),
        step("POST", box, send=sent),
        step("POST", box.replace("32_0", "32_1"), send=sent),
        step("POST", box, send=sent[:-8]),
        step("GET", node + "/info"),
        *_boxes(node),
        *_about(node, (7, BIGGER, 3, 20, 31)),
        *_runs_of(node, 7),
        *_frames_of(node),
        *_proofread(node),
        step("POST", box, send=sent),
        *_about(node, (7,)),
        step("POST", box + "?mutate=true", send=bytes(len(sent))),
        *_about(node, (7,)),
        step("GET", node + "/sparsevol/7", "runs"),
        step("POST", node + "/raw/0_1_2/32_32_32/0_0_0?scale=1&compression=lz4", send=_squeezed()),
        step("GET", node + "/raw/0_1_2/32_32_32/0_0_0", "voxels"),
        step("POST", node + "/raw/0_1_2/32_32_32/0_0_0?compression=lz4", send=b"no block at all"),
        step("GET", node + "/raw/0_1_2/32_32_32/0_0_0", "voxels"),
        step("POST", node + "/raw/0_1_2/32_32_32/0_0_0?compression=lz4", send=b"garbage"),
        step("GET", node + "/raw/0_1_2/32_32_32/0_0_0", "voxels"),
        step(
            "POST", node + "/raw/0_1_2/32_32_32/0_0_0?compression=gzip", send=gzip.compress(bytes(8 * 32**3), mtime=0)
        ),
        step("POST", node + "/raw/0_1_2/32_32_32/0_0_0?compression=none", send=bytes(8)),
    ]


def _squeezed() -> bytes:
    return bytes(lz4.block.compress(np.full(32**3, 3, "<u8").tobytes(), store_size=False))


def _boxes(node: str) -> list[Step]:
    box = node + "/raw/0_1_2/40_30_20/28_50_1"
    queries = ("", "?compression=lz4", "?compression=gzip", "?supervoxels=true", "?scale=9", "?throttle=true")
    return [
        *[step("GET", box + query, "voxels") for query in queries],
        *[step("GET", box + query) for query in ("?compression=bogus", "?compression=google", "?scale=x", "?roi=no")],
        step("GET", node + "/raw/0_1_2/40_32_24/28_50_1?compression=google", "voxels"),
        step("GET", node + "/raw/0_1_2/40_32_24/28_50_1?compression=googlegzip", "voxels"),
        step("GET", node + "/raw/0_1_2/33_41_17/3_7_0?scale=1", "voxels"),
        step("GET", node + "/raw/0_1_2/17_25_9/1_3_0?scale=2&compression=lz4", "voxels"),
    ]


def _about(node: str, asked: tuple[int, ...]) -> list[Step]:
    return [
        *[step("GET", f"{node}/{what}/{label}") for label in asked for what in ("size", "sparsevol-size", "lastmod")],
        *[step("GET", f"{node}/supervoxel{what}/{label}", "members") for label in asked for what in ("s", "-sizes")],
        *[step("GET", f"{node}/size/{label}?supervoxels=true") for label in asked],
        *[step("HEAD", f"{node}/sparsevol/{label}") for label in asked],
        *[step("GET", f"{node}/{what}") for what in ("maxlabel", "nextlabel", "existing-labels")],
        *[step("GET", f"{node}/listlabels{q}", "ids") for q in ("", "?sizes=true", "?start=8&number=2&sizes=true")],
        step("GET", node + "/mappings", "text"),
        *[step("GET", f"{node}/{what}", send=[7, 3, BIGGER, 0]) for what in ("sizes", "mapping")],
        *[step("GET", f"{node}/labels{q}", send=_POINTS) for q in ("", "?supervoxels=true", "?scale=1")],
        *[step("GET", f"{node}/label/{point}") for point in ("37_34_3", "18_17_1?scale=1", "-3_2_1", "1_2")],
        *[step("GET", f"{node}/{what}") for what in ("labels", "size", "size/x", "nosuch")],
        step("GET", node + "/labels", send={"a": 1}),
        step("POST", node + "/labels", send=[[1, 2, 3]]),
    ]


def _runs_of(node: str, label: int) -> list[Step]:
    queries = (
        "",
        "?format=srles",
        "?minx=40&maxz=4&miny=40",
        "?minx=40&maxz=4&miny=40&exact=false",
        "?compression=gzip",
    )
    scaled = ("?scale=1", "?scale=2&maxx=12", "?scale=5", "?minx=500", "?minx=x", "?maxx=33")
    return [
        *[step("GET", f"{node}/sparsevol/{label}{query}", "runs") for query in queries + scaled],
        *[step("HEAD", f"{node}/sparsevol/{label}{query}") for query in ("?minx=500", "?minx=40", "?minx=32&maxx=63")],
        step("GET", f"{node}/sparsevol/{BIGGER}", "runs"),
        step("GET", f"{node}/sparsevol-coarse/{BIGGER}", "runs"),
        step("GET", f"{node}/sparsevol-coarse/{BIGGER}?miny=70", "runs"),
        step("GET", f"{node}/sparsevol-coarse/{label}?miny=70", "runs"),
        step("GET", f"{node}/sparsevol/3", "runs"),
        step("GET", f"{node}/sparsevol/0", "runs"),
    ]


def _frames_of(node: str) -> list[Step]:
    box = node + "/blocks/96_128_64/0_0_0?edge=32"
    return [
        *[step("GET", box + query, "frames") for query in ("", "&compression=gzip", "&compression=uncompressed")],
        step("GET", box + "&scale=1", "frames"),
        step("GET", box + "&compression=bogus"),
        step("GET", node + "/blocks/96_128_63/0_0_0"),
        step("GET", node + "/specificblocks?edge=32&blocks=1,1,0,5,5,5,1,2,0&compression=lz4", "frames"),
    ]


def _proofread(node: str) -> list[Step]:
    merges: tuple[list[int], ...] = ([7, BIGGER], [7, BIGGER], [7, 12345], [777, 9], [7], [0, 7], [9, 9])
    return [
        *[step("POST", node + "/merge", send=merge) for merge in merges],
        *_about(node, (7, BIGGER)),
        step("GET", f"{node}/sparsevol/{BIGGER}?supervoxels=true", "runs"),
        step("GET", f"{node}/sparsevol/7", "runs"),
        step("GET", f"{node}/supervoxels/{BIGGER}", "members"),
        step("GET", node + "/raw/0_1_2/32_64_32/32_32_0", "voxels"),
        step("GET", node + "/raw/0_1_2/32_64_32/32_32_0?supervoxels=true", "voxels"),
        step("GET", node + "/blocks/32_32_32/32_64_0?edge=32&supervoxels=true", "frames"),
        step("GET", node + "/blocks/32_32_32/32_64_0?edge=32", "frames"),
        *[step("POST", node + "/cleave/7", send=out) for out in ([BIGGER], [7], [12])],
        step("POST", node + "/cleave/444", send=[7]),
        *_about(node, (7, BIGGER + 1)),
        step("POST", node + "/split/7", send=b""),
    ]


def limits() -> list[Step]:
    """The last of ids, boxes too large, and numbers that are none."""
    node, last = "/api/node/{root}/seg", 2**64 - 1
    made = {"typename": "labelmap", "dataname": "seg", "BlockSize": "16,16,16"}
    voxels = np.full(16**3, 30, "<u8")
    voxels[:100] = last
    return [
        step("POST", "/api/repos", send={"alias": "limits"}, keep="root"),
        step("POST", "/api/repo/{root}/instance", send=made),
        *[step("POST", f"{node}/nextlabel/{count}") for count in ("0", "2", "x")],
        step("POST", node + "/nextlabel"),
        step("POST", node + "/raw/0_1_2/16_16_16/16_0_0", send=voxels.tobytes()),
        *_about(node, (last, 30)),
        step("POST", node + "/nextlabel/2"),
        step("POST", node + "/merge", send=[30, last]),
        step("POST", node + "/cleave/30", send=[last]),
        *[
            step("GET", f"{node}/{what}", send=send)
            for what in ("sizes", "mapping")
            for send in ([], [last], [1e3], [-1])
        ],
        *[step("GET", node + "/labels", send=send) for send in ([], [[64.0, 0, 0]], [[2**31, 0, 0]])],
        *[step("GET", f"{node}/label/16_0_0?supervoxels={text}") for text in ("true", "1", "TRUE")],
        *[step("GET", f"{node}/listlabels?{query}", "ids") for query in ("number=0", "number=x", f"start={last}")],
        step("GET", node + "/raw/0_1_2/3000_3000_3000/0_0_0", "voxels"),
        step("GET", node + "/sparsevol/30?minx=40&maxx=17", "runs"),
        step("POST", node + "/extents", send={"MinPoint": [1, 2, 3], "MaxPoint": [9, 8, 7]}),
        step("GET", node + "/info"),
    ]


def scales() -> list[Step]:
    """Coarser scales of noise, of uniform blocks, and of blocks written one by one and over again."""
    node, made = "/api/node/{root}/seg", {"typename": "labelmap", "dataname": "seg", "BlockSize": "16,16,32"}
    noise = np.random.default_rng(7).integers(0, 4, (32, 16, 48)).astype("<u8")
    noise[noise == 3] = BIGGER
    solid = [("48_0_0", 5), ("0_48_0", 6), ("16_48_0", 6), ("32_32_32", 8), ("32_32_32", 9)]
    return [
        step("POST", "/api/repos", send={"alias": "scales"}, keep="root"),
        step("POST", "/api/repo/{root}/instance", send=made | {"MaxDownresLevel": "3"}),
        step("POST", f"{node}/raw/0_1_2/48_16_32/16_16_0?mutate=true", send=noise.tobytes()),
        *[
            step("POST", f"{node}/raw/0_1_2/16_16_32/{corner}?mutate=true", send=np.full(16 * 16 * 32, label).tobytes())
            for corner, label in solid
        ],
        *[step("GET", f"{node}/raw/0_1_2/80_64_64/0_0_0?scale={scale}", "voxels") for scale in range(5)],
    ]


def below() -> list[Step]:
    """Labels below voxel 0, as far as that does not end a real server: in y and z the runs of a body do."""
    node, made = "/api/node/{root}/seg", {"typename": "labelmap", "dataname": "seg", "BlockSize": "16,16,16"}
    voxels = np.zeros((16, 16, 16), "<u8")
    voxels[2, 3, 4:9] = 7
    voxels[12, 3, 1] = voxels[15, 15, 15] = 9
    corners = ("-32_0_0", "-16_0_0", "0_0_0", "0_-32_0")
    asked = ("size/7", "sparsevol-size/7", "label/-28_3_2", "label/-12_3_2", "label/4_3_2", "label/4_-29_2", "info")
    queries = ("?minx=-28&maxx=-27", "?minx=-17", "?maxx=-1", "?minx=-12&maxx=5")
    return [
        step("POST", "/api/repos", send={"alias": "below"}, keep="root"),
        step("POST", "/api/repo/{root}/instance", send=made | {"MaxDownresLevel": "1"}),
        *[step("POST", f"{node}/raw/0_1_2/16_16_16/{at}?mutate=true", send=voxels.tobytes()) for at in corners[:3]],
        *[step("GET", f"{node}/sparsevol/{label}", "runs") for label in (7, 9)],
        *[step("GET", f"{node}/sparsevol/7{query}", "runs") for query in queries],
        step("POST", f"{node}/raw/0_1_2/16_16_16/{corners[3]}?mutate=true", send=voxels.tobytes()),
        *[step("GET", f"{node}/raw/0_1_2/60_50_20/-40_-34_-1?scale={scale}", "voxels") for scale in (0, 1)],
        *[step("GET", f"{node}/{what}") for what in asked],
        step("GET", node + "/labels", send=[[-28, 3, 2], [-1, 15, 15], [4, 3, 2], [4, -29, 2]]),
        *[step("GET", f"{node}/sparsevol-coarse/7{query}", "runs") for query in ("", *queries)],
        step("GET", node + "/blocks/48_48_16/-32_-32_0?edge=16", "frames"),
    ]
