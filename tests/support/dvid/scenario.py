"""What was asked of a real DVID server, and is asked of ours.

`python -m support.dvid.scenario URL VERSION` (in `tests`) plays it to a running server and prints the fixtures' text;
a third argument is its admin token.
"""

from __future__ import annotations

import sys
from pathlib import Path

import numpy as np

from .label_scenarios import below, bodies, limits, scales
from .recording import Step, play, save, step


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


SCENARIOS = {
    "images": images,
    "bodies": bodies,
    "versions": versions,
    "limits": limits,
    "scales": scales,
    "below": below,
}

if __name__ == "__main__":
    url, version, *token = sys.argv[1:]
    folder = Path(__file__).parents[2] / "fixtures" / "dvid"
    for name, steps in SCENARIOS.items():
        asked = steps()
        answers = play(url, asked, f"admintoken={token[0]}" if token else "", settle_s=0.3)
        (folder / f"{name}.json").write_text(save(asked, answers, version))
