"""Requests played to a DVID server, and its answers in a form that two servers can be compared by.

What differs from one run to the next is taken out: uuids become the names that the steps gave them, times and counters
go, runs and blocks are put in order, packed voxels are unpacked.
"""

from __future__ import annotations

import base64
import gzip
import json
import re
import struct
import time
import zlib
from collections.abc import Callable
from dataclasses import asdict, dataclass
from typing import Any

import compressed_segmentation
import lz4.block
import numpy as np
import requests

_PASSING = {"DataUUID", "KVStore", "LogStore", "MutationID", "last mod time", "mutation id", "MaxLabel"}
_TIMED = re.compile(r"\d{4}-\d\d-\d\dT[0-9:.]*Z")


@dataclass(frozen=True)
class Step:
    """One request. `{name}` in `path` stands for a uuid, `keep` names the uuid of the answer, `form` says how to read
    it: json, members, text, voxels, runs, frames, ids, graph, bytes. `body` is base64 of deflated bytes.
    """

    method: str
    path: str
    form: str = "json"
    body: str = ""
    keep: str = ""


def step(method: str, path: str, form: str = "json", *, send: Any = None, keep: str = "") -> Step:
    """A step whose body is bytes, or anything that JSON can say."""
    if send is None:
        return Step(method, path, form, "", keep)
    plain = send if isinstance(send, bytes) else json.dumps(send).encode()
    return Step(method, path, form, base64.b64encode(zlib.compress(plain, 9)).decode(), keep)


def play(url: str, steps: list[Step], query: str = "", settle_s: float = 0.0) -> list[dict[str, Any]]:
    """The answers of a server at `url`, in order. `query` is added where a repository is made (an admin token).

    A real server counts what was posted after it has answered: `settle_s` is how long it is given.
    """
    names: dict[str, str] = {}
    answers = []
    with requests.Session() as session:
        for one in steps:
            path = one.path
            for name, uuid in names.items():
                path = path.replace("{" + name + "}", uuid)
            extra = f"?{query}" if query and one.path == "/api/repos" else ""
            body = zlib.decompress(base64.b64decode(one.body)) if one.body else None
            for name, uuid in names.items():
                body = body and body.replace(b"{%s}" % name.encode(), uuid.encode())
            reply = session.request(one.method, url + path + extra, data=body, timeout=60)
            if one.method == "POST":
                time.sleep(settle_s)
            if one.keep:
                (names[one.keep],) = reply.json().values()
            answers.append(_answer(one, reply, names))
    return answers


def save(steps: list[Step], answers: list[dict[str, Any]], version: str) -> str:
    """The text of a fixture: one request and its answer a line."""
    rows = [
        json.dumps({"ask": {k: v for k, v in asdict(one).items() if v}, "answer": answer})
        for one, answer in zip(steps, answers, strict=True)
    ]
    return '{"server": ' + json.dumps(version) + ', "steps": [\n' + ",\n".join(rows) + "\n]}\n"


def load(text: str) -> tuple[list[Step], list[dict[str, Any]]]:
    rows = json.loads(text)["steps"]
    return [Step(**row["ask"]) for row in rows], [row["answer"] for row in rows]


def _answer(one: Step, reply: requests.Response, names: dict[str, str]) -> dict[str, Any]:
    kind = reply.headers.get("Content-Type") if reply.content or one.method == "HEAD" else None
    body = reply.content
    if reply.status_code >= 300:
        read: Any = _text(body, names)
    elif not body:
        read = None
    else:
        read = _READERS[one.form](body, one, names)
    return {"status": reply.status_code, "type": kind, "body": read}


def _text(body: bytes, names: dict[str, str]) -> str:
    """Words with uuids named. What follows a parser's complaint is the parser's own and is cut."""
    text = body.decode()
    for name, uuid in names.items():
        text = text.replace(uuid, "{" + name + "}")
    text = re.sub(r"http://[^/]+/", "/", text)
    text = re.sub(r"version \d+", "version N", text)
    if text.startswith("Panic"):
        return "Panic"
    return re.sub(r"(JSON[^:(]*:).* (\(/)", r"\1 \2", text, flags=re.DOTALL)


