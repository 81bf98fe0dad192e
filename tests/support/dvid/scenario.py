"""What was asked of a real DVID server, and is asked of ours.

`python -m support.dvid.scenario URL VERSION` (in `tests`) plays it to a running server and prints the fixtures' text;
a third argument is its admin token.
"""

from __future__ import annotations

import gzip
import sys
from pathlib import Path

import lz4.block
import numpy as np
from numpy.typing import NDArray

from .recording import Step, play, save, step

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


def images() -> list[Step]:
    """Repositories, instances and plain voxels, at negative places too."""
    node, gray = "/api/node/{root}", np.arange(16 * 16 * 32, dtype=np.uint8).tobytes()
    box = node + "/gray/raw/0_1_2/32_16_16/-16_0_16"
    made = "/api/repo/{root}/instance"
    shape = {"BlockSize": "16,16,16", "VoxelSize": "8.0,8.0,40.0", "Background": "9"}
    return [
        step("POST", "/api/repos", send={"alias": "probe", "description": "d"}, keep="root"),
        step("POST", made, send={"typename": "uint8blk", "dataname": "gray", **shape}),
        step("POST", made, send={"typename": "uint8blk", "dataname": "gray"}),
        step("POST", made, send={"typename": "nosuch", "dataname": "other"}),
        step("POST", made, send={"dataname": "other"}),
        step("POST", made, send=b"{"),
        step("POST", made, send={"typename": "uint16blk", "dataname": "deep", "Background": "900"}),
        step("GET", node + "/gray/info"),
        step("GET", node + "/gray/metadata"),
        step("GET", node + "/gray/raw/0_1_2/4_3_2/-1_-2_3", "voxels"),
        step("POST", box, send=gray),
        step("POST", box.replace("-16_0", "-15_0"), send=gray),
        step("POST", box.replace("32_16_16/", "31_16_16/"), send=gray),
        step("POST", box, send=gray[:-1]),
        step("POST", node + "/gray/raw/xy/32_16/0_0_16", send=gray),
        step("PUT", box, send=gray),
        step("DELETE", box),
        step("GET", node + "/gray/info"),
        step("GET", node + "/gray/metadata"),
        step("GET", node + "/gray/raw/0_1_2/5_3_2/-2_14_17", "voxels"),
        step("GET", node + "/gray/raw/0_1_2/5_3_2/-2_14_17/anything", "voxels"),
        step("GET", node + "/gray/raw/0_1_2/40_20_9/-20_-1_12", "voxels"),
        step("GET", node + "/gray/subvolblocks/64_16_32/-32_0_0?compression=uncompressed", "bytes"),
        step("GET", node + "/gray/blocks/-1_0_1/3", "bytes"),
        *[step("GET", node + "/gray/raw/" + rest) for rest in ("0_1_2/4_3_0/0_0_0", "0_1_2/4_3/0_0_0", "0_1_2")],
        step("GET", node + "/gray/raw/0_1_2/4_x_3/0_0_0"),
        step("GET", node + "/gray/raw/0_1_2/4_3_2/0_0_0?roi=none"),
        *[step("GET", node + rest) for rest in ("/gray/nosuch", "/gray", "/nosuch/info", "/nosuch")],
        *[step(verb, "/api/repo/{root}" + rest) for verb in ("GET", "DELETE") for rest in ("", "/gray?imsure=true")],
        step("HEAD", "/api/repo/{root}"),
        step("GET", "/api/node/zzz/gray/info"),
        step("GET", "/api/node/{root}:nobranch/gray/info"),
        *_scaled_types(),
    ]


def _scaled_types() -> list[Step]:
    made, found = "/api/repo/{root}/instance", []
    for typename, dtype in (("uint16blk", "<u2"), ("uint32blk", "<u4"), ("uint64blk", "<u8"), ("float32blk", "<f4")):
        voxels = np.arange(16**3).astype(dtype).tobytes()
        url = "/api/node/{root}/" + typename
        found += [
            step("POST", made, send={"typename": typename, "dataname": typename, "BlockSize": "16,16,16"}),
            step("POST", url + "/raw/0_1_2/16_16_16/16_0_-16", send=voxels),
            step("GET", url + "/raw/0_1_2/3_2_2/15_14_-3", "voxels"),
            step("GET", url + "/info"),
        ]
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
        step("POST", node + "/raw/0_1_2/32_32_32/0_0_0?compression=gzip", send=gzip.compress(bytes(8 * 32**3))),
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


def versions() -> list[Step]:
    """Versions: notes, locks, branches, what each sees, and merges. And keys and values."""
    node, child, branch = "/api/node/{root}", "/api/node/{child}", "/api/node/{branch}"
    gray, made = np.full(16**3, 5, np.uint8), "/api/repo/{root}/instance"
    seg = np.repeat(np.array([6, 5], "<u8"), 8 * 16 * 16)
    box = "/raw/0_1_2/16_16_16/"
    return [
        step("POST", "/api/repos", send={"alias": "versions"}, keep="root"),
        *[
            step("POST", made, send={"typename": t, "dataname": n})
            for t, n in (("uint8blk", "raw8"), ("keyvalue", "kv"))
        ],
        step("POST", made, send={"typename": "uint8blk", "dataname": "g", "BlockSize": "16,16,16"}),
        step("POST", made, send={"typename": "uint8blk", "dataname": "free", "versioned": "false"}),
        step("POST", made, send={"typename": "labelmap", "dataname": "seg", "BlockSize": "16,16,16"}),
        step("POST", node + "/g" + box + "0_0_0", send=gray.tobytes()),
        step("POST", node + "/seg" + box + "0_0_0", send=seg.tobytes()),
        *_keys(node + "/kv"),
        *[step("GET", node + what) for what in ("/status", "/commit", "/note", "/log", "/bogus", "")],
        step("POST", node + "/note", send={"note": "hi"}),
        step("POST", node + "/log", send={"log": ["one", "two"]}),
        step("POST", node + "/newversion", send={}),
        step("POST", node + "/branch", send={"branch": "b"}),
        step("POST", node + "/commit"),
        step("POST", node + "/commit", send={"note": "done", "log": ["three"]}),
        step("POST", node + "/commit", send={"note": "again"}),
        *_refused_when_locked(node),
        step("POST", node + "/free/raw/0_1_2/32_32_32/0_0_0", send=bytes(32**3)),
        *[step("POST", node + "/branch", send=name) for name in ({}, {"branch": "master"})],
        step("POST", node + "/newversion", send={"note": "second"}, keep="child"),
        step("POST", node + "/newversion", send={"note": "third"}),
        step("POST", node + "/branch", send={"branch": "b", "note": "other"}, keep="branch"),
        step("POST", node + "/branch", send={"branch": "b"}),
        step("POST", node + "/branch", send={"branch": "c", "uuid": "zz"}),
        *[step("GET", f"/api/repo/{{root}}/branch-versions/{name}") for name in ("master", "b", "none")],
        *[step("GET", f"/api/node/{{root}}:{name}/note") for name in ("master", "b")],
        step("POST", child + "/g" + box + "16_0_0", send=(gray + 1).tobytes()),
        step("POST", child + "/seg/merge", send=[5, 6]),
        step("POST", child + "/seg" + box + "32_0_0", send=(seg + 4).tobytes()),
        step("POST", branch + "/g" + box + "0_32_0", send=(gray + 2).tobytes()),
        step("POST", child + "/kv/key/a", send=b"2"),
        step("DELETE", branch + "/kv/key/a"),
        *[each for one in (node, child, branch) for each in _seen(one)],
        *[step("POST", one + "/commit", send={"note": ""}) for one in (child, branch)],
        step("POST", "/api/repo/{root}/merge", send={"mergeType": "other", "parents": ["{child}", "{branch}"]}),
        step("POST", "/api/repo/{root}/merge", send={"mergeType": "conflict-free", "parents": ["{child}"]}),
        step(
            "POST",
            "/api/repo/{root}/merge",
            send={"mergeType": "conflict-free", "parents": ["{child}", "{branch}"], "note": "both"},
            keep="both",
        ),
        step("GET", "/api/node/{both}/g/raw/0_1_2/20_40_1/0_0_0", "voxels"),
        step("GET", "/api/repo/{root}/info", "graph"),
    ]


def _seen(node: str) -> list[Step]:
    return [
        step("GET", node + "/g/info"),
        step("GET", node + "/g/raw/0_1_2/20_40_1/0_0_0", "voxels"),
        *[step("GET", node + "/seg/" + what) for what in ("maxlabel", "nextlabel", "info", "label/0_0_0", "size/5")],
        step("GET", node + "/seg/listlabels?sizes=true", "ids"),
        step("GET", node + "/kv/key/a", "text"),
        step("GET", node + "/kv/keys"),
    ]


def _refused_when_locked(node: str) -> list[Step]:
    return [
        step("POST", node + "/g/raw/0_1_2/16_16_16/0_0_0", send=bytes(16**3)),
        step("POST", node + "/seg/merge", send=[5, 6]),
        step("POST", node + "/kv/key/x", send=b"1"),
        step("DELETE", node + "/kv/key/a"),
        step("POST", node + "/note", send={"note": "late"}),
        step("POST", "/api/repo/{root}/instance", send={"typename": "uint8blk", "dataname": "late"}),
    ]


def _keys(kv: str) -> list[Step]:
    values = (("a", b"1"), ("12.ngmesh", b"0123456789"), ("7_swc", b"# swc\n"), ("e", b""), ("p%2Fq", b"cut"))
    return [
        step("GET", kv + "/keys"),
        *[step("POST", f"{kv}/key/{name}", send=value) for name, value in values],
        *[step("GET", f"{kv}/key/{name}", "text") for name in ("12.ngmesh", "e", "none", "p")],
        *[step("HEAD", f"{kv}/key/{name}") for name in ("12.ngmesh", "none")],
        step("PUT", kv + "/key/a", send=b"1"),
        *[step("GET", kv + what) for what in ("/keys", "/keyrange/1/8", "/keyrange/7_swc/a", "/keyrange/8/1", "/key")],
        *[step("DELETE", f"{kv}/key/{name}") for name in ("e", "none")],
        step("GET", kv + "/keys"),
        step("GET", kv + "/info"),
        step("GET", kv + "/nosuch"),
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


SCENARIOS = {"images": images, "bodies": bodies, "versions": versions, "limits": limits}

if __name__ == "__main__":
    url, version, *token = sys.argv[1:]
    folder = Path(__file__).parents[2] / "fixtures" / "dvid"
    for name, steps in SCENARIOS.items():
        asked = steps()
        answers = play(url, asked, f"admintoken={token[0]}" if token else "", settle_s=0.3)
        (folder / f"{name}.json").write_text(save(asked, answers, version))