def _json(body: bytes, one: Step, names: dict[str, str]) -> Any:
    return _cleaned(json.loads(_text(body, names)))


def _members(body: bytes, one: Step, names: dict[str, str]) -> Any:
    """Supervoxels, with their sizes or without, in order: the original has them in none."""
    found = json.loads(body)
    return sorted(found) if isinstance(found, list) else sorted(map(list, zip(*found.values(), strict=True)))


def _cleaned(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _cleaned(inner) for key, inner in value.items() if key not in _PASSING}
    if isinstance(value, list):
        return [_cleaned(inner) for inner in value]
    return _TIMED.sub("T", value) if isinstance(value, str) else value


def _graph(body: bytes, one: Step, names: dict[str, str]) -> Any:
    """The versions of a repository by name: branch, locked, note, log, parents, children."""
    described = json.loads(_text(body, names))
    nodes = described["DAG"]["Nodes"]
    by_id = {node["VersionID"]: uuid for uuid, node in nodes.items()}
    rows = {
        uuid: [node["Branch"], node["Locked"], node["Note"], [_TIMED.sub("T", line) for line in node["Log"]]]
        + [[by_id[each] for each in node[kin]] for kin in ("Parents", "Children")]
        for uuid, node in sorted(nodes.items())
    }
    return {"Alias": described["Alias"], "Instances": sorted(described["DataInstances"]), "Nodes": rows}


def _packed(body: bytes) -> str:
    return base64.b64encode(zlib.compress(body, 9)).decode()


def _compression(one: Step) -> str:
    found = re.search(r"compression=(\w+)", one.path)
    return found[1] if found else ""


def _voxels(body: bytes, one: Step, names: dict[str, str]) -> str:
    size = re.search(r"0_1_2/(\d+)_(\d+)_(\d+)", one.path)
    assert size is not None
    x, y, z = (int(text) for text in size.groups())
    match _compression(one):
        case "lz4":
            body = lz4.block.decompress(body, uncompressed_size=x * y * z * 8)
        case "gzip":
            body = gzip.decompress(body)
        case "google" | "googlegzip":
            labels = compressed_segmentation.decompress(body, (x, y, z, 1), "uint64", (8, 8, 8), order="F")
            body = np.ascontiguousarray(labels[..., 0].T).tobytes()
    return _packed(body)


def _runs(body: bytes, one: Step, names: dict[str, str]) -> list[list[int]]:
    if _compression(one) == "gzip":
        body = gzip.decompress(body)
    if "format=srles" not in one.path:
        assert struct.unpack("<II", body[:8]) == (0x300, 0)
        (count,) = struct.unpack("<I", body[8:12])
        body = body[12:]
        assert len(body) == 16 * count
    rows = np.frombuffer(body, "<i4").reshape(-1, 4).tolist()
    return sorted(rows, key=lambda row: row[2::-1])


def _frames(body: bytes, one: Step, names: dict[str, str]) -> list[Any]:
    """[x, y, z, voxels unpacked] of each block."""
    edge = re.search(r"edge=(\d+)", one.path)
    assert edge is not None
    found, at = [], 0
    while at < len(body):
        x, y, z, length = struct.unpack_from("<4i", body, at)
        data, at = body[at + 16 : at + 16 + length], at + 16 + length
        if _compression(one) in ("", "lz4"):
            data = lz4.block.decompress(data, uncompressed_size=int(edge[1]) ** 3 * 8)
        elif _compression(one) == "gzip":
            data = gzip.decompress(data)
        found.append([x, y, z, _packed(data)])
    return sorted(found, key=lambda row: row[2::-1])


_READERS: dict[str, Callable[[bytes, Step, dict[str, str]], Any]] = {
    "json": _json,
    "text": lambda body, one, names: _text(body, names),
    "members": _members,
    "graph": _graph,
    "voxels": _voxels,
    "runs": _runs,
    "frames": _frames,
    "ids": lambda body, one, names: np.frombuffer(body, "<u8").tolist(),
    "bytes": lambda body, one, names: _packed(body),
}
